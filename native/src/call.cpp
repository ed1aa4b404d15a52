// Operator call.
#include <ATen/core/enum_tag.h>
#include <c10/util/DimVector.h>
#include <torch/version.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <vector>

#include "internal.h"
#include "typed.h"

namespace darkroom {
namespace {

// The types of arguments as the boxed calling convention holds them.
enum class Kind : uint8_t {
  TENSOR,
  SCALAR,
  INT,
  DTYPE,
  LAYOUT,
  MEMORY_FORMAT,
  DOUBLE,
  BOOL,
  STRING,
  DEVICE,
  GENERATOR,
  INT_LIST,
  DOUBLE_LIST,
  BOOL_LIST,
  TENSOR_LIST,
  OPTIONAL_TENSOR_LIST,
  SCALAR_LIST,
  OPTIONAL_SCALAR_LIST,
  OTHER  // a stream, a storage, …: only none can be passed
};

Kind kind_of(const c10::Argument& argument);

// Whether a parameter says how a convolution, a pooling or an unfolding goes over its input.
bool is_of_a_window(const c10::FunctionSchema& schema, std::string_view name) {
  constexpr std::string_view own[] = {"kernel_size", "padding", "dilation", "output_size", "pad"};
  constexpr std::string_view shared[] = {"stride", "output_padding", "groups"};
  const auto is_own = [&](std::string_view one) {
    return std::find(std::begin(own), std::end(own), one) != std::end(own);
  };
  return is_own(name) ||
         (std::find(std::begin(shared), std::end(shared), name) != std::end(shared) &&
          std::any_of(schema.arguments().begin(), schema.arguments().end(),
                      [&](const c10::Argument& a) { return is_own(a.name()); }));
}

struct Parameter {
  Kind kind;
  bool optional;
  int64_t least;  // of an integer
  int64_t most;
  const c10::Argument* argument;

  Parameter(const c10::FunctionSchema& schema, const c10::Argument& a)
      : kind(kind_of(a)),
        optional(a.type()->kind() == c10::TypeKind::OptionalType),
        least(std::numeric_limits<int64_t>::min()),
        most(std::numeric_limits<int64_t>::max()),
        argument(&a) {
    if (is_of_a_window(schema, a.name())) {
      // Kernels multiply these, and loop over them.
      most = std::numeric_limits<int32_t>::max();
      least = -most;
    } else if (a.real_type()->str().find("SymInt") != std::string::npos) {
      // libtorch takes what is below for a pointer.
      least = c10::SymInt::min_representable_int();
    }
  }
};

c10::TypePtr strip_optional(const c10::TypePtr& type) {
  const auto optional = type->cast<c10::OptionalType>();
  return optional ? optional->getElementType() : type;
}

Kind list_kind_of(const c10::TypePtr& element) {
  switch (element->kind()) {
    case c10::TypeKind::TensorType: return Kind::TENSOR_LIST;
    case c10::TypeKind::IntType:
    case c10::TypeKind::SymIntType: return Kind::INT_LIST;
    case c10::TypeKind::FloatType: return Kind::DOUBLE_LIST;
    case c10::TypeKind::BoolType: return Kind::BOOL_LIST;
    case c10::TypeKind::NumberType: return Kind::SCALAR_LIST;
    case c10::TypeKind::OptionalType:
      switch (strip_optional(element)->kind()) {
        case c10::TypeKind::TensorType: return Kind::OPTIONAL_TENSOR_LIST;
        case c10::TypeKind::NumberType: return Kind::OPTIONAL_SCALAR_LIST;
        default: return Kind::OTHER;
      }
    default: return Kind::OTHER;
  }
}

Kind kind_of(const c10::Argument& argument) {
  switch (strip_optional(argument.real_type())->kind()) {
    case c10::TypeKind::ScalarTypeType: return Kind::DTYPE;
    case c10::TypeKind::LayoutType: return Kind::LAYOUT;
    case c10::TypeKind::MemoryFormatType: return Kind::MEMORY_FORMAT;
    default: break;
  }
  const auto type = strip_optional(argument.type());
  switch (type->kind()) {
    case c10::TypeKind::TensorType: return Kind::TENSOR;
    case c10::TypeKind::NumberType: return Kind::SCALAR;
    case c10::TypeKind::IntType:
    case c10::TypeKind::SymIntType: return Kind::INT;
    case c10::TypeKind::FloatType: return Kind::DOUBLE;
    case c10::TypeKind::BoolType: return Kind::BOOL;
    case c10::TypeKind::StringType: return Kind::STRING;
    case c10::TypeKind::DeviceObjType: return Kind::DEVICE;
    case c10::TypeKind::GeneratorType: return Kind::GENERATOR;
    case c10::TypeKind::ListType:
      return list_kind_of(type->expectRef<c10::ListType>().getElementType());
    default: return Kind::OTHER;
  }
}

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

// Operators that resize or replace what they are given without saying so by a tag.
bool is_resizing(const c10::OperatorHandle& op) {
  const std::string& name = op.operator_name().name;
  return name.find("resize") != std::string::npos || name.find("set_") != std::string::npos ||
         name.find("sparse") != std::string::npos;
}

}  // namespace
}  // namespace darkroom

struct dr_op {
  c10::OperatorHandle handle;
  std::vector<darkroom::Parameter> parameters;
  size_t nresults;
  std::vector<size_t> written;  // the arguments that the schema writes to
  bool reshapes;                // and may give other sizes, strides or memory
  std::unique_ptr<const darkroom::TypedCall> typed;

  explicit dr_op(const c10::OperatorHandle& found)
      : handle(found),
        nresults(found.schema().returns().size()),
        reshapes(found.hasTag(at::Tag::inplace_view) || darkroom::is_resizing(found)),
        typed(darkroom::TypedCall::of(found)) {
    for (const auto& argument : found.schema().arguments()) {
      const auto* alias = argument.alias_info();
      if (alias != nullptr && alias->isWrite()) {
        written.push_back(parameters.size());
        reshapes |= argument.is_out();
      }
      parameters.emplace_back(found.schema(), argument);
    }
  }
};

namespace darkroom {
namespace {

[[noreturn]] void wrong_argument(const dr_op& op, size_t index, const std::string& what) {
  const auto& argument = *op.parameters[index].argument;
  fail(DR_INVALID_ARGUMENT, op.handle.operator_name(), ": argument ", index + 1, ", \"",
       argument.name(), "\", must be ", argument.real_type()->annotation_str(), ", ", what, ".");
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

// One argument as the boxed convention wants it. Everything is checked here: a wrong IValue would
// end in an assertion far from its cause.
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

// ---- What lies where ---------------------------------------------------------------------------

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

void free_array(dr_value& value) {
  if (value.tag == DR_STRING || (value.tag >= DR_INT_LIST && value.tag <= DR_SCALAR_LIST)) {
    std::free(const_cast<char*>(value.as.chars));
  }
  value = {DR_NONE, 0, {0}};
}

void free_result(dr_value& value) {
  if (value.tag == DR_TENSOR) {
    dr_tensor_free(value.as.tensor);
  } else if (value.tag == DR_TENSOR_LIST || value.tag == DR_OPTIONAL_TENSOR_LIST) {
    for (int32_t i = 0; i < value.size; ++i) dr_tensor_free(value.as.tensors[i]);
  }
  free_array(value);
}

// ---- Lookup ------------------------------------------------------------------------------------

[[noreturn]] void no_such_operator(const c10::OperatorName& wanted) {
  std::vector<std::string> overloads;
  for (const auto& name : c10::Dispatcher::singleton().getAllOpNames()) {
    if (name.name == wanted.name && c10::Dispatcher::singleton().findSchema(name)) {
      overloads.push_back(c10::str('"', name.overload_name, '"'));
    }
  }
  if (overloads.empty()) {
    fail(DR_NO_SUCH_OPERATOR, "libtorch ", TORCH_VERSION, " has no operator ", wanted.name, ".");
  }
  fail(DR_NO_SUCH_OPERATOR, wanted.name, " has no overload \"", wanted.overload_name,
       "\"; it has: ", c10::Join(", ", overloads), ".");
}

// Operators stay for good, so that a dr_op can be kept anywhere.
struct Operators {
  std::mutex mutex;
  std::map<std::pair<std::string, std::string>, std::unique_ptr<const dr_op>> found;
};

const dr_op& find(const std::string& name, const std::string& overload) {
  static auto& operators = *new Operators;
  const std::lock_guard<std::mutex> lock(operators.mutex);
  auto& op = operators.found[{name, overload}];
  if (op == nullptr) {
    const c10::OperatorName wanted(name, overload);
    const auto handle = c10::Dispatcher::singleton().findSchema(wanted);
    if (!handle) no_such_operator(wanted);
    op = std::make_unique<const dr_op>(*handle);
  }
  return *op;
}

}  // namespace
}  // namespace darkroom

using namespace darkroom;

int32_t dr_op_find(const char* name, const char* overload, const dr_op** op, dr_error* error) {
  return guarded(error, [&] {
    require(name != nullptr && overload != nullptr && op != nullptr,
            "dr_op_find: the name, the overload or the result pointer is NULL.");
    const std::string full = std::string_view(name).find("::") == std::string_view::npos
                                 ? c10::str("aten::", name)
                                 : std::string(name);
    *op = &find(full, overload);
  });
}

int64_t dr_op_names(char* text, int64_t capacity) {
  int64_t length = copy_text("", text, capacity);
  guarded(nullptr, [&] {
    std::vector<std::string> names;
    for (const auto& name : c10::Dispatcher::singleton().getAllOpNames()) {
      if (c10::Dispatcher::singleton().findSchema(name)) names.push_back(c10::toString(name));
    }
    std::sort(names.begin(), names.end());
    length = copy_text(c10::Join("\n", names), text, capacity);
  });
  return length;
}

int64_t dr_op_schema(const dr_op* op, char* text, int64_t capacity) {
  int64_t length = copy_text("", text, capacity);
  guarded(nullptr, [&] {
    require(op != nullptr, "dr_op_schema: the operator is NULL.");
    length = copy_text(c10::str(op->handle.schema()), text, capacity);
  });
  return length;
}

int64_t dr_op_mutates(const dr_op* op) {
  uint64_t mask = 0;
  if (op != nullptr) {
    for (const size_t index : op->written) mask |= uint64_t{1} << std::min<size_t>(index, 62);
    if (op->reshapes) mask |= uint64_t{1} << 63;
  }
  return static_cast<int64_t>(mask);
}

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

void dr_results_free(dr_value* results, int32_t count) {
  for (int32_t i = 0; results != nullptr && i < count; ++i) {
    free_array(results[i]);
  }
}
