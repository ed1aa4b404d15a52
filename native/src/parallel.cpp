#include "parallel.h"

#include <ATen/TensorIterator.h>
#include <ATen/ops/arange.h>

namespace darkroom {

void in_parallel(int64_t count, c10::function_ref<void(int64_t, int64_t)> body) {
  const at::Tensor indices = at::arange(count, at::kLong);
  auto loop = at::TensorIteratorConfig()
                  .check_all_same_dtype(false)
                  .resize_outputs(false)
                  .add_output(indices)
                  .build();
  loop.for_each(
      [&](char** data, const int64_t*, int64_t n) {
        const int64_t begin = *reinterpret_cast<const int64_t*>(data[0]);
        body(begin, begin + n);
      },
      1);
}

}  // namespace darkroom
