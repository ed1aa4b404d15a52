// Operator call: operators by name, and what their schemas say.
#include "operator.h"

#include <ATen/core/enum_tag.h>
#include <torch/version.h>

#include <algorithm>
#include <limits>
#include <map>
#include <mutex>

namespace darkroom {
namespace {

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

// Operators that resize or replace what they are given without saying so by a tag.
bool is_resizing(const c10::OperatorHandle& op) {
  const std::string& name = op.operator_name().name;
  return name.find("resize") != std::string::npos || name.find("set_") != std::string::npos ||
         name.find("sparse") != std::string::npos;
}

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

Parameter::Parameter(const c10::FunctionSchema& schema, const c10::Argument& a)
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

[[noreturn]] void wrong_argument(const dr_op& op, size_t index, const std::string& what) {
  const auto& argument = *op.parameters[index].argument;
  fail(DR_INVALID_ARGUMENT, op.handle.operator_name(), ": argument ", index + 1, ", \"",
       argument.name(), "\", must be ", argument.real_type()->annotation_str(), ", ", what, ".");
}

}  // namespace darkroom

using namespace darkroom;

dr_op::dr_op(const c10::OperatorHandle& found)
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
