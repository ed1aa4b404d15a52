// The CPU's memory, of which an allocation can be made to fail as it does where there is no more. To be
// loaded after libtorch, by ScarceMemoryTest. What oneDNN and others allocate
// for themselves, a few bytes at a time, does not fail: they don't survive it.
#include <c10/core/CPUAllocator.h>

#include <atomic>

namespace {

std::atomic<int64_t> allocations{0};
std::atomic<int64_t> failing{0};

class Scarce final : public c10::Allocator {
 public:
  explicit Scarce(c10::Allocator* whole) : whole_(whole) {}

  c10::DataPtr allocate(size_t bytes) override {
    TORCH_CHECK(++allocations != failing, "DefaultCPUAllocator: can't allocate memory: you tried to allocate ",
                bytes, " bytes.");
    return whole_->allocate(bytes);
  }

  c10::DeleterFnPtr raw_deleter() const override { return whole_->raw_deleter(); }

  void copy_data(void* to, const void* from, size_t bytes) const override {
    whole_->copy_data(to, from, bytes);
  }

 private:
  c10::Allocator* whole_;
};

[[maybe_unused]] const bool scarce = [] {
  constexpr uint8_t before_the_default = 200;
  c10::SetCPUAllocator(new Scarce(c10::GetCPUAllocator()), before_the_default);
  return true;
}();

}  // namespace

// Counts allocations from 1 again, and lets the n-th of them fail; 0 for none.
extern "C" __attribute__((visibility("default"))) void dr_fail_allocation(int64_t n) {
  failing = 0;
  allocations = 0;
  failing = n;
}

// How many there were since dr_fail_allocation.
extern "C" __attribute__((visibility("default"))) int64_t dr_allocations() { return allocations; }
