// Loops on libtorch's threads.
#pragma once

#include <c10/util/FunctionRef.h>

#include <cstdint>

namespace darkroom {

// Runs body(begin, end) for parts of 0 … count on libtorch's threads. at::parallel_for would need an OpenMP
// of the shim's own; this loop runs in libtorch.
void in_parallel(int64_t count, c10::function_ref<void(int64_t, int64_t)> body);

}  // namespace darkroom
