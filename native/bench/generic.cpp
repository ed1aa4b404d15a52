// What the shim alone takes: the calls that Java makes, made from C++.
#include <ATen/Functions.h>

#include <cstdlib>
#include <vector>

#include "darkroom.h"
#include "serve.h"

namespace {

const dr_op* op(const char* name, const char* overload) {
  dr_error error;
  const dr_op* found = nullptr;
  if (dr_op_find(name, overload, &found, &error) != DR_OK) {
    std::cerr << error.message << '\n';
    std::exit(1);
  }
  return found;
}

dr_value value(const at::Tensor& tensor) {
  dr_value v{DR_TENSOR, 0, {0}};
  v.as.tensor = reinterpret_cast<dr_tensor*>(tensor.unsafeGetTensorImpl());
  return v;
}

std::function<void(int64_t)> calls(const dr_op* op, std::vector<dr_value> args) {
  return repeated([op, args] {
    dr_error error;
    dr_value result;
    int32_t count = 0;
    if (dr_call(op, nullptr, args.data(), static_cast<int32_t>(args.size()), &result, 1, &count,
                &error) != DR_OK) {
      std::cerr << error.message << '\n';
      std::exit(1);
    }
    dr_tensor_free(result.as.tensor);
  });
}

}  // namespace

int main() {
  dr_set_num_threads(1, nullptr);
  const auto a = at::rand({16, 16});
  const auto b = at::rand({16, 16});
  const auto x = at::rand({64, 256});
  const auto weight = at::rand({256, 256});
  const auto bias = at::rand({256});
  const int64_t sizes[] = {4, 64};
  dr_value shape{DR_INT_LIST, 2, {0}};
  shape.as.integers = sizes;
  return serve(std::string("dr_call, libtorch ") + dr_built_for(),
               {{"add", calls(op("add", "Tensor"), {value(a), value(b)})},
                {"linear", calls(op("linear", ""), {value(x), value(weight), value(bias)})},
                {"reshape", calls(op("reshape", ""), {value(a), shape})}});
}
