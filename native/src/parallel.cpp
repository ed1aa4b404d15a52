#include "parallel.h"

#include <ATen/Parallel.h>
#include <ATen/TensorIterator.h>
#include <ATen/ops/arange.h>

#include <algorithm>

namespace darkroom {

void in_parallel(int64_t count, c10::function_ref<void(int64_t, Parts&)> work) {
  Parts parts(count);
  const at::Tensor threads = at::arange(std::min<int64_t>(count, at::get_num_threads()), at::kLong);
  auto loop = at::TensorIteratorConfig()
                  .check_all_same_dtype(false)
                  .resize_outputs(false)
                  .add_output(threads)
                  .build();
  loop.for_each(
      [&](char** data, const int64_t*, int64_t) {
        work(*reinterpret_cast<const int64_t*>(data[0]), parts);
      },
      1);
}

}  // namespace darkroom
