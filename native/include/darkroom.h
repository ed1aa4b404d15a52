/*
 * darkroom.h: libtorch as seen by Java.
 *
 * A C header over libtorch's C++ API, made to be called through a foreign function interface.
 * It knows tensors, operators, autograd, random numbers and devices; networks, optimisers and
 * images live above it.
 *
 * Conventions
 *   Errors     A function that can fail returns an int32_t status, DR_OK or another DR_* code, and
 *              takes a dr_error as its last argument. The caller owns the dr_error; it is written
 *              only on failure and may be NULL. No C++ exception leaves this library.
 *   Ownership  "new reference": the caller owns the result and passes it to the matching *_free
 *              once. "borrowed": valid as the comment says, never freed by the caller. Arguments
 *              are borrowed for the time of the call unless the comment says "consumes".
 *   Mode       libtorch keeps grad mode, inference mode, autocast and the current stream in
 *              thread-locals. A caller whose threads come and go can't rely on those, so every call
 *              that computes takes a dr_mode, sets it for the call and restores what was before.
 *              NULL means: gradients off, no autocast, the device's default stream.
 *   Threads    Every function may be called from any thread. A handle must not be freed while
 *              another call uses it.
 *   Enums      dtype, device type, layout and memory format are libtorch's own numbers
 *              (c10::ScalarType, c10::DeviceType, c10::Layout, c10::MemoryFormat).
 *   Strings    UTF-8. Functions that return text write at most `capacity` bytes, the terminating
 *              zero included, and return the length that the whole text has.
 */
#ifndef DARKROOM_H
#define DARKROOM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32)
#define DR_API __declspec(dllexport)
#else
#define DR_API __attribute__((visibility("default")))
#endif

/* ---- Versions ------------------------------------------------------------------------------ */

/* Raised with every change of this header that an older caller would not survive. */
#define DR_ABI_VERSION 2

/* The DR_ABI_VERSION that the library was compiled with. */
DR_API int32_t dr_abi_version(void);

/* The libtorch version of the headers that the library was compiled with, "2.10.0". Borrowed,
   lives as long as the library. */
DR_API const char *dr_built_for(void);

/* The version of the libtorch that is loaded, as it reports itself. */
DR_API int64_t dr_libtorch_version(char *text, int64_t capacity);

/* libtorch's build settings, several lines. */
DR_API int64_t dr_libtorch_config(char *text, int64_t capacity);

/* ---- Errors -------------------------------------------------------------------------------- */

enum {
  DR_OK = 0,
  DR_ERROR = 1,             /* any other failure inside libtorch */
  DR_INVALID_ARGUMENT = 2,  /* the caller passed something that this header forbids */
  DR_OUT_OF_MEMORY = 3,     /* an allocation failed, on the host or on a device */
  DR_NO_SUCH_OPERATOR = 4,  /* the operator or the overload does not exist in this libtorch */
  DR_NOT_IMPLEMENTED = 5,   /* the operator has no kernel for this device or dtype */
  DR_INDEX_ERROR = 6,       /* an index or dimension out of range */
  DR_TYPE_ERROR = 7,        /* dtypes or argument types that do not fit */
  DR_VALUE_ERROR = 8,       /* a value out of its domain */
  DR_LINALG_ERROR = 9,      /* a decomposition did not converge or a matrix was singular */
  DR_UNSUPPORTED = 10,      /* this libtorch or this device lacks the facility */
  DR_STACK_EXHAUSTED = 11   /* the calling thread has too little stack left for libtorch */
};

#define DR_ERROR_CAPACITY 4088

typedef struct dr_error {
  int32_t code;                    /* one of the DR_* codes */
  int32_t length;                  /* bytes of message, the terminating zero not counted */
  char message[DR_ERROR_CAPACITY]; /* zero-terminated, cut to fit */
} dr_error;

#define DR_MAX_WARNINGS 64

/* How many of libtorch's warnings wait to be taken. They are kept until then, DR_MAX_WARNINGS of them
   at most, and further ones are dropped: no call calls back into the caller. Nothing is written to
   stderr. Borrowed, lives as long as the library; to be read at any time, best after each call. */
DR_API const int32_t *dr_warnings_waiting(void);

/* Takes the oldest warning, from whichever thread; returns its length, or -1 if none waits. */
DR_API int64_t dr_take_warning(char *text, int64_t capacity);

/* ---- The end of the process ---------------------------------------------------------------- */

/* Lets exit() wait for the calls that run on other threads, half a minute at most, before libtorch's
   destructors take away what they use. To be called when the process is about to end: of what is
   registered for exit(), the last comes first. */
DR_API void dr_hold_exit(void);

/* ---- Handles and modes --------------------------------------------------------------------- */

typedef struct dr_tensor dr_tensor;       /* one counted reference to a tensor */
typedef struct dr_generator dr_generator; /* one counted reference to a generator */
typedef struct dr_op dr_op;               /* an operator's schema and kernels; never freed */
typedef struct dr_stream dr_stream;       /* a device's queue of work */
typedef struct dr_event dr_event;         /* a mark in a stream */

enum {
  DR_GRAD = 1,      /* record operations for backward */
  DR_INFERENCE = 2, /* inference mode: no version counters, results can't take part in autograd */
  DR_AUTOCAST = 4   /* autocast on autocast_device to autocast_dtype, without its weight cache */
};

typedef struct dr_mode {
  int32_t flags;           /* DR_GRAD | DR_INFERENCE | DR_AUTOCAST */
  int32_t autocast_dtype;  /* with DR_AUTOCAST */
  int32_t autocast_device; /* with DR_AUTOCAST: the device type */
  int32_t reserved;        /* 0 */
  const dr_stream *stream; /* current stream during the call; NULL: the default one */
} dr_mode;

/* ---- Operator call ------------------------------------------------------------------------- */

enum {
  DR_NONE = 0,
  DR_TENSOR = 1,                /* as.tensor */
  DR_INT = 2,                   /* as.integer; also a scalar, dtype, layout or memory format */
  DR_DOUBLE = 3,                /* as.real; also a scalar */
  DR_BOOL = 4,                  /* as.integer, 0 or 1; also a scalar */
  DR_STRING = 5,                /* as.chars, `size` bytes */
  DR_DEVICE = 6,                /* as.integer = type << 8 | (index & 0xff), index -1 for "current" */
  DR_GENERATOR = 7,             /* as.generator */
  DR_INT_LIST = 8,              /* as.integers, `size` elements */
  DR_DOUBLE_LIST = 9,           /* as.reals */
  DR_BOOL_LIST = 10,            /* as.bools, a byte each */
  DR_TENSOR_LIST = 11,          /* as.tensors, none of them NULL */
  DR_OPTIONAL_TENSOR_LIST = 12, /* as.tensors, NULL for none */
  DR_SCALAR_LIST = 13           /* as.reals: a list of scalars */
};

typedef struct dr_value {
  int32_t tag;  /* DR_NONE … DR_SCALAR_LIST */
  int32_t size; /* elements of a list, bytes of a string */
  union {
    int64_t integer;
    double real;
    dr_tensor *tensor;
    dr_generator *generator;
    const char *chars;
    const int64_t *integers;
    const double *reals;
    const uint8_t *bools;
    dr_tensor **tensors;
  } as;
} dr_value;

/* Looks an operator up: name "aten::add" (a name without a namespace is aten's), overload "Tensor"
   or "". *op is borrowed and lives as long as the library. The message of DR_NO_SUCH_OPERATOR lists
   the overloads that exist. */
DR_API int32_t dr_op_find(const char *name, const char *overload, const dr_op **op,
                          dr_error *error);

/* The names of all operators, with their overloads after a dot, a line each: "aten::add.Tensor". */
DR_API int64_t dr_op_names(char *text, int64_t capacity);

/* The operator's schema in PyTorch's notation. */
DR_API int64_t dr_op_schema(const dr_op *op, char *text, int64_t capacity);

/* The arguments that the schema writes to (in-place and out variants): bit i for argument i. Bit 63,
   the sign, says that the operator may also change their sizes, strides or memory. */
DR_API int64_t dr_op_mutates(const dr_op *op);

/* Calls an operator. args follow the schema's order; arguments left off at the end take the schema's
   defaults. An integer is accepted where the schema has a float, also in lists. *count is set to the
   number of results, which are written to `results`: tensors as new references (DR_NONE for an
   undefined one; an in-place variant returns a new reference to its own argument), lists and strings
   as new arrays to be passed to dr_results_free, the tensors in them as new references (in a
   DR_OPTIONAL_TENSOR_LIST if some are undefined: NULL). Fails with DR_INVALID_ARGUMENT before calling
   if `capacity` is too small.
   An operator that may change an argument's sizes, strides or memory (resize_, t_, out variants) needs
   that tensor for itself: another reference to it (by a handle, a view or a recording) is
   DR_INVALID_ARGUMENT, and memory that other tensors share is not moved. A result or an argument that
   would reach outside its memory is DR_INVALID_ARGUMENT; then, and when the operator fails, such an
   argument has the sizes and strides that it had before.
   A failure's message ends with types and shapes: "… (tensors: float32[2, 3], int64[])". */
DR_API int32_t dr_call(const dr_op *op, const dr_mode *mode, const dr_value *args, int32_t nargs,
                       dr_value *results, int32_t capacity, int32_t *count, dr_error *error);

/* Frees the arrays and strings of results (not the tensors in them). */
DR_API void dr_results_free(dr_value *results, int32_t count);

/* dr_call on tensors over memory of the caller's, which passes that memory too, up to four addresses,
   NULL for none: nothing is done with them, but a foreign function interface that guards memory keeps
   it for the time of the call. */
DR_API int32_t dr_call_keeping(const dr_op *op, const dr_mode *mode, const dr_value *args,
                               int32_t nargs, dr_value *results, int32_t capacity, int32_t *count,
                               const void *memory0, const void *memory1, const void *memory2,
                               const void *memory3, dr_error *error);

/* ---- Tensors from and to memory ------------------------------------------------------------ */

struct DLManagedTensor;

/* A tensor over memory that the caller owns and keeps valid while any tensor shares it. strides in
   elements, NULL for contiguous. device as in DR_DEVICE. *tensor: new reference. */
DR_API int32_t dr_tensor_from_memory(void *data, const int64_t *sizes, const int64_t *strides,
                                     int32_t dim, int32_t dtype, int32_t device,
                                     dr_tensor **tensor, dr_error *error);

/* Another reference to the same tensor. */
DR_API dr_tensor *dr_tensor_retain(const dr_tensor *tensor);

/* Drops a reference. NULL is allowed. */
DR_API void dr_tensor_free(dr_tensor *tensor);

/* Exports a tensor; the result shares its memory and keeps it alive. *managed: owned by the caller,
   who passes it on or to dr_dlpack_free. */
DR_API int32_t dr_tensor_to_dlpack(const dr_tensor *tensor, struct DLManagedTensor **managed,
                                   dr_error *error);

/* Imports a tensor over foreign memory. Consumes `managed`, on success only. *tensor: new reference. */
DR_API int32_t dr_tensor_from_dlpack(struct DLManagedTensor *managed, dr_tensor **tensor,
                                     dr_error *error);

/* Calls the deleter of a DLManagedTensor that nobody consumed. NULL is allowed. */
DR_API void dr_dlpack_free(struct DLManagedTensor *managed);

/* ---- Inspection ---------------------------------------------------------------------------- */

#define DR_MAX_DIM 64

enum {
  DR_REQUIRES_GRAD = 1,
  DR_IS_LEAF = 2,
  DR_IS_CONTIGUOUS = 4,
  DR_IS_INFERENCE = 8,
  DR_IS_STRIDED = 16 /* elements lie in memory by sizes and strides */
};

typedef struct dr_tensor_info {
  int32_t dtype;
  int32_t device; /* as in DR_DEVICE */
  int32_t dim;
  int32_t flags;           /* DR_REQUIRES_GRAD … */
  int64_t itemsize;        /* bytes of an element */
  void *data;              /* first element; borrowed; a device pointer on a device */
  void *storage;           /* start of the storage; borrowed; equal for tensors that share it */
  int64_t storage_bytes;   /* size of the storage */
  int64_t sizes[DR_MAX_DIM];   /* the first `dim` are set */
  int64_t strides[DR_MAX_DIM]; /* in elements; the first `dim` are set */
} dr_tensor_info;

/* A tensor without DR_IS_STRIDED (weights packed by oneDNN, sparse ones) has no strides to speak of:
   they are 0, and data and storage are NULL. data and storage are also NULL where the bytes are not
   the values, in a lazy conjugate or negative. Fails with DR_UNSUPPORTED for more than DR_MAX_DIM
   dims. */
DR_API int32_t dr_tensor_inspect(const dr_tensor *tensor, dr_tensor_info *info, dr_error *error);

/* ---- Autograd ------------------------------------------------------------------------------ */

/* Only a leaf's flag can be changed. */
DR_API int32_t dr_tensor_set_requires_grad(dr_tensor *tensor, int32_t requires_grad,
                                           dr_error *error);

/* The accumulated gradient. *grad: new reference, or NULL if there is none. */
DR_API int32_t dr_tensor_grad(const dr_tensor *tensor, dr_tensor **grad, dr_error *error);

/* Replaces the accumulated gradient; NULL clears it. This, dr_tensor_grad, dr_tensor_set_requires_grad
   and dr_backward may meet on one leaf from several threads. */
DR_API int32_t dr_tensor_set_grad(dr_tensor *tensor, const dr_tensor *grad, dr_error *error);

/* Accumulates the gradients of `outputs` into the leaves. gradients: one per output, NULL entries
   for 1 (scalars only), or NULL for all of them. */
DR_API int32_t dr_backward(dr_tensor *const *outputs, dr_tensor *const *gradients, int32_t count,
                           int32_t retain_graph, int32_t create_graph, const dr_mode *mode,
                           dr_error *error);

/* Gradients of `outputs` with respect to `inputs`, without touching the leaves. results has room for
   ninputs: new references, NULL where an input does not take part (if allow_unused). */
DR_API int32_t dr_grad(dr_tensor *const *outputs, dr_tensor *const *gradients, int32_t count,
                       dr_tensor *const *inputs, int32_t ninputs, int32_t retain_graph,
                       int32_t create_graph, int32_t allow_unused, const dr_mode *mode,
                       dr_tensor **results, dr_error *error);

/* ---- Random numbers ------------------------------------------------------------------------ */

/* A generator of its own for the device, seeded. *generator: new reference. */
DR_API int32_t dr_generator_new(int32_t device, int64_t seed, dr_generator **generator,
                                dr_error *error);
DR_API void dr_generator_free(dr_generator *generator);
DR_API int32_t dr_generator_seed(dr_generator *generator, int64_t seed, dr_error *error);

/* The state as a uint8 tensor on the CPU. *state: new reference. */
DR_API int32_t dr_generator_get_state(const dr_generator *generator, dr_tensor **state,
                                      dr_error *error);
DR_API int32_t dr_generator_set_state(dr_generator *generator, const dr_tensor *state,
                                      dr_error *error);

/* ---- Devices, streams, threads, memory ----------------------------------------------------- */

/* Devices of a type that can be used; 0 if the libtorch has no support for it. */
DR_API int32_t dr_device_count(int32_t device_type);

/* Waits until the device has done all its work. */
DR_API int32_t dr_device_synchronize(int32_t device, dr_error *error);

/* *stream: new, from the device's pool. The CPU has no streams and events (DR_UNSUPPORTED): its
   operators are done when the call returns. */
DR_API int32_t dr_stream_new(int32_t device, dr_stream **stream, dr_error *error);
DR_API void dr_stream_free(dr_stream *stream);
DR_API int32_t dr_stream_synchronize(const dr_stream *stream, dr_error *error);

/* *event: new, not recorded yet. timed: 1 if dr_event_elapsed is to be called on it. */
DR_API int32_t dr_event_new(int32_t device, int32_t timed, dr_event **event, dr_error *error);
DR_API void dr_event_free(dr_event *event);
/* stream: NULL for the device's default one, here and below. */
DR_API int32_t dr_event_record(dr_event *event, const dr_stream *stream, dr_error *error);
/* Lets the stream wait for the event. */
DR_API int32_t dr_event_block(dr_event *event, const dr_stream *stream, dr_error *error);
DR_API int32_t dr_event_synchronize(dr_event *event, dr_error *error);
/* *milliseconds from `start` to `end`, both timed, recorded and done. */
DR_API int32_t dr_event_elapsed(dr_event *start, dr_event *end, double *milliseconds,
                                dr_error *error);

#define DR_MAX_THREADS 1024

/* Threads that one operator may use (for calls of the calling thread and of threads made later), 1 to
   DR_MAX_THREADS. */
DR_API int32_t dr_num_threads(void);
DR_API int32_t dr_set_num_threads(int32_t threads, dr_error *error);

/* The vector instructions that libtorch's kernels use: "DEFAULT", "AVX2", "AVX512". */
DR_API int64_t dr_cpu_capability(char *text, int64_t capacity);

typedef struct dr_memory {
  int64_t live_bytes; /* allocated and not freed */
  int64_t peak_bytes; /* the most that live_bytes has been since the last reset */
  int64_t reserved_bytes; /* held by a caching allocator; live_bytes where there is none */
} dr_memory;

/* CPU: what libtorch allocated since this library was loaded (mapped files are not counted). The meta
   device, whose tensors have shapes and no elements: what its tensors would take, and as
   reserved_bytes the sum of all that were ever made. Other devices: their allocator's numbers, or
   DR_UNSUPPORTED. */
DR_API int32_t dr_memory_stats(int32_t device, dr_memory *memory, dr_error *error);
DR_API int32_t dr_memory_reset_peak(int32_t device, dr_error *error);

/* Gives cached memory back to the device. Does nothing on the CPU and the meta device. */
DR_API int32_t dr_memory_empty_cache(int32_t device, dr_error *error);

#ifdef __cplusplus
}
#endif
#endif
