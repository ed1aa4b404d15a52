// The CPU's memory with a fence: every block of libtorch's ends where a page begins that can't be
// touched, and begins behind one. An access outside ends the process at once, where it otherwise may
// go unseen. For OperatorAttackTest; to be loaded after libtorch, before its first tensor.
#include <c10/core/CPUAllocator.h>
#include <sys/mman.h>

#include <cstring>

namespace {

constexpr size_t page = 4096;
constexpr size_t alignment = 16;
constexpr size_t largest = size_t{1} << 26;  // what attacks ask for beyond that is refused

struct Block {
  size_t length;
};

// The block's own page lies at its beginning, and is not fenced off.
void release(void* block) { munmap(block, static_cast<Block*>(block)->length); }

class Fence final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    TORCH_CHECK(bytes <= largest, "DefaultCPUAllocator: can't allocate memory: ", bytes);
    const size_t room = (bytes + alignment - 1) / alignment * alignment;
    const size_t pages = (room + page - 1) / page * page;
    const size_t length = pages + 3 * page;
    void* block = mmap(nullptr, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    TORCH_CHECK(block != MAP_FAILED, "DefaultCPUAllocator: can't allocate memory: ", bytes);
    char* start = static_cast<char*>(block) + 2 * page;
    mprotect(block, page, PROT_READ | PROT_WRITE);
    mprotect(start, pages, PROT_READ | PROT_WRITE);
    static_cast<Block*>(block)->length = length;
    void* data = bytes == 0 ? nullptr : start + pages - room;
    if (data != nullptr) std::memset(data, 0x5a, bytes);
    return {data, block, &release, c10::Device(c10::kCPU)};
  }

  void copy_data(void* to, const void* from, size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }
};

[[maybe_unused]] const bool fenced = [] {
  constexpr uint8_t before_the_shims = 200;
  c10::SetCPUAllocator(new Fence, before_the_shims);
  return true;
}();

}  // namespace
