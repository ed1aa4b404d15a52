// Values between the header and the boxed calling convention.
#pragma once

#include "operator.h"

namespace darkroom {

// One argument as the boxed convention wants it. Everything is checked here: a wrong IValue would
// end in an assertion far from its cause.
c10::IValue convert(const dr_op& op, size_t index, const dr_value& value);

// A result, whose tensors are new references.
dr_value from_ivalue(const dr_op& op, c10::IValue&& result);

// Frees a result with the tensors in it.
void free_result(dr_value& value);

}  // namespace darkroom
