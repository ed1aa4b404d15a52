// Fails the n-th call of the shim: every function that can report an error, before it does anything.
// To be loaded in place of the shim, with -Ddarkroom.shim, by FailingCallsTest; what is not here is
// found in the shim, which this library depends on.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "darkroom.h"

static atomic_llong calls;
static atomic_llong failing;
static atomic_int failure;

// Counts calls from 1 again, and lets the n-th of them fail with `code`; 0 for none.
DR_API void dr_fail_call(int64_t n, int32_t code) {
  atomic_store(&failing, 0);
  atomic_store(&failure, code);
  atomic_store(&calls, 0);
  atomic_store(&failing, n);
}

// How many calls there were since dr_fail_call.
DR_API int64_t dr_calls(void) { return atomic_load(&calls); }

static int32_t fails(dr_error *error, const char *name) {
  if (atomic_fetch_add(&calls, 1) + 1 != atomic_load(&failing)) {
    return DR_OK;
  }
  error->code = atomic_load(&failure);
  strcpy(error->message, "Failed for a test: ");
  strcat(error->message, name);
  error->length = (int32_t)strlen(error->message);
  return error->code;
}

#define FAILING(name, parameters, arguments)                             \
  int32_t name parameters {                                              \
    int32_t(*next) parameters = (int32_t(*) parameters)dlsym(RTLD_NEXT, #name); \
    const int32_t status = fails(error, #name);                          \
    return status != DR_OK ? status : next arguments;                    \
  }

FAILING(dr_op_find, (const char *name, const char *overload, const dr_op **op, dr_error *error),
        (name, overload, op, error))
FAILING(dr_call,
        (const dr_op *op, const dr_mode *mode, const dr_value *args, int32_t nargs, dr_value *results,
         int32_t capacity, int32_t *count, dr_error *error),
        (op, mode, args, nargs, results, capacity, count, error))
FAILING(dr_call_keeping,
        (const dr_op *op, const dr_mode *mode, const dr_value *args, int32_t nargs, dr_value *results,
         int32_t capacity, int32_t *count, const void *memory0, const void *memory1,
         const void *memory2, const void *memory3, dr_error *error),
        (op, mode, args, nargs, results, capacity, count, memory0, memory1, memory2, memory3, error))
FAILING(dr_tensor_from_memory,
        (void *data, const int64_t *sizes, const int64_t *strides, int32_t dim, int32_t dtype,
         int32_t device, dr_tensor **tensor, dr_error *error),
        (data, sizes, strides, dim, dtype, device, tensor, error))
FAILING(dr_tensor_to_dlpack,
        (const dr_tensor *tensor, struct DLManagedTensor **managed, dr_error *error),
        (tensor, managed, error))
FAILING(dr_tensor_from_dlpack,
        (struct DLManagedTensor *managed, dr_tensor **tensor, dr_error *error),
        (managed, tensor, error))
FAILING(dr_tensor_inspect, (const dr_tensor *tensor, dr_tensor_info *info, dr_error *error),
        (tensor, info, error))
FAILING(dr_tensor_set_requires_grad, (dr_tensor *tensor, int32_t requires_grad, dr_error *error),
        (tensor, requires_grad, error))
FAILING(dr_tensor_grad, (const dr_tensor *tensor, dr_tensor **grad, dr_error *error),
        (tensor, grad, error))
FAILING(dr_tensor_set_grad, (dr_tensor *tensor, const dr_tensor *grad, dr_error *error),
        (tensor, grad, error))
FAILING(dr_backward,
        (dr_tensor *const *outputs, dr_tensor *const *gradients, int32_t count, int32_t retain_graph,
         int32_t create_graph, const dr_mode *mode, dr_error *error),
        (outputs, gradients, count, retain_graph, create_graph, mode, error))
FAILING(dr_grad,
        (dr_tensor *const *outputs, dr_tensor *const *gradients, int32_t count,
         dr_tensor *const *inputs, int32_t ninputs, int32_t retain_graph, int32_t create_graph,
         int32_t allow_unused, const dr_mode *mode, dr_tensor **results, dr_error *error),
        (outputs, gradients, count, inputs, ninputs, retain_graph, create_graph, allow_unused, mode,
         results, error))
FAILING(dr_generator_new,
        (int32_t device, int64_t seed, dr_generator **generator, dr_error *error),
        (device, seed, generator, error))
FAILING(dr_generator_seed, (dr_generator *generator, int64_t seed, dr_error *error),
        (generator, seed, error))
FAILING(dr_generator_get_state,
        (const dr_generator *generator, dr_tensor **state, dr_error *error),
        (generator, state, error))
FAILING(dr_generator_set_state,
        (dr_generator *generator, const dr_tensor *state, dr_error *error),
        (generator, state, error))
FAILING(dr_device_synchronize, (int32_t device, dr_error *error), (device, error))
FAILING(dr_stream_new, (int32_t device, dr_stream **stream, dr_error *error),
        (device, stream, error))
FAILING(dr_stream_synchronize, (const dr_stream *stream, dr_error *error), (stream, error))
FAILING(dr_event_new, (int32_t device, int32_t timed, dr_event **event, dr_error *error),
        (device, timed, event, error))
FAILING(dr_event_record, (dr_event *event, const dr_stream *stream, dr_error *error),
        (event, stream, error))
FAILING(dr_event_block, (dr_event *event, const dr_stream *stream, dr_error *error),
        (event, stream, error))
FAILING(dr_event_synchronize, (dr_event *event, dr_error *error), (event, error))
FAILING(dr_event_elapsed,
        (dr_event *start, dr_event *end, double *milliseconds, dr_error *error),
        (start, end, milliseconds, error))
FAILING(dr_set_num_threads, (int32_t threads, dr_error *error), (threads, error))
FAILING(dr_memory_stats, (int32_t device, dr_memory *memory, dr_error *error),
        (device, memory, error))
FAILING(dr_memory_reset_peak, (int32_t device, dr_error *error), (device, error))
FAILING(dr_memory_empty_cache, (int32_t device, dr_error *error), (device, error))
