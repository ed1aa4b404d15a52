// Devices, streams, threads, memory.
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <c10/core/CPUAllocator.h>
#include <torch/version.h>

#include "internal.h"

// Since libtorch 2.9 the allocators of devices share an interface.
#if TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= 9
#define DARKROOM_DEVICE_ALLOCATOR
#include <c10/core/CachingDeviceAllocator.h>
#endif

#if defined(__APPLE__)
#include <malloc/malloc.h>
#else
#include <malloc.h>
#endif

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <mutex>

using namespace darkroom;

// NULL where the libtorch was built with another BLAS.
extern "C" void openblas_set_num_threads(int threads) __attribute__((weak));

// OpenBLAS has threads of its own, which wait actively and keep libtorch's from the cores, most of all
// where libtorch calls it from several threads (attention). So it computes on the thread that calls it,
// unless the environment says otherwise: docs/decisions/0011-blas-threads.md.
[[maybe_unused]] static const bool one_blas_thread = [] {
  const bool wanted =
      openblas_set_num_threads != nullptr && std::getenv("OPENBLAS_NUM_THREADS") == nullptr;
  if (wanted) openblas_set_num_threads(1);
  return wanted;
}();

namespace darkroom {

void require_usable(c10::Device device) {
  if (device.is_cpu() || device.is_meta()) {
    return;
  }
  const int32_t count = dr_device_count(static_cast<int32_t>(device.type()));
  if (count == 0) {
    fail(DR_UNSUPPORTED, "This libtorch has no usable ", c10::DeviceTypeName(device.type()),
         " device.");
  }
  require(device.index() < count, "There is no device ", device, "; there are ", count, ".");
  at::globalContext().lazyInitDevice(device.type());
}

namespace {

// Memory for tensors, aligned by hand. glibc's aligned allocation (before 2.38) cuts a block from a
// longer chunk and keeps the ends for small requests, so that what is freed is too short for the next
// block of the same size: docs/decisions/0020-large-blocks.md.
struct Block {
  // At least `bytes`; NULL for none.
  static void* make(size_t bytes) {
    if (bytes == 0) return nullptr;
    constexpr size_t most = PTRDIFF_MAX - 2 * alignment;
    void* start = bytes > most ? nullptr : std::malloc(bytes + 2 * alignment);
    TORCH_CHECK_WITH(OutOfMemoryError, start != nullptr,
                     "The CPU's memory is exhausted: you tried to allocate ", bytes, " bytes.");
    const auto after_start = reinterpret_cast<uintptr_t>(start) + sizeof start;
    void* data = reinterpret_cast<void*>((after_start + alignment - 1) & ~(alignment - 1));
    start_of(data) = start;
    return data;
  }

  static void free(void* data) {
    if (data != nullptr) std::free(start_of(data));
  }

  // How many bytes there are in fact.
  static size_t size(void* data) {
    if (data == nullptr) return 0;
    void* start = start_of(data);
#if defined(__APPLE__)
    const size_t all = malloc_size(start);
#else
    const size_t all = malloc_usable_size(start);
#endif
    return all - static_cast<size_t>(static_cast<char*>(data) - static_cast<char*>(start));
  }

 private:
  static constexpr size_t alignment = 64;

  // What malloc gave is noted before the data.
  static void*& start_of(void* data) { return static_cast<void**>(data)[-1]; }
};

// The small blocks that this thread has freed, for its next tensors: allocation is part of the time
// that a small operator takes. A list per power of two. Plain data, so that what outlives the thread's
// destructors can still free.
class SmallBlocks {
 public:
  static constexpr size_t smallest = 64;
  static constexpr size_t largest = 4096;

  // A block of at least `bytes`, from 1 to `largest`.
  void* take(size_t bytes) {
    const int size = 64 - __builtin_clzll((bytes - 1) | (smallest - 1));
    List& list = lists_[size - smallest_log2];
    return list.count > 0 ? list.blocks[--list.count] : Block::make(size_t{1} << size);
  }

  // Whether the block, of `bytes` from `smallest` up, is kept.
  bool keep(void* block, size_t bytes) {
    const int size = 63 - __builtin_clzll(bytes);
    if (size > largest_log2 || (state_ != State::OPEN && !open())) return false;
    List& list = lists_[size - smallest_log2];
    if (list.count == capacity) return false;
    list.blocks[list.count++] = block;
    return true;
  }

 private:
  static constexpr int smallest_log2 = 6;
  static constexpr int largest_log2 = 12;
  static constexpr uint32_t capacity = 8;

  struct List {
    void* blocks[capacity];
    uint32_t count;
  };
  enum class State : uint32_t { NEW, OPEN, CLOSED };

  bool open();

  void close() {
    state_ = State::CLOSED;
    for (List& list : lists_) {
      while (list.count > 0) Block::free(list.blocks[--list.count]);
    }
  }

  List lists_[largest_log2 - smallest_log2 + 1];
  State state_;
};

thread_local SmallBlocks small_blocks;

// Has the thread's end free what the thread keeps; false if that was already.
bool SmallBlocks::open() {
  if (state_ == State::CLOSED) return false;
  struct Guard {
    ~Guard() { small_blocks.close(); }
  };
  thread_local Guard guard;
  static_cast<void>(guard);
  state_ = State::OPEN;
  return true;
}

// CPU allocation, counted. It is the CPU's allocator from the time when this library is loaded, and
// never destroyed.
class CountingAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    const bool small = bytes - 1 < SmallBlocks::largest;  // not 0
    void* data = small ? small_blocks.take(bytes) : Block::make(bytes);
    add(static_cast<int64_t>(Block::size(data)));
    return {data, data, &release, c10::Device(c10::kCPU)};
  }

  c10::DeleterFnPtr raw_deleter() const override { return &release; }

  void copy_data(void* to, const void* from, size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }

  static void read(dr_memory& memory) {
    memory.live_bytes = live.load(std::memory_order_relaxed);
    memory.peak_bytes = std::max(peak.load(std::memory_order_relaxed), memory.live_bytes);
    memory.reserved_bytes = memory.live_bytes;
  }

  static void reset_peak() {
    peak.store(live.load(std::memory_order_relaxed), std::memory_order_relaxed);
  }

 private:
  static void release(void* data) {
    const auto bytes = static_cast<int64_t>(Block::size(data));
    live.fetch_sub(bytes, std::memory_order_relaxed);
    if (data == nullptr || !small_blocks.keep(data, static_cast<size_t>(bytes))) {
      Block::free(data);
    }
  }

  static void add(int64_t bytes) {
    const int64_t now = live.fetch_add(bytes, std::memory_order_relaxed) + bytes;
    int64_t before = peak.load(std::memory_order_relaxed);
    while (before < now && !peak.compare_exchange_weak(before, now, std::memory_order_relaxed)) {
    }
  }

  static inline std::atomic<int64_t> live{0};
  static inline std::atomic<int64_t> peak{0};
};

// Memory of the meta device, whose tensors have shapes and no elements: counted, and not allocated.
// Never destroyed, as the tensors that the process ends with.
class MetaAllocator final : public c10::Allocator {
 public:
  static MetaAllocator& one() {
    static auto* allocator = new MetaAllocator;
    return *allocator;
  }

  c10::DataPtr allocate(size_t bytes) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto size = static_cast<int64_t>(bytes);
    live_ += size;
    made_ += size;
    peak_ = std::max(peak_, live_);
    return {nullptr, new int64_t(size), &release, c10::Device(c10::kMeta)};
  }

  c10::DeleterFnPtr raw_deleter() const override { return nullptr; }

  void copy_data(void*, const void*, size_t) const override {}

  void read(dr_memory& memory) {
    const std::lock_guard<std::mutex> lock(mutex_);
    memory.live_bytes = live_;
    memory.peak_bytes = peak_;
    memory.reserved_bytes = made_;
  }

  void reset_peak() {
    const std::lock_guard<std::mutex> lock(mutex_);
    peak_ = live_;
  }

 private:
  static void release(void* size) { one().free(static_cast<int64_t*>(size)); }

  void free(int64_t* size) {
    const std::lock_guard<std::mutex> lock(mutex_);
    live_ -= *size;
    delete size;
  }

  std::mutex mutex_;
  int64_t live_ = 0;
  int64_t peak_ = 0;
  int64_t made_ = 0;
};

const bool counting = [] {
  constexpr uint8_t before_the_default = 100;
  c10::SetCPUAllocator(new CountingAllocator, before_the_default);
  c10::SetAllocator(c10::kMeta, &MetaAllocator::one(), before_the_default);
  return true;
}();

c10::DeviceIndex index_of(c10::Device device) {
  return device.has_index() ? device.index()
                            : c10::impl::VirtualGuardImpl(device.type()).getDevice().index();
}

// The device, if it has streams.
c10::Device queued(int32_t device) {
  const auto where = decode_device(device);
  if (where.is_cpu()) {
    fail(DR_UNSUPPORTED,
         "The CPU has no streams or events: its operators are done when the call returns.");
  }
  require_usable(where);
  return {where.type(), index_of(where)};
}

c10::Stream stream_or_default(const dr_stream* stream, c10::Device device) {
  return stream != nullptr ? stream->stream
                           : c10::impl::VirtualGuardImpl(device.type()).getDefaultStream(device);
}

#ifdef DARKROOM_DEVICE_ALLOCATOR
c10::DeviceAllocator& allocator_of(c10::Device device) {
  require_usable(device);
  auto* allocator = dynamic_cast<c10::DeviceAllocator*>(c10::GetAllocator(device.type()));
  if (allocator == nullptr || !allocator->initialized()) {
    fail(DR_UNSUPPORTED, "The allocator of ", device, " keeps no statistics.");
  }
  return *allocator;
}
#else
[[noreturn]] void no_allocator() {
  fail(DR_UNSUPPORTED, "Memory statistics of devices need libtorch 2.9 or newer.");
}
#endif

}  // namespace
}  // namespace darkroom

int32_t dr_device_count(int32_t device_type) {
  int32_t count = 0;
  guarded(nullptr, [&] {
    const auto type = decode_device_type(device_type);
    if (c10::impl::hasDeviceGuardImpl(type)) {
      count = c10::impl::VirtualGuardImpl(type).deviceCount();
    }
  });
  return count;
}

int32_t dr_device_synchronize(int32_t device, dr_error* error) {
  return guarded(error, [&] {
    const auto where = decode_device(device);
    if (!where.is_cpu() && !where.is_meta()) {
      require_usable(where);
      c10::impl::VirtualGuardImpl(where.type()).synchronizeDevice(index_of(where));
    }
  });
}

int32_t dr_stream_new(int32_t device, dr_stream** stream, dr_error* error) {
  return guarded(error, [&] {
    require(stream != nullptr, "dr_stream_new: the result pointer is NULL.");
    const auto where = queued(device);
    *stream =
        new dr_stream{c10::impl::VirtualGuardImpl(where.type()).getStreamFromGlobalPool(where)};
  });
}

void dr_stream_free(dr_stream* stream) { delete stream; }

int32_t dr_stream_synchronize(const dr_stream* stream, dr_error* error) {
  return guarded(error, [&] {
    require(stream != nullptr, "dr_stream_synchronize: the stream is NULL.");
    stream->stream.synchronize();
  });
}

int32_t dr_event_new(int32_t device, int32_t timed, dr_event** event, dr_error* error) {
  return guarded(error, [&] {
    require(event != nullptr, "dr_event_new: the result pointer is NULL.");
    const auto where = queued(device);
    const auto flag =
        timed != 0 ? c10::EventFlag::BACKEND_DEFAULT : c10::EventFlag::PYTORCH_DEFAULT;
    *event = new dr_event{c10::Event(where.type(), flag), where};
  });
}

void dr_event_free(dr_event* event) { delete event; }

int32_t dr_event_record(dr_event* event, const dr_stream* stream, dr_error* error) {
  return guarded(error, [&] {
    require(event != nullptr, "dr_event_record: the event is NULL.");
    event->event.record(stream_or_default(stream, event->device));
  });
}

int32_t dr_event_block(dr_event* event, const dr_stream* stream, dr_error* error) {
  return guarded(error, [&] {
    require(event != nullptr, "dr_event_block: the event is NULL.");
    event->event.block(stream_or_default(stream, event->device));
  });
}

int32_t dr_event_synchronize(dr_event* event, dr_error* error) {
  return guarded(error, [&] {
    require(event != nullptr, "dr_event_synchronize: the event is NULL.");
    event->event.synchronize();
  });
}

int32_t dr_event_elapsed(dr_event* start, dr_event* end, double* milliseconds, dr_error* error) {
  return guarded(error, [&] {
    require(start != nullptr && end != nullptr && milliseconds != nullptr,
            "dr_event_elapsed: an event or the result pointer is NULL.");
    *milliseconds = start->event.elapsedTime(end->event);
  });
}

int32_t dr_num_threads(void) {
  int32_t threads = 1;
  guarded(nullptr, [&] { threads = at::get_num_threads(); });
  return threads;
}

int32_t dr_set_num_threads(int32_t threads, dr_error* error) {
  return guarded(error, [&] {
    require(threads >= 1 && threads <= DR_MAX_THREADS, "The number of threads is ", threads,
            "; it must be 1 to ", DR_MAX_THREADS, ".");
    at::set_num_threads(threads);
  });
}

int64_t dr_cpu_capability(char* text, int64_t capacity) {
  int64_t length = copy_text("", text, capacity);
  guarded(nullptr, [&] { length = copy_text(at::get_cpu_capability(), text, capacity); });
  return length;
}

int32_t dr_memory_stats(int32_t device, dr_memory* memory, dr_error* error) {
  return guarded(error, [&] {
    require(memory != nullptr, "dr_memory_stats: the result pointer is NULL.");
    const auto where = decode_device(device);
    if (where.is_meta()) {
      MetaAllocator::one().read(*memory);
      return;
    }
    if (where.is_cpu()) {
      CountingAllocator::read(*memory);
      return;
    }
#ifdef DARKROOM_DEVICE_ALLOCATOR
    const auto stats = allocator_of(where).getDeviceStats(index_of(where));
    constexpr auto all = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
    memory->live_bytes = stats.allocated_bytes[all].current;
    memory->peak_bytes = stats.allocated_bytes[all].peak;
    memory->reserved_bytes = stats.reserved_bytes[all].current;
#else
    no_allocator();
#endif
  });
}

int32_t dr_memory_reset_peak(int32_t device, dr_error* error) {
  return guarded(error, [&] {
    const auto where = decode_device(device);
    if (where.is_meta()) {
      MetaAllocator::one().reset_peak();
      return;
    }
    if (where.is_cpu()) {
      CountingAllocator::reset_peak();
      return;
    }
#ifdef DARKROOM_DEVICE_ALLOCATOR
    allocator_of(where).resetPeakStats(index_of(where));
#else
    no_allocator();
#endif
  });
}

int32_t dr_memory_empty_cache(int32_t device, dr_error* error) {
  return guarded(error, [&] {
    const auto where = decode_device(device);
    if (where.is_cpu() || where.is_meta()) {
      return;
    }
#ifdef DARKROOM_DEVICE_ALLOCATOR
    allocator_of(where).emptyCache();
#else
    no_allocator();
#endif
  });
}
