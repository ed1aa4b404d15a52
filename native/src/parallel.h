// Work on libtorch's threads.
#pragma once

#include <c10/util/FunctionRef.h>

#include <atomic>
#include <cstdint>

namespace darkroom {

// Parts of some work, which threads take as they come to them: a thread that shares its core with another
// program takes fewer, and none waits for it long.
class Parts {
 public:
  explicit Parts(int64_t count) : count_(count) {}

  // Takes the next of 0 … count - 1; whether one was left.
  bool take(int64_t& part) {
    part = next_.fetch_add(1, std::memory_order_relaxed);
    return part < count_;
  }

 private:
  const int64_t count_;
  std::atomic<int64_t> next_ = 0;
};

// Runs work(thread, parts) on libtorch's threads, at most at::get_num_threads(), which take all parts
// between them. at::parallel_for would need an OpenMP of the shim's own; this runs in libtorch.
void in_parallel(int64_t count, c10::function_ref<void(int64_t, Parts&)> work);

}  // namespace darkroom
