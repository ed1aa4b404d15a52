// Random numbers.
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>

#include <mutex>

#include "internal.h"

using namespace darkroom;

namespace {

at::Generator checked(const char* function, const dr_generator* generator) {
  require(generator != nullptr, function, ": the generator is NULL.");
  return borrow(generator);
}

}  // namespace

int32_t dr_generator_new(int32_t device, int64_t seed, dr_generator** generator, dr_error* error) {
  return guarded(error, [&] {
    require(generator != nullptr, "dr_generator_new: the result pointer is NULL.");
    const auto where = decode_device(device);
    at::Generator g;
    if (where.is_cpu()) {
      g = at::make_generator<at::CPUGeneratorImpl>(static_cast<uint64_t>(seed));
    } else {
      require_usable(where);
      g = at::globalContext()
              .getAcceleratorHooksInterface(where.type())
              .getNewGenerator(where.index());
      g.set_current_seed(static_cast<uint64_t>(seed));
    }
    *generator = reinterpret_cast<dr_generator*>(g.unsafeReleaseGeneratorImpl());
  });
}

void dr_generator_free(dr_generator* generator) {
  if (generator != nullptr) {
    c10::intrusive_ptr<c10::GeneratorImpl>::reclaim(
        reinterpret_cast<c10::GeneratorImpl*>(generator));
  }
}

int32_t dr_generator_seed(dr_generator* generator, int64_t seed, dr_error* error) {
  return guarded(error, [&] {
    at::Generator g = checked("dr_generator_seed", generator);
    const std::lock_guard<std::mutex> lock(g.mutex());
    g.set_current_seed(static_cast<uint64_t>(seed));
  });
}

int32_t dr_generator_get_state(const dr_generator* generator, dr_tensor** state, dr_error* error) {
  return guarded(error, [&] {
    require(state != nullptr, "dr_generator_get_state: the result pointer is NULL.");
    at::Generator g = checked("dr_generator_get_state", generator);
    const std::lock_guard<std::mutex> lock(g.mutex());
    *state = release(g.get_state());
  });
}

int32_t dr_generator_set_state(dr_generator* generator, const dr_tensor* state, dr_error* error) {
  return guarded(error, [&] {
    require(state != nullptr, "dr_generator_set_state: the state is NULL.");
    at::Generator g = checked("dr_generator_set_state", generator);
    const std::lock_guard<std::mutex> lock(g.mutex());
    g.set_state(borrow(state));
  });
}
