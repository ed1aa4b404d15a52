// What a C++ program pays: libtorch's typed functions, without the shim and its allocator.
#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <torch/version.h>

#include "serve.h"

int main() {
  const c10::AutoGradMode no_grad(false);
  at::set_num_threads(1);
  const auto a = at::rand({16, 16});
  const auto b = at::rand({16, 16});
  const auto x = at::rand({64, 256});
  const auto weight = at::rand({256, 256});
  const auto bias = at::rand({256});
  return serve("libtorch " TORCH_VERSION,
               {{"add", repeated([&] { at::add(a, b); })},
                {"linear", repeated([&] { at::linear(x, weight, bias); })},
                {"reshape", repeated([&] { at::reshape(a, {4, 64}); })}});
}
