// Autograd.
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/variable.h>

#include <array>
#include <mutex>

#include "internal.h"

using namespace darkroom;

namespace {

torch::autograd::variable_list borrow_all(const char* what, dr_tensor* const* tensors,
                                          int32_t count) {
  require(count >= 1 && tensors != nullptr, "No ", what, " are given.");
  torch::autograd::variable_list list;
  list.reserve(static_cast<size_t>(count));
  for (int32_t i = 0; i < count; ++i) {
    require(tensors[i] != nullptr, "Number ", i, " of the ", what, " is NULL.");
    list.push_back(borrow(tensors[i]));
  }
  return list;
}

// Incoming gradients; undefined where the caller leaves them to be 1.
torch::autograd::variable_list incoming(dr_tensor* const* gradients, int32_t count) {
  torch::autograd::variable_list list;
  if (gradients != nullptr) {
    for (int32_t i = 0; i < count; ++i) {
      list.push_back(borrow_or_undefined(gradients[i]));
    }
  }
  return list;
}

// The lock under which a backward pass adds to a leaf's gradient.
struct Accumulator : torch::autograd::Node {
  static std::mutex& mutex(Node& node) { return node.*(&Accumulator::mutex_); }
};

// Runs the body while no other thread reads, replaces or adds to the gradient of the tensor. What the
// body leaves in its argument is dropped after that.
template <typename Body>
void with_gradient(const at::Tensor& tensor, Body&& body) {
  static auto& mutexes = *new std::array<std::mutex, 64>;
  const auto address = reinterpret_cast<uintptr_t>(tensor.unsafeGetTensorImpl());
  at::Tensor dropped;
  const std::lock_guard<std::mutex> lock(mutexes[(address >> 6) % mutexes.size()]);
  // Where no pass has reached the leaf yet, one that begins now finds this node.
  const auto accumulator =
      tensor.is_leaf() && tensor.requires_grad()
          ? torch::autograd::impl::grad_accumulator(tensor)
          : torch::autograd::impl::try_get_grad_accumulator(tensor);
  std::unique_lock<std::mutex> accumulating;
  if (accumulator) {
    accumulating = std::unique_lock<std::mutex>(Accumulator::mutex(*accumulator));
  }
  body(dropped);
}

}  // namespace

int32_t dr_tensor_set_requires_grad(dr_tensor* tensor, int32_t requires_grad, dr_error* error) {
  return guarded(error, [&] {
    require(tensor != nullptr, "dr_tensor_set_requires_grad: the tensor is NULL.");
    const at::Tensor t = borrow(tensor);
    const bool wanted = requires_grad != 0;
    with_gradient(t, [&](at::Tensor&) {
      require(t.is_leaf() || wanted == t.requires_grad(),
              "Only a leaf's requires_grad can be changed; detach the tensor first.");
      t.set_requires_grad(wanted);
    });
  });
}

int32_t dr_tensor_grad(const dr_tensor* tensor, dr_tensor** grad, dr_error* error) {
  return guarded(error, [&] {
    require(tensor != nullptr && grad != nullptr,
            "dr_tensor_grad: the tensor or the result pointer is NULL.");
    const at::Tensor t = borrow(tensor);
    with_gradient(t, [&](at::Tensor&) { *grad = release(at::Tensor(t.grad())); });
  });
}

int32_t dr_tensor_set_grad(dr_tensor* tensor, const dr_tensor* grad, dr_error* error) {
  return guarded(error, [&] {
    require(tensor != nullptr, "dr_tensor_set_grad: the tensor is NULL.");
    const at::Tensor t = borrow(tensor);
    if (grad != nullptr) {
      const at::Tensor g = borrow(grad);
      require(!g.is_same(t), "A tensor can't be its own gradient.");
      require(
          g.sizes() == t.sizes() && g.scalar_type() == t.scalar_type() && g.device() == t.device(),
          "A gradient has the size, dtype and device of its tensor, ", t.sizes(), " ",
          c10::toString(t.scalar_type()), " on ", t.device(), "; this one is ", g.sizes(), " ",
          c10::toString(g.scalar_type()), " on ", g.device(), ".");
      with_gradient(t, [&](at::Tensor& dropped) {
        dropped = std::move(t.mutable_grad());
        t.mutable_grad() = g;
      });
    } else {
      with_gradient(t, [&](at::Tensor& dropped) { dropped = std::move(t.mutable_grad()); });
    }
  });
}

int32_t dr_backward(dr_tensor* const* outputs, dr_tensor* const* gradients, int32_t count,
                    int32_t retain_graph, int32_t create_graph, const dr_mode* mode,
                    dr_error* error) {
  return guarded(error, [&] {
    const Mode guard(mode);
    torch::autograd::backward(borrow_all("outputs", outputs, count), incoming(gradients, count),
                              retain_graph != 0, create_graph != 0);
  });
}

int32_t dr_grad(dr_tensor* const* outputs, dr_tensor* const* gradients, int32_t count,
                dr_tensor* const* inputs, int32_t ninputs, int32_t retain_graph,
                int32_t create_graph, int32_t allow_unused, const dr_mode* mode,
                dr_tensor** results, dr_error* error) {
  return guarded(error, [&] {
    require(results != nullptr, "dr_grad: the result pointer is NULL.");
    const Mode guard(mode);
    auto grads = torch::autograd::grad(
        borrow_all("outputs", outputs, count), borrow_all("inputs", inputs, ninputs),
        incoming(gradients, count), retain_graph != 0, create_graph != 0, allow_unused != 0);
    for (size_t i = 0; i < grads.size(); ++i) {
      results[i] = release(std::move(grads[i]));
    }
  });
}
