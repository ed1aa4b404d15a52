// An operator: its schema, read once for all calls.
#pragma once

#include <memory>
#include <vector>

#include "internal.h"
#include "typed.h"

namespace darkroom {

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

struct Parameter {
  Kind kind;
  bool optional;
  int64_t least;  // of an integer
  int64_t most;
  const c10::Argument* argument;

  Parameter(const c10::FunctionSchema& schema, const c10::Argument& a);
};

}  // namespace darkroom

struct dr_op {
  c10::OperatorHandle handle;
  std::vector<darkroom::Parameter> parameters;
  size_t nresults;
  std::vector<size_t> written;  // the arguments that the schema writes to
  bool reshapes;                // and may give other sizes, strides or memory
  std::unique_ptr<const darkroom::TypedCall> typed;

  explicit dr_op(const c10::OperatorHandle& found);
};

namespace darkroom {

// Fails, and says what the schema wants of the argument.
[[noreturn]] void wrong_argument(const dr_op& op, size_t index, const std::string& what);

}  // namespace darkroom
