// Operator call: arguments and results.
#include "values.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

namespace darkroom {
namespace {

// ---- Arguments ---------------------------------------------------------------------------------

const char* name_of(int32_t tag) {
  switch (tag) {
    case DR_NONE: return "none";
    case DR_TENSOR: return "a tensor";
    case DR_INT: return "an int";
    case DR_DOUBLE: return "a double";
    case DR_BOOL: return "a bool";
    case DR_STRING: return "a string";
    case DR_DEVICE: return "a device";
    case DR_GENERATOR: return "a generator";
    case DR_INT_LIST: return "a list of ints";
    case DR_DOUBLE_LIST: return "a list of doubles";
    case DR_BOOL_LIST: return "a list of bools";
    case DR_TENSOR_LIST: return "a list of tensors";
    case DR_OPTIONAL_TENSOR_LIST: return "a list of optional tensors";
    case DR_SCALAR_LIST: return "a list of scalars";
    default: return "a value of an unknown tag";
  }
}

[[noreturn]] void wrong_type(const dr_op& op, size_t index, const dr_value& value) {
  wrong_argument(op, index, c10::str("not ", name_of(value.tag)));
}

template <typename To, typename From>
c10::IValue list_of(const From* values, int32_t size) {
  c10::List<To> list;
  list.reserve(static_cast<size_t>(size));
  for (int32_t i = 0; i < size; ++i) {
    list.push_back(static_cast<To>(values[i]));
  }
  return list;
}

template <typename Scalar>
c10::IValue scalars(const dr_op& op, size_t index, const dr_value& value) {
  if (value.tag == DR_SCALAR_LIST || value.tag == DR_DOUBLE_LIST) {
    return list_of<Scalar>(value.as.reals, value.size);
  }
  if (value.tag != DR_INT_LIST) wrong_type(op, index, value);
  return list_of<Scalar>(value.as.integers, value.size);
}

void require_range(const dr_op& op, size_t index, int64_t value) {
  if (value < op.parameters[index].least || value > op.parameters[index].most) {
    wrong_argument(op, index, c10::str("not the number ", value));
  }
}

c10::IValue enumerated(const dr_op& op, size_t index, int64_t value, int64_t end) {
  if (value < 0 || value >= end) {
    wrong_argument(op, index, c10::str("and there is no number ", value, " of it"));
  }
  return value;
}

// ---- Results -----------------------------------------------------------------------------------

template <typename T>
using Array = std::unique_ptr<T[], decltype(&std::free)>;

template <typename T>
Array<T> array_of(size_t size) {
  Array<T> array(static_cast<T*>(std::malloc(std::max<size_t>(size, 1) * sizeof(T))), &std::free);
  if (array == nullptr) throw std::bad_alloc();
  return array;
}

template <typename T, typename List>
T* copy_list(const List& list) {
  auto array = array_of<T>(list.size());
  for (size_t i = 0; i < list.size(); ++i) {
    array[i] = static_cast<T>(list[i]);
  }
  return array.release();
}

dr_value from_tensor(at::Tensor&& tensor) {
  dr_value value{DR_NONE, 0, {0}};
  if (tensor.defined()) {
    value.tag = DR_TENSOR;
    value.as.tensor = release(std::move(tensor));
  }
  return value;
}

dr_value from_tensors(const std::vector<at::Tensor>& tensors) {
  dr_value value{DR_TENSOR_LIST, static_cast<int32_t>(tensors.size()), {0}};
  auto array = array_of<dr_tensor*>(tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    array[i] = release(at::Tensor(tensors[i]));
    if (array[i] == nullptr) value.tag = DR_OPTIONAL_TENSOR_LIST;
  }
  value.as.tensors = array.release();
  return value;
}

void free_array(dr_value& value) {
  if (value.tag == DR_STRING || (value.tag >= DR_INT_LIST && value.tag <= DR_SCALAR_LIST)) {
    std::free(const_cast<char*>(value.as.chars));
  }
  value = {DR_NONE, 0, {0}};
}

}  // namespace

c10::IValue convert(const dr_op& op, size_t index, const dr_value& value) {
  const Parameter& parameter = op.parameters[index];
  if (value.tag == DR_NONE && parameter.optional) {
    return {};
  }
  const bool sized =
      value.tag == DR_STRING || (value.tag >= DR_INT_LIST && value.tag <= DR_SCALAR_LIST);
  if (sized && (value.size < 0 || (value.size > 0 && value.as.chars == nullptr))) {
    wrong_argument(op, index, c10::str("and is NULL or has the size ", value.size));
  }
  switch (parameter.kind) {
    case Kind::TENSOR:
      if (value.tag != DR_TENSOR) break;
      if (value.as.tensor == nullptr) wrong_argument(op, index, "and is NULL");
      return borrow(value.as.tensor);
    case Kind::SCALAR:
      if (value.tag == DR_BOOL) return value.as.integer != 0;
      [[fallthrough]];
    case Kind::DOUBLE:
      if (value.tag == DR_DOUBLE) return value.as.real;
      if (value.tag != DR_INT) break;
      if (parameter.kind == Kind::SCALAR) return value.as.integer;
      return static_cast<double>(value.as.integer);
    case Kind::INT:
      if (value.tag != DR_INT) break;
      require_range(op, index, value.as.integer);
      return value.as.integer;
    case Kind::DTYPE:
      if (value.tag != DR_INT) break;
      return enumerated(op, index, value.as.integer,
                        static_cast<int64_t>(c10::ScalarType::Undefined));
    case Kind::LAYOUT:
      if (value.tag != DR_INT) break;
      return enumerated(op, index, value.as.integer, static_cast<int64_t>(c10::Layout::NumOptions));
    case Kind::MEMORY_FORMAT:
      if (value.tag != DR_INT) break;
      return enumerated(op, index, value.as.integer,
                        static_cast<int64_t>(c10::MemoryFormat::NumOptions));
    case Kind::BOOL:
      if (value.tag != DR_BOOL) break;
      return value.as.integer != 0;
    case Kind::STRING:
      if (value.tag != DR_STRING) break;
      return std::string(value.size == 0 ? "" : value.as.chars, static_cast<size_t>(value.size));
    case Kind::DEVICE:
      if (value.tag != DR_DEVICE) break;
      return decode_device(value.as.integer);
    case Kind::GENERATOR:
      if (value.tag != DR_GENERATOR) break;
      if (value.as.generator == nullptr) wrong_argument(op, index, "and is NULL");
      return borrow(value.as.generator);
    case Kind::INT_LIST:
      if (value.tag != DR_INT_LIST) break;
      std::for_each_n(value.as.integers, value.size,
                      [&](int64_t element) { require_range(op, index, element); });
      return list_of<int64_t>(value.as.integers, value.size);
    case Kind::DOUBLE_LIST:
      if (value.tag == DR_DOUBLE_LIST) return list_of<double>(value.as.reals, value.size);
      if (value.tag == DR_INT_LIST) return list_of<double>(value.as.integers, value.size);
      break;
    case Kind::BOOL_LIST:
      if (value.tag != DR_BOOL_LIST) break;
      return list_of<bool>(value.as.bools, value.size);
    case Kind::SCALAR_LIST: return scalars<at::Scalar>(op, index, value);
    case Kind::OPTIONAL_SCALAR_LIST: return scalars<std::optional<at::Scalar>>(op, index, value);
    case Kind::TENSOR_LIST: {
      if (value.tag != DR_TENSOR_LIST) break;
      c10::List<at::Tensor> list;
      list.reserve(static_cast<size_t>(value.size));
      for (int32_t i = 0; i < value.size; ++i) {
        if (value.as.tensors[i] == nullptr) {
          wrong_argument(op, index, c10::str("and its number ", i, " is NULL"));
        }
        list.push_back(borrow(value.as.tensors[i]));
      }
      return list;
    }
    case Kind::OPTIONAL_TENSOR_LIST: {
      if (value.tag != DR_TENSOR_LIST && value.tag != DR_OPTIONAL_TENSOR_LIST) break;
      c10::List<std::optional<at::Tensor>> list;
      list.reserve(static_cast<size_t>(value.size));
      for (int32_t i = 0; i < value.size; ++i) {
        const dr_tensor* tensor = value.as.tensors[i];
        list.push_back(tensor == nullptr ? std::nullopt : std::optional(borrow(tensor)));
      }
      return list;
    }
    case Kind::OTHER: break;
  }
  wrong_type(op, index, value);
}

dr_value from_ivalue(const dr_op& op, c10::IValue&& result) {
  dr_value value{DR_NONE, 0, {0}};
  if (result.isTensor()) {
    return from_tensor(std::move(result).toTensor());
  } else if (result.isNone()) {
    return value;
  } else if (result.isInt()) {
    value.tag = DR_INT;
    value.as.integer = result.toInt();
  } else if (result.isDouble()) {
    value.tag = DR_DOUBLE;
    value.as.real = result.toDouble();
  } else if (result.isBool()) {
    value.tag = DR_BOOL;
    value.as.integer = result.toBool() ? 1 : 0;
  } else if (result.isString()) {
    const std::string_view text = result.toStringView();
    auto chars = array_of<char>(text.size());
    std::copy(text.begin(), text.end(), chars.get());
    value.tag = DR_STRING;
    value.size = static_cast<int32_t>(text.size());
    value.as.chars = chars.release();
  } else if (result.isDevice()) {
    value.tag = DR_DEVICE;
    value.as.integer = encode(result.toDevice());
  } else if (result.isTensorList()) {
    return from_tensors(result.toTensorVector());
  } else if (result.isIntList()) {
    const auto list = result.toIntVector();
    value = {DR_INT_LIST, static_cast<int32_t>(list.size()), {0}};
    value.as.integers = copy_list<int64_t>(list);
  } else if (result.isDoubleList()) {
    const auto list = result.toDoubleVector();
    value = {DR_DOUBLE_LIST, static_cast<int32_t>(list.size()), {0}};
    value.as.reals = copy_list<double>(list);
  } else if (result.isBoolList()) {
    const auto list = result.toBoolList();
    value = {DR_BOOL_LIST, static_cast<int32_t>(list.size()), {0}};
    value.as.bools = copy_list<uint8_t>(list.vec());
  } else {
    fail(DR_UNSUPPORTED, op.handle.operator_name(), " returned a ", result.tagKind(),
         ", which can't be passed on.");
  }
  return value;
}

void free_result(dr_value& value) {
  if (value.tag == DR_TENSOR) {
    dr_tensor_free(value.as.tensor);
  } else if (value.tag == DR_TENSOR_LIST || value.tag == DR_OPTIONAL_TENSOR_LIST) {
    for (int32_t i = 0; i < value.size; ++i) dr_tensor_free(value.as.tensors[i]);
  }
  free_array(value);
}

}  // namespace darkroom

void dr_results_free(dr_value* results, int32_t count) {
  for (int32_t i = 0; results != nullptr && i < count; ++i) {
    darkroom::free_array(results[i]);
  }
}
