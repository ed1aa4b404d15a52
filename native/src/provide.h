// Operators of the shim's own, beside libtorch's.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>

#include <string>
#include <utility>

namespace darkroom {

// Registers the operator darkroom::NAME, unless another copy of the shim in the process has.
inline bool provide(const std::string& name, const std::string& signature, torch::CppFunction&& function) {
  if (c10::Dispatcher::singleton().findSchema({"darkroom::" + name, ""})) return false;
  static torch::Library library(torch::Library::FRAGMENT, "darkroom", std::nullopt, __FILE__, __LINE__);
  library.def((name + signature).c_str());
  library.impl(name.c_str(), std::move(function));
  return true;
}

}  // namespace darkroom
