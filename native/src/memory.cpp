// Tensors from and to memory.
#include <ATen/DLConvertor.h>
#include <ATen/ops/from_blob.h>

#include <memory>

#include "internal.h"

using namespace darkroom;

namespace {

// Sizes and strides that stay within what can be addressed.
void check_extent(int32_t dim, const int64_t* sizes, const int64_t* strides, int64_t itemsize) {
  require(dim >= 0 && dim <= DR_MAX_DIM, "A tensor of ", dim, " dimensions; 0 to ", DR_MAX_DIM,
          " are supported.");
  require(dim == 0 || sizes != nullptr, "The sizes are NULL.");
  int64_t elements = 1;
  int64_t last = 0;  // the largest offset in elements
  bool overflow = false;
  for (int32_t i = 0; i < dim; ++i) {
    require(sizes[i] >= 0, "Dimension ", i, " has the negative size ", sizes[i], ".");
    overflow |= __builtin_mul_overflow(elements, sizes[i], &elements);
    if (strides != nullptr) {
      require(strides[i] >= 0, "Dimension ", i, " has the negative stride ", strides[i], ".");
      int64_t reach = 0;
      overflow |= __builtin_mul_overflow(std::max<int64_t>(sizes[i] - 1, 0), strides[i], &reach);
      overflow |= __builtin_add_overflow(last, reach, &last);
    }
  }
  overflow |= __builtin_mul_overflow(elements, itemsize, &elements);
  overflow |= __builtin_add_overflow(last, int64_t{1}, &last);
  overflow |= __builtin_mul_overflow(last, itemsize, &last);
  require(!overflow, "The sizes or strides are too large to be addressed.");
}

bool is_empty(int32_t dim, const int64_t* sizes) {
  return std::find(sizes, sizes + dim, 0) != sizes + dim;
}

}  // namespace

int32_t dr_tensor_from_memory(void* data, const int64_t* sizes, const int64_t* strides, int32_t dim,
                              int32_t dtype, int32_t device, dr_tensor** tensor, dr_error* error) {
  return guarded(error, [&] {
    require(tensor != nullptr, "dr_tensor_from_memory: the result pointer is NULL.");
    const auto type = decode_dtype(dtype);
    const auto where = decode_device(device);
    require_usable(where);
    check_extent(dim, sizes, strides, static_cast<int64_t>(c10::elementSize(type)));
    const c10::IntArrayRef shape(sizes, static_cast<size_t>(dim));
    require(data != nullptr || is_empty(dim, sizes),
            "The memory of a tensor that is not empty is NULL.");
    auto maker = at::for_blob(data, shape);
    if (strides != nullptr) {
      maker.strides(c10::IntArrayRef(strides, static_cast<size_t>(dim)));
    }
    *tensor = release(
        maker.options(at::TensorOptions(type).device(where)).target_device(where).make_tensor());
  });
}

dr_tensor* dr_tensor_retain(const dr_tensor* tensor) {
  return tensor == nullptr ? nullptr : release(borrow(tensor));
}

void dr_tensor_free(dr_tensor* tensor) {
  if (tensor != nullptr) {
    TensorPtr::reclaim(impl(tensor));
  }
}

int32_t dr_tensor_to_dlpack(const dr_tensor* tensor, DLManagedTensor** managed, dr_error* error) {
  return guarded(error, [&] {
    require(tensor != nullptr && managed != nullptr,
            "dr_tensor_to_dlpack: the tensor or the result pointer is NULL.");
    const at::Tensor t = borrow(tensor);
    if (t.layout() != c10::kStrided || t.is_conj() || t.is_neg()) {
      fail(DR_UNSUPPORTED,
           "DLPack holds strided tensors without a lazy conjugate or negative only.");
    }
    *managed = at::toDLPack(t);
  });
}

int32_t dr_tensor_from_dlpack(DLManagedTensor* managed, dr_tensor** tensor, dr_error* error) {
  return guarded(error, [&] {
    require(managed != nullptr && tensor != nullptr,
            "dr_tensor_from_dlpack: the managed tensor or the result pointer is NULL.");
    DLTensor& dl = managed->dl_tensor;
    check_extent(dl.ndim, dl.shape, dl.strides, (int64_t{dl.dtype.bits} * dl.dtype.lanes + 7) / 8);
    require(dl.data != nullptr || is_empty(dl.ndim, dl.shape),
            "The memory of a DLPack tensor that is not empty is NULL.");
    // libtorch takes no heed of byte_offset, and drops its deleter on failure too, where the caller
    // is to keep `managed`.
    DLManagedTensor moved = *managed;
    moved.dl_tensor.data = static_cast<char*>(dl.data) + dl.byte_offset;
    moved.dl_tensor.byte_offset = 0;
    auto consumed = std::make_shared<bool>(false);
    at::Tensor t = at::fromDLPack(&moved, [managed, consumed](void*) {
      if (*consumed) {
        dr_dlpack_free(managed);
      }
    });
    require_usable(t.device());
    *consumed = true;
    *tensor = release(std::move(t));
  });
}

void dr_dlpack_free(DLManagedTensor* managed) {
  if (managed != nullptr && managed->deleter != nullptr) {
    managed->deleter(managed);
  }
}
