// Typed calls: the commonest signatures without boxing, which costs a small operator 10 to 60 % of
// its time in reference counts, stacks and lists.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>

#include <memory>
#include <vector>

#include "internal.h"

namespace darkroom {

class TypedCall {
 public:
  // The typed call of an operator; null if its signature isn't among the common ones.
  static std::unique_ptr<const TypedCall> of(const c10::OperatorHandle& op);

  virtual ~TypedCall() = default;

  // Calls the operator if the arguments fit as they are. If not, false: boxing knows how to convert
  // them, or what is wrong with them.
  virtual bool call(const dr_value* args, size_t nargs, dr_value& result) const = 0;
};

}  // namespace darkroom
