// What the sections share: handles as counted references, errors, and the mode of one call.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>
#include <c10/core/AutogradState.h>
#include <c10/core/Event.h>
#include <c10/core/InferenceMode.h>
#include <c10/core/StreamGuard.h>
#include <c10/util/StringUtil.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "darkroom.h"

struct dr_stream {
  c10::Stream stream;
};

struct dr_event {
  c10::Event event;
  c10::Device device;
};

namespace darkroom {

// ---- Handles: a dr_tensor* is a TensorImpl* that holds one count, a dr_generator* likewise ----

using TensorPtr = c10::intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>;

inline c10::TensorImpl* impl(const dr_tensor* tensor) {
  return reinterpret_cast<c10::TensorImpl*>(const_cast<dr_tensor*>(tensor));
}

// The handle keeps its count: the result holds one of its own.
inline at::Tensor borrow(const dr_tensor* tensor) {
  return at::Tensor(TensorPtr::reclaim_copy(impl(tensor)));
}

inline at::Tensor borrow_or_undefined(const dr_tensor* tensor) {
  return tensor == nullptr ? at::Tensor() : borrow(tensor);
}

inline dr_tensor* release(at::Tensor&& tensor) {
  return tensor.defined() ? reinterpret_cast<dr_tensor*>(tensor.unsafeReleaseTensorImpl())
                          : nullptr;
}

inline at::Generator borrow(const dr_generator* generator) {
  auto* impl = reinterpret_cast<c10::GeneratorImpl*>(const_cast<dr_generator*>(generator));
  return at::Generator(c10::intrusive_ptr<c10::GeneratorImpl>::reclaim_copy(impl));
}

// A device in the header's encoding: type << 8 | (index & 0xff).
inline int32_t encode(c10::Device device) {
  return static_cast<int32_t>(device.type()) << 8 | (device.index() & 0xff);
}

c10::DeviceType decode_device_type(int64_t type);
c10::Device decode_device(int64_t device);
c10::ScalarType decode_dtype(int64_t dtype);

// ---- Errors ------------------------------------------------------------------------------------

struct Failure {
  int32_t code;
  std::string message;
};

template <typename... Parts>
[[noreturn]] void fail(int32_t code, const Parts&... message) {
  throw Failure{code, c10::str(message...)};
}

template <typename... Parts>
void require(bool condition, const Parts&... message) {
  if (C10_UNLIKELY(!condition)) {
    fail(DR_INVALID_ARGUMENT, message...);
  }
}

// Fills `error` from the exception that is being handled; returns its code.
int32_t report(dr_error* error) noexcept;

// Says more in an error that is filled.
void append(std::string_view text, dr_error& error) noexcept;

// Makes a thread known to this library: libtorch keeps the handler of warnings per thread. Returns the
// lowest address of the stack at which a call may begin.
const char* adopt_thread();

inline void require_stack() {
  thread_local const char* lowest = adopt_thread();
  const char here = 0;
  if (C10_UNLIKELY(&here < lowest)) {
    fail(DR_STACK_EXHAUSTED, "The calling thread has too little stack left for libtorch.");
  }
}

// Counts the calls that run.
class InFlight {
 public:
  InFlight() noexcept { calls_.fetch_add(1, std::memory_order_relaxed); }
  ~InFlight() { calls_.fetch_sub(1, std::memory_order_release); }
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;

  // Returns when none runs, or after half a minute.
  static void await_none() noexcept;

 private:
  static std::atomic<int64_t> calls_;
};

// Runs the body of an entry: nothing that it throws gets out.
template <typename Body>
int32_t guarded(dr_error* error, Body&& body) noexcept {
  const InFlight counted;
  try {
    require_stack();
    body();
    return DR_OK;
  } catch (...) {
    return report(error);
  }
}

// Writes text as the header's conventions say; returns its whole length.
int64_t copy_text(std::string_view text, char* out, int64_t capacity) noexcept;

// Fails unless the device is the CPU or can be used; initialises its type at first use.
void require_usable(c10::Device device);

// ---- Mode --------------------------------------------------------------------------------------

class Autocast {
 public:
  Autocast(c10::DeviceType device, c10::ScalarType dtype);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  c10::DeviceType device_;
  c10::ScalarType dtype_;
  bool enabled_;
  bool cache_;
};

// As c10::AutoGradMode, with one look at the thread's state instead of three: it is in every call.
class GradMode {
 public:
  explicit GradMode(bool enabled)
      : state_(c10::AutogradState::get_tls_state()), before_(state_.get_grad_mode()) {
    state_.set_grad_mode(enabled);
  }
  ~GradMode() { state_.set_grad_mode(before_); }
  GradMode(const GradMode&) = delete;
  GradMode& operator=(const GradMode&) = delete;

 private:
  c10::AutogradState& state_;
  const bool before_;
};

// Sets a call's mode on this thread and restores what was before.
class Mode {
 public:
  explicit Mode(const dr_mode* mode) : grad_(mode != nullptr && (mode->flags & DR_GRAD) != 0) {
    if (mode != nullptr && ((mode->flags & ~DR_GRAD) != 0 || mode->stream != nullptr)) {
      enter(*mode);
    }
  }
  Mode(const Mode&) = delete;
  Mode& operator=(const Mode&) = delete;

 private:
  void enter(const dr_mode& mode);

  GradMode grad_;
  std::optional<c10::InferenceMode> inference_;
  std::optional<Autocast> autocast_;
  std::optional<c10::StreamGuard> stream_;
};

}  // namespace darkroom
