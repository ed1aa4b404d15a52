// Versions and errors.
#include <ATen/Version.h>
#include <torch/version.h>

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <deque>
#include <mutex>
#include <new>

#include "internal.h"

namespace darkroom {
namespace {

class Warnings final : public c10::WarningHandler {
 public:
  // Never destroyed: threads may warn while the process ends.
  static Warnings& instance() {
    static auto* warnings = new Warnings;
    return *warnings;
  }

  void process(const c10::Warning& warning) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (texts_.size() < DR_MAX_WARNINGS) {
      texts_.push_back(warning.msg());
      count();
    }
  }

  const int32_t* waiting() const {
    static_assert(sizeof(waiting_) == sizeof(int32_t) && decltype(waiting_)::is_always_lock_free);
    return reinterpret_cast<const int32_t*>(&waiting_);
  }

  int64_t take(char* out, int64_t capacity) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (texts_.empty()) return -1;
    const int64_t length = copy_text(texts_.front(), out, capacity);
    texts_.pop_front();
    count();
    return length;
  }

 private:
  void count() {
    waiting_.store(static_cast<int32_t>(texts_.size()), std::memory_order_relaxed);
  }

  std::mutex mutex_;
  std::deque<std::string> texts_;
  std::atomic<int32_t> waiting_{0};
};

// The largest length up to `length` that doesn't split a UTF-8 character of text.
size_t whole_characters(std::string_view text, size_t length) {
  if (length >= text.size()) {
    return text.size();
  }
  while (length > 0 && (text[length] & 0xC0) == 0x80) {
    --length;
  }
  return length;
}

std::string_view strip(std::string_view text) {
  constexpr std::string_view space = " \t\r\n";
  const auto start = text.find_first_not_of(space);
  return start == std::string_view::npos
             ? std::string_view()
             : text.substr(start, text.find_last_not_of(space) + 1 - start);
}

int32_t fill(dr_error* error, int32_t code, std::string_view message) noexcept {
  if (error != nullptr) {
    error->code = code;
    error->length = 0;
    append(strip(message), *error);
  }
  return code;
}

// The default CPU allocator reports exhaustion as a plain Error.
constexpr std::string_view cpu_exhausted = "DefaultCPUAllocator: can't allocate memory";

int32_t code_of(const c10::Error& e) {
  if (dynamic_cast<const c10::OutOfMemoryError*>(&e) != nullptr) return DR_OUT_OF_MEMORY;
  if (dynamic_cast<const c10::IndexError*>(&e) != nullptr) return DR_INDEX_ERROR;
  if (dynamic_cast<const c10::TypeError*>(&e) != nullptr) return DR_TYPE_ERROR;
  if (dynamic_cast<const c10::ValueError*>(&e) != nullptr) return DR_VALUE_ERROR;
  if (dynamic_cast<const c10::NotImplementedError*>(&e) != nullptr) return DR_NOT_IMPLEMENTED;
  if (dynamic_cast<const c10::LinAlgError*>(&e) != nullptr) return DR_LINALG_ERROR;
  return DR_ERROR;
}

}  // namespace

int32_t report(dr_error* error) noexcept {
  try {
    throw;
  } catch (const Failure& e) {
    return fill(error, e.code, e.message);
  } catch (const c10::Error& e) {
    std::string_view message = e.what_without_backtrace();
    if (const auto start = message.find(cpu_exhausted); start != std::string_view::npos) {
      return fill(error, DR_OUT_OF_MEMORY, message.substr(start));
    }
    return fill(error, code_of(e), message);
  } catch (const std::bad_alloc&) {
    return fill(error, DR_OUT_OF_MEMORY, "The host is out of memory.");
  } catch (const std::exception& e) {
    return fill(error, DR_ERROR, e.what());
  } catch (...) {
    return fill(error, DR_ERROR, "An exception of an unknown kind.");
  }
}

void append(std::string_view text, dr_error& error) noexcept {
  const int32_t room = DR_ERROR_CAPACITY - error.length;
  copy_text(text, error.message + error.length, room);
  error.length += static_cast<int32_t>(whole_characters(text, static_cast<size_t>(room) - 1));
}

const char* adopt_thread() {
  c10::WarningUtils::set_warning_handler(&Warnings::instance());
  constexpr size_t needed = 256 * 1024;
#if defined(__APPLE__)
  const size_t size = pthread_get_stacksize_np(pthread_self());
  const char* end = static_cast<const char*>(pthread_get_stackaddr_np(pthread_self())) - size;
#else
  pthread_attr_t attributes;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return nullptr;
  void* end = nullptr;
  size_t size = 0;
  pthread_attr_getstack(&attributes, &end, &size);
  pthread_attr_destroy(&attributes);
#endif
  return static_cast<const char*>(end) + std::min(needed, size / 4);
}

int64_t copy_text(std::string_view text, char* out, int64_t capacity) noexcept {
  if (out != nullptr && capacity > 0) {
    const size_t length = whole_characters(text, static_cast<size_t>(capacity) - 1);
    std::memcpy(out, text.data(), length);
    out[length] = 0;
  }
  return static_cast<int64_t>(text.size());
}

}  // namespace darkroom

using namespace darkroom;

int32_t dr_abi_version(void) { return DR_ABI_VERSION; }

const char* dr_built_for(void) { return TORCH_VERSION; }

const int32_t* dr_warnings_waiting(void) { return Warnings::instance().waiting(); }

int64_t dr_take_warning(char* text, int64_t capacity) {
  int64_t length = -1;
  guarded(nullptr, [&] { length = Warnings::instance().take(text, capacity); });
  return length;
}

int64_t dr_libtorch_config(char* text, int64_t capacity) {
  int64_t length = copy_text("", text, capacity);
  guarded(nullptr, [&] { length = copy_text(at::show_config(), text, capacity); });
  return length;
}

int64_t dr_libtorch_version(char* text, int64_t capacity) {
  int64_t length = copy_text("", text, capacity);
  guarded(nullptr, [&] {
    constexpr std::string_view key = "TORCH_VERSION=";
    const std::string config = at::show_config();
    if (const auto at = config.find(key); at != std::string::npos) {
      const auto start = at + key.size();
      const auto end = config.find_first_of(", \n", start);
      length = copy_text(config.substr(start, end - start), text, capacity);
    }
  });
  return length;
}
