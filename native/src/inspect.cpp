// Inspection.
#include "internal.h"

using namespace darkroom;

int32_t dr_tensor_inspect(const dr_tensor* tensor, dr_tensor_info* info, dr_error* error) {
  return guarded(error, [&] {
    require(tensor != nullptr && info != nullptr, "dr_tensor_inspect: tensor or info is NULL.");
    const at::Tensor t = borrow(tensor);
    if (t.dim() > DR_MAX_DIM) {
      fail(DR_UNSUPPORTED, "A tensor of ", t.dim(), " dimensions; at most ", DR_MAX_DIM,
           " are supported.");
    }
    const bool strided = t.layout() == c10::kStrided;
    info->dtype = static_cast<int32_t>(t.scalar_type());
    info->device = encode(t.device());
    info->dim = static_cast<int32_t>(t.dim());
    info->flags = (t.requires_grad() ? DR_REQUIRES_GRAD : 0) | (t.is_leaf() ? DR_IS_LEAF : 0) |
                  (strided && t.is_contiguous() ? DR_IS_CONTIGUOUS : 0) |
                  (t.is_inference() ? DR_IS_INFERENCE : 0) | (strided ? DR_IS_STRIDED : 0);
    info->itemsize = static_cast<int64_t>(t.itemsize());
    // Where the bytes are not the values (lazy conjugate or negative) there is nothing to point at.
    const bool plain = strided && t.has_storage() && !t.is_conj() && !t.is_neg();
    info->data = plain ? t.mutable_data_ptr() : nullptr;
    info->storage = plain ? t.storage().mutable_data() : nullptr;
    info->storage_bytes = plain ? static_cast<int64_t>(t.storage().nbytes()) : 0;
    const auto sizes = t.sizes();
    std::copy(sizes.begin(), sizes.end(), info->sizes);
    if (strided) {
      const auto strides = t.strides();
      std::copy(strides.begin(), strides.end(), info->strides);
    } else {
      std::fill_n(info->strides, t.dim(), 0);
    }
  });
}
