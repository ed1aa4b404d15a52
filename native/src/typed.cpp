#include "typed.h"

#include <ATen/core/op_registration/infer_schema.h>

#include <array>
#include <utility>

namespace darkroom {
namespace {

// A tensor that the caller's handle keeps alive: no count is taken or dropped.
class Borrowed {
 public:
  explicit Borrowed(dr_tensor* handle) : tensor_(TensorPtr::reclaim(impl(handle))) {}
  ~Borrowed() { tensor_.unsafeReleaseTensorImpl(); }
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;
  operator at::Tensor&() { return tensor_; }

 private:
  at::Tensor tensor_;
};

// For an argument of the C++ type T: which values fit as they are, and such a value as a T.
template <typename T>
struct Arg;

template <>
struct Arg<at::Tensor&> {
  static bool fits(const dr_value& v) { return v.tag == DR_TENSOR && v.as.tensor != nullptr; }
  static Borrowed of(const dr_value& v) { return Borrowed(v.as.tensor); }
};

template <>
struct Arg<const at::Tensor&> : Arg<at::Tensor&> {};

template <>
struct Arg<const std::optional<at::Tensor>&> {
  static bool fits(const dr_value& v) { return v.tag == DR_NONE || Arg<at::Tensor&>::fits(v); }
  static std::optional<at::Tensor> of(const dr_value& v) {
    return v.tag == DR_NONE ? std::nullopt : std::optional(borrow(v.as.tensor));
  }
};

template <>
struct Arg<const at::Scalar&> {
  static bool fits(const dr_value& v) { return v.tag == DR_INT || v.tag == DR_DOUBLE; }
  static at::Scalar of(const dr_value& v) {
    return v.tag == DR_INT ? at::Scalar(v.as.integer) : at::Scalar(v.as.real);
  }
};

template <>
struct Arg<int64_t> {
  static bool fits(const dr_value& v) { return v.tag == DR_INT; }
  static int64_t of(const dr_value& v) { return v.as.integer; }
};

template <>
struct Arg<c10::SymInt> : Arg<int64_t> {};

template <>
struct Arg<bool> {
  static bool fits(const dr_value& v) { return v.tag == DR_BOOL; }
  static bool of(const dr_value& v) { return v.as.integer != 0; }
};

template <>
struct Arg<std::optional<c10::ScalarType>> {
  static bool fits(const dr_value& v) { return v.tag == DR_NONE; }
  static std::nullopt_t of(const dr_value&) { return std::nullopt; }
};

template <>
struct Arg<c10::IntArrayRef> {
  static bool fits(const dr_value& v) {
    return v.tag == DR_INT_LIST && v.size >= 0 && (v.size == 0 || v.as.integers != nullptr);
  }
  static c10::IntArrayRef of(const dr_value& v) {
    return {v.as.integers, static_cast<size_t>(v.size)};
  }
};

template <>
struct Arg<c10::SymIntArrayRef> : Arg<c10::IntArrayRef> {
  static c10::SymIntArrayRef of(const dr_value& v) {
    return c10::fromIntArrayRefSlow(Arg<c10::IntArrayRef>::of(v));
  }
};

// A schema's default as a value that fits no argument if it is none of the simple kinds.
dr_value default_of(const c10::Argument& argument) {
  dr_value value{-1, 0, {0}};
  if (const auto& fallback = argument.default_value()) {
    if (fallback->isNone()) {
      value.tag = DR_NONE;
    } else if (fallback->isInt()) {
      value.tag = DR_INT;
      value.as.integer = fallback->toInt();
    } else if (fallback->isDouble()) {
      value.tag = DR_DOUBLE;
      value.as.real = fallback->toDouble();
    } else if (fallback->isBool()) {
      value.tag = DR_BOOL;
      value.as.integer = fallback->toBool() ? 1 : 0;
    }
  }
  return value;
}

template <typename Signature>
class TypedCallOf;

template <typename Result, typename... Args>
class TypedCallOf<Result(Args...)> final : public TypedCall {
 public:
  explicit TypedCallOf(const c10::OperatorHandle& op) : op_(op.typed<Result(Args...)>()) {
    const auto& arguments = op.schema().arguments();
    for (size_t i = 0; i < defaults_.size(); ++i) {
      defaults_[i] = default_of(arguments[i]);
    }
  }

  bool call(const dr_value* args, size_t nargs, dr_value& result) const override {
    return call(args, nargs, result, std::index_sequence_for<Args...>());
  }

 private:
  template <size_t... I>
  bool call(const dr_value* args, size_t nargs, dr_value& result, std::index_sequence<I...>) const {
    const auto at = [&](size_t i) -> const dr_value& { return i < nargs ? args[i] : defaults_[i]; };
    if (nargs > sizeof...(Args) || !(Arg<Args>::fits(at(I)) && ...)) {
      return false;
    }
    at::Tensor returned = op_.call(Arg<Args>::of(at(I))...);
    result = {returned.defined() ? DR_TENSOR : DR_NONE, 0, {0}};
    result.as.tensor = release(std::move(returned));
    return true;
  }

  c10::TypedOperatorHandle<Result(Args...)> op_;
  std::array<dr_value, sizeof...(Args)> defaults_;
};

// Null unless the operator has this signature, by its schema and by what the dispatcher knows of
// its kernels.
template <typename Signature>
std::unique_ptr<const TypedCall> typed_if(const c10::OperatorHandle& op) {
  const auto schema = c10::inferFunctionSchemaFlattenedReturns<Signature>().cloneWithRealTypes();
  if (c10::findSchemaDifferences(schema, op.schema().cloneWithRealTypes())) {
    return nullptr;
  }
  try {
    return std::make_unique<const TypedCallOf<Signature>>(op);
  } catch (const c10::Error&) {
    return nullptr;
  }
}

template <typename... Signatures>
std::unique_ptr<const TypedCall> first_of(const c10::OperatorHandle& op) {
  std::unique_ptr<const TypedCall> found;
  ((found = typed_if<Signatures>(op)) || ...);
  return found;
}

}  // namespace

std::unique_ptr<const TypedCall> TypedCall::of(const c10::OperatorHandle& op) {
  using T = at::Tensor;
  using Optional = std::optional<at::Tensor>;
  using at::Scalar;
  return first_of<T(const T&),                                           // silu, t, detach
                  T(const T&, const T&),                                 // mul, matmul
                  T(const T&, const Scalar&),                            // mul.Scalar
                  T(const T&, const T&, const Scalar&),                  // add, sub
                  T(const T&, const Scalar&, const Scalar&),             // add.Scalar
                  T(const T&, const T&, const Optional&),                // linear
                  T(const T&, c10::IntArrayRef),                         // permute
                  T(const T&, c10::SymIntArrayRef),                      // reshape, view
                  T(const T&, int64_t),                                  // unsqueeze
                  T(const T&, int64_t, int64_t),                         // transpose
                  T(const T&, int64_t, c10::SymInt),                     // select
                  T(const T&, int64_t, c10::SymInt, c10::SymInt),        // narrow
                  T(const T&, int64_t, std::optional<c10::ScalarType>),  // softmax
                  T(const T&, c10::SymIntArrayRef, bool),                // expand
                  T&(T&, const T&),                                      // mul_
                  T&(T&, const Scalar&),                                 // mul_.Scalar
                  T&(T&, const T&, const Scalar&)>(op);                  // add_
}

}  // namespace darkroom
