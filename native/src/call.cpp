// Operator call: the call itself, and what lies where in memory before and after it.
#include <c10/util/DimVector.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "internal.h"
#include "values.h"

namespace darkroom {
namespace {

// Whether the elements lie in the tensor's memory: libtorch doesn't look in every operator that gives
// a tensor other sizes or strides, and computes in 64 bits that overflow.
bool fits(const at::Tensor& t) {
  if (!t.defined() || t.layout() != c10::kStrided || !t.has_storage()) return true;
  const auto sizes = t.sizes();
  const auto strides = t.strides();
  if (std::any_of(sizes.begin(), sizes.end(), [](int64_t size) { return size < 0; })) return false;
  if (std::find(sizes.begin(), sizes.end(), 0) != sizes.end()) return true;
  constexpr __int128 most = std::numeric_limits<int64_t>::max();
  __int128 elements = 1;
  __int128 first = t.storage_offset();
  __int128 last = first;
  for (size_t i = 0; i < sizes.size(); ++i) {
    elements *= sizes[i];
    if (elements > most) return false;
    const __int128 reach = static_cast<__int128>(sizes[i] - 1) * strides[i];
    (reach < 0 ? first : last) += reach;
    if (first < 0 || last > most) return false;
  }
  return first >= 0 && (last + 1) * static_cast<__int128>(t.itemsize()) <=
                           static_cast<__int128>(t.storage().nbytes());
}

template <typename Body>
void each_tensor(const dr_value& value, Body&& body) {
  if (value.tag == DR_TENSOR && value.as.tensor != nullptr) {
    body(value.as.tensor);
  } else if ((value.tag == DR_TENSOR_LIST || value.tag == DR_OPTIONAL_TENSOR_LIST) &&
             value.as.tensors != nullptr) {
    for (int32_t i = 0; i < value.size; ++i) {
      if (value.as.tensors[i] != nullptr) body(value.as.tensors[i]);
    }
  }
}

// Adds the types and shapes of a failed call's tensors to its message.
void describe_tensors(const dr_value* args, int32_t nargs, dr_error& error) noexcept {
  guarded(nullptr, [&] {
    std::string text;
    for (int32_t i = 0; args != nullptr && i < nargs; ++i) {
      each_tensor(args[i], [&](const dr_tensor* tensor) {
        const at::Tensor t = borrow(tensor);
        text += text.empty() ? " (tensors: " : ", ";
        text += c10::str(c10::getDtypeNames(t.scalar_type()).first, t.sizes());
      });
    }
    if (!text.empty()) append(text + ')', error);
  });
}

// The arguments whose sizes, strides or memory a call may change, and what these were.
class Reshaped {
 public:
  Reshaped(const dr_op& op, const dr_value* args, size_t nargs) {
    if (!op.reshapes) return;
    for (const size_t index : op.written) {
      if (index < nargs) {
        each_tensor(args[index], [&](dr_tensor* tensor) { add(op, index, tensor); });
      }
    }
  }

  // Whether they all lie in their memory. Those that don't get back what they had.
  bool restore() noexcept {
    bool all_fit = true;
    for (const Before& before : tensors_) {
      const at::Tensor t = borrow(before.tensor);
      if (fits(t)) continue;
      all_fit = false;
      auto* impl = t.unsafeGetTensorImpl();
      const bool changeable = impl->allow_tensor_metadata_change();
      impl->set_allow_tensor_metadata_change(true);
      impl->set_sizes_and_strides(before.sizes, before.strides, before.offset);
      if (!fits(t)) impl->set_sizes_contiguous({0});
      impl->set_allow_tensor_metadata_change(changeable);
    }
    return all_fit;
  }

 private:
  struct Before {
    dr_tensor* tensor;
    c10::DimVector sizes;
    c10::DimVector strides;
    int64_t offset;
  };

  void add(const dr_op& op, size_t index, dr_tensor* tensor) {
    c10::TensorImpl* impl = darkroom::impl(tensor);
    // No other thread can reach a tensor that only this handle refers to.
    if (c10::raw::intrusive_ptr::use_count(impl) != 1) {
      wrong_argument(op, index,
                     "and for this operator a tensor of its own: another handle, a view or a "
                     "recording refers to it");
    }
    if (impl->layout() != c10::kStrided) return;
    if (impl->has_storage() && impl->unsafe_storage().use_count() > 1) {
      impl->unsafe_storage().unsafeGetStorageImpl()->set_resizable(false);
    }
    tensors_.push_back({tensor, c10::DimVector(impl->sizes()), c10::DimVector(impl->strides()),
                        impl->storage_offset()});
  }

  std::vector<Before> tensors_;
};

}  // namespace
}  // namespace darkroom

using namespace darkroom;

int32_t dr_call(const dr_op* op, const dr_mode* mode, const dr_value* args, int32_t nargs,
                dr_value* results, int32_t capacity, int32_t* count, dr_error* error) {
  const int32_t status = guarded(error, [&] {
    require(op != nullptr && count != nullptr, "dr_call: the operator or the count is NULL.");
    const size_t given = static_cast<size_t>(std::max(nargs, 0));
    const size_t wanted = op->parameters.size();
    const size_t nresults = op->nresults;
    require(given == 0 || args != nullptr, op->handle.operator_name(), ": the arguments are NULL.");
    require(given <= wanted, op->handle.operator_name(), " takes ", wanted, " arguments, not ",
            given, ".");
    require(nresults == 0 || (results != nullptr && static_cast<int64_t>(nresults) <= capacity),
            op->handle.operator_name(), " returns ", nresults, " results; there is room for ",
            capacity, ".");

    Reshaped reshaped(*op, args, given);
    const auto in_mode = [&](auto&& run) {
      try {
        const Mode guard(mode);
        return run();
      } catch (...) {
        reshaped.restore();
        throw;
      }
    };
    const auto check_extents = [&](int32_t done) {
      bool fit = reshaped.restore();
      for (int32_t i = 0; fit && i < done; ++i) {
        each_tensor(results[i], [&](dr_tensor* t) { fit = fit && fits(borrow(t)); });
      }
      if (!fit) {
        while (done > 0) free_result(results[--done]);
        fail(DR_INVALID_ARGUMENT, op->handle.operator_name(),
             ": with these arguments a tensor would reach outside its memory.");
      }
    };
    if (op->typed != nullptr && in_mode([&] { return op->typed->call(args, given, results[0]); })) {
      if (op->reshapes) check_extents(1);
      *count = 1;
      return;
    }

    torch::jit::Stack stack;
    stack.reserve(std::max(wanted, nresults));
    for (size_t i = 0; i < given; ++i) {
      stack.push_back(convert(*op, i, args[i]));
    }
    for (size_t i = given; i < wanted; ++i) {
      const auto& fallback = op->parameters[i].argument->default_value();
      if (!fallback) wrong_argument(*op, i, "and is missing");
      stack.push_back(*fallback);
    }
    in_mode([&] { op->handle.callBoxed(stack); });

    size_t done = 0;
    try {
      for (; done < stack.size(); ++done) {
        results[done] = from_ivalue(*op, std::move(stack[done]));
      }
    } catch (...) {
      while (done > 0) free_result(results[--done]);
      throw;
    }
    check_extents(static_cast<int32_t>(done));
    *count = static_cast<int32_t>(done);
  });
  if (status != DR_OK && error != nullptr) {
    describe_tensors(args, nargs, *error);
  }
  return status;
}

int32_t dr_call_keeping(const dr_op* op, const dr_mode* mode, const dr_value* args, int32_t nargs,
                        dr_value* results, int32_t capacity, int32_t* count, const void*,
                        const void*, const void*, const void*, dr_error* error) {
  return dr_call(op, mode, args, nargs, results, capacity, count, error);
}
