// What the shim costs over typed C++: nanoseconds per call, the result released each time. The same
// calls are measured from Java and Python; see tests' benchmarks.
#include <ATen/Functions.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "darkroom.h"

namespace {

template <typename Call>
double nanoseconds(int64_t calls, Call&& call) {
  const auto start = std::chrono::steady_clock::now();
  for (int64_t i = 0; i < calls; ++i) call();
  const std::chrono::duration<double, std::nano> taken = std::chrono::steady_clock::now() - start;
  return taken.count() / static_cast<double>(calls);
}

double median(std::vector<double> times) {
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  return *middle;
}

// Times both in turns, so that whatever else the machine does meets both.
template <typename Typed, typename Generic>
void row(const char* what, int64_t calls, Typed&& typed, Generic&& generic) {
  std::vector<double> t;
  std::vector<double> g;
  for (int round = 0; round < 41; ++round) {
    t.push_back(nanoseconds(calls, typed));
    g.push_back(nanoseconds(calls, generic));
  }
  std::printf("%-22s %10.0f %10.0f %8.2f\n", what, median(t), median(g), median(g) / median(t));
}

const dr_op* op(const char* name, const char* overload) {
  static dr_error error;
  const dr_op* found = nullptr;
  if (dr_op_find(name, overload, &found, &error) != DR_OK) {
    std::fprintf(stderr, "%s\n", error.message);
    std::exit(1);
  }
  return found;
}

dr_value value(const at::Tensor& tensor) {
  dr_value v{DR_TENSOR, 0, {0}};
  v.as.tensor = reinterpret_cast<dr_tensor*>(tensor.unsafeGetTensorImpl());
  return v;
}

void call(const dr_op* op, const dr_value* args, int32_t nargs) {
  static dr_error error;
  dr_value result;
  int32_t count = 0;
  if (dr_call(op, nullptr, args, nargs, &result, 1, &count, &error) != DR_OK) {
    std::fprintf(stderr, "%s\n", error.message);
    std::exit(1);
  }
  dr_tensor_free(result.as.tensor);
}

}  // namespace

int main() {
  const c10::AutoGradMode no_grad(false);
  dr_set_num_threads(1, nullptr);
  std::printf("%-22s %10s %10s %8s\n", "ns per call, 1 thread", "typed C++", "dr_call", "ratio");

  const auto a = at::rand({16, 16});
  const auto b = at::rand({16, 16});
  const auto* add = op("aten::add", "Tensor");
  const dr_value add_args[] = {value(a), value(b)};
  row("add 16x16", 50000, [&] { at::add(a, b); }, [&] { call(add, add_args, 2); });

  const auto x = at::rand({64, 256});
  const auto w = at::rand({256, 256});
  const auto bias = at::rand({256});
  const auto* linear = op("aten::linear", "");
  const dr_value linear_args[] = {value(x), value(w), value(bias)};
  row(
      "linear 64x256x256", 500, [&] { at::linear(x, w, bias); },
      [&] { call(linear, linear_args, 3); });

  const auto* reshape = op("aten::reshape", "");
  const int64_t shape[] = {4, 64};
  dr_value reshape_args[] = {value(a), {DR_INT_LIST, 2, {0}}};
  reshape_args[1].as.integers = shape;
  row("reshape", 50000, [&] { at::reshape(a, {4, 64}); }, [&] { call(reshape, reshape_args, 2); });
}
