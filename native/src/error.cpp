// Versions and errors.
#include <ATen/Version.h>
#include <torch/version.h>

#include <atomic>
#include <cstring>
#include <new>

#include "internal.h"

namespace darkroom {
namespace {

std::atomic<dr_log_fn> log_function{nullptr};

class LogHandler final : public c10::WarningHandler {
  void process(const c10::Warning& warning) override {
    if (dr_log_fn log = log_function.load(std::memory_order_acquire)) {
      log(0, warning.msg().c_str());
    }
  }
};

// Never destroyed: threads may warn while the process ends.
LogHandler& log_handler() {
  static auto* handler = new LogHandler;
  return *handler;
}

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

int32_t fill(dr_error* error, int32_t code, std::string_view message) noexcept {
  if (error != nullptr) {
    error->code = code;
    copy_text(message, error->message, DR_ERROR_CAPACITY);
    error->length = static_cast<int32_t>(whole_characters(message, DR_ERROR_CAPACITY - 1));
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

void adopt_warnings() {
  thread_local bool adopted = false;
  if (C10_UNLIKELY(!adopted)) {
    c10::WarningUtils::set_warning_handler(&log_handler());
    adopted = true;
  }
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

void dr_set_log(dr_log_fn log) { log_function.store(log, std::memory_order_release); }

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
