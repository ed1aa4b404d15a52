/*
 * Calls every function of darkroom.h from C, with success and with failure, and ends with nothing
 * left alive. Built as C11 with -pedantic and run under the address, leak and undefined behaviour
 * sanitizers.
 */
#define _POSIX_C_SOURCE 200809L /* nanosleep */

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "darkroom.h"

static int failures = 0;

#define CHECK(condition) check((condition), #condition, __FILE__, __LINE__)
#define OK(call) expect(DR_OK, (call), NULL, #call, __FILE__, __LINE__)
/* The call fails with this code, and its message holds this text. */
#define FAILS(code, text, call) expect((code), (call), (text), #call, __FILE__, __LINE__)

static _Thread_local dr_error error;

static void check(int ok, const char* what, const char* file, int line) {
  if (!ok) {
    fprintf(stderr, "%s:%d: not true: %s\n", file, line, what);
    ++failures;
  }
}

static void expect(int32_t code, int32_t got, const char* text, const char* what, const char* file,
                   int line) {
  if (got != code) {
    fprintf(stderr, "%s:%d: %s is %d, not %d: %s\n", file, line, what, got, code,
            got == DR_OK ? "" : error.message);
    ++failures;
  } else if (code != DR_OK) {
    check(error.code == code, "error.code == code", file, line);
    check((size_t)error.length == strlen(error.message), "the message has its length", file, line);
    if (strstr(error.message, text) == NULL) {
      fprintf(stderr, "%s:%d: \"%s\" lacks \"%s\"\n", file, line, error.message, text);
      ++failures;
    }
  }
}

/* ---- Values and calls ---- */

enum { U8 = 0, I32 = 3, I64 = 4, F16 = 5, F32 = 6, F64 = 7, BOOL = 11, BF16 = 15 };
enum { CPU = 0x00ff, CUDA = 0x01ff, CUDA_TYPE = 1 };

static dr_value none(void) { return (dr_value){.tag = DR_NONE}; }
static dr_value tensor(dr_tensor* t) { return (dr_value){.tag = DR_TENSOR, .as.tensor = t}; }
static dr_value integer(int64_t i) { return (dr_value){.tag = DR_INT, .as.integer = i}; }
static dr_value real(double d) { return (dr_value){.tag = DR_DOUBLE, .as.real = d}; }
static dr_value boolean(int b) { return (dr_value){.tag = DR_BOOL, .as.integer = b}; }
static dr_value device(int64_t d) { return (dr_value){.tag = DR_DEVICE, .as.integer = d}; }
static dr_value generator(dr_generator* g) {
  return (dr_value){.tag = DR_GENERATOR, .as.generator = g};
}
static dr_value string(const char* s) {
  return (dr_value){.tag = DR_STRING, .size = (int32_t)strlen(s), .as.chars = s};
}
static dr_value integers(const int64_t* list, int32_t size) {
  return (dr_value){.tag = DR_INT_LIST, .size = size, .as.integers = list};
}
static dr_value tensors(int32_t tag, dr_tensor** list, int32_t size) {
  return (dr_value){.tag = tag, .size = size, .as.tensors = list};
}

#define ARGS(...) \
  (dr_value[]){__VA_ARGS__}, (int32_t)(sizeof((dr_value[]){__VA_ARGS__}) / sizeof(dr_value))

static const dr_op* op(const char* name, const char* overload) {
  const dr_op* found = NULL;
  OK(dr_op_find(name, overload, &found, &error));
  return found;
}

/* Calls an operator with one tensor as result. */
static dr_tensor* call_in(const dr_mode* mode, const dr_op* op, const dr_value* args,
                          int32_t nargs) {
  dr_value result = none();
  int32_t count = -1;
  OK(dr_call(op, mode, args, nargs, &result, 1, &count, &error));
  CHECK(count == 1 && result.tag == DR_TENSOR);
  if (result.tag != DR_TENSOR) exit(1); /* all that follows builds on it */
  return result.as.tensor;
}

static dr_tensor* call(const dr_op* op, const dr_value* args, int32_t nargs) {
  return call_in(NULL, op, args, nargs);
}

static int32_t try_call(const dr_op* op, const dr_value* args, int32_t nargs) {
  dr_value results[4];
  int32_t count = 0;
  return dr_call(op, NULL, args, nargs, results, 4, &count, &error);
}

static dr_tensor_info inspect(const dr_tensor* t) {
  dr_tensor_info info;
  memset(&info, 0, sizeof info);
  OK(dr_tensor_inspect(t, &info, &error));
  return info;
}

static const float* floats(const dr_tensor* t) { return inspect(t).data; }

static dr_tensor* borrow(void* data, int32_t dtype, int64_t rows, int64_t columns) {
  dr_tensor* t = NULL;
  OK(dr_tensor_from_memory(data, (int64_t[]){rows, columns}, NULL, 2, dtype, CPU, &t, &error));
  return t;
}

/* ---- Tests, in the header's order ---- */

static char text[65536];

static void versions(void) {
  CHECK(dr_abi_version() == DR_ABI_VERSION);
  CHECK(dr_libtorch_version(text, sizeof text) == (int64_t)strlen(text));
  CHECK(strncmp(text, dr_built_for(), strlen(dr_built_for())) == 0);
  const int64_t length = dr_libtorch_config(text, sizeof text);
  CHECK(length == (int64_t)strlen(text) && strstr(text, "TORCH_VERSION=") != NULL);
  char small[5];
  CHECK(dr_libtorch_config(small, sizeof small) == length && strlen(small) == 4);
  CHECK(dr_libtorch_config(NULL, 0) == length);
  CHECK(dr_cpu_capability(text, sizeof text) > 0 && strlen(text) > 0);
}

static void lookup(void) {
  const dr_op* add = op("aten::add", "Tensor");
  CHECK(op("add", "Tensor") == op("add", "Tensor"));
  dr_op_schema(add, text, sizeof text);
  CHECK(strcmp(text, "aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor") ==
        0);
  CHECK(dr_op_schema(NULL, text, sizeof text) == 0 && text[0] == 0);
  CHECK(dr_op_names(text, sizeof text) > 10000 && strstr(text, "aten::abs\n") != NULL);
  CHECK(dr_op_mutates(add) == 0 && dr_op_mutates(NULL) == 0);
  CHECK(dr_op_mutates(op("aten::add_", "Tensor")) == 1);
  CHECK(dr_op_mutates(op("aten::add", "out")) == (INT64_MIN | 8));
  CHECK(dr_op_mutates(op("aten::t_", "")) == (INT64_MIN | 1));
  CHECK(dr_op_mutates(op("aten::_foreach_add_", "Scalar")) == 1);
  const dr_op* found = NULL;
  FAILS(DR_NO_SUCH_OPERATOR, "\"Scalar\", \"Tensor\"",
        dr_op_find("aten::add", "Tensr", &found, &error));
  FAILS(DR_NO_SUCH_OPERATOR, "no operator aten::frobnicate",
        dr_op_find("frobnicate", "", &found, &error));
  FAILS(DR_NO_SUCH_OPERATOR, "mine::add", dr_op_find("mine::add", "", &found, &error));
  FAILS(DR_INVALID_ARGUMENT, "NULL", dr_op_find(NULL, "", &found, &error));
  FAILS(DR_INVALID_ARGUMENT, "NULL", dr_op_find("add", NULL, &found, &error));
  CHECK(found == NULL);
  CHECK(dr_op_find("frobnicate", "", &found, NULL) == DR_NO_SUCH_OPERATOR); /* error may be NULL */
}

static void calls(void) {
  float data[] = {1, 2, 3, 4};
  dr_tensor* x = borrow(data, F32, 2, 2);

  /* Defaults, integers as floats, scalars of three kinds. */
  const dr_op* add = op("add", "Tensor");
  dr_tensor* sum = call(add, ARGS(tensor(x), tensor(x)));
  CHECK(floats(sum)[3] == 8);
  dr_tensor_free(sum);
  const dr_value alphas[] = {integer(3), real(3)};
  for (int i = 0; i < 2; ++i) {
    sum = call(add, ARGS(tensor(x), tensor(x), alphas[i]));
    CHECK(floats(sum)[1] == 8);
    dr_tensor_free(sum);
  }
  dr_tensor* full = call(op("full", ""), ARGS(integers((int64_t[]){1}, 1), boolean(1)));
  CHECK(inspect(full).dtype == BOOL && *(uint8_t*)inspect(full).data == 1);
  dr_tensor_free(full);
  dr_tensor* normed = call(op("layer_norm", ""), ARGS(tensor(x), integers((int64_t[]){2}, 1),
                                                      none(), none(), integer(0), boolean(0)));
  CHECK(fabsf(floats(normed)[0] + 1) < 1e-6f);
  dr_tensor_free(normed);

  /* In place: a new reference to the argument. out: likewise. */
  dr_tensor* same = call(op("mul_", "Scalar"), ARGS(tensor(x), integer(2)));
  CHECK(same == x && data[3] == 8);
  dr_tensor_free(same);
  float room[4] = {0};
  dr_tensor* out = borrow(room, F32, 2, 2);
  same = call(op("add", "out"), ARGS(tensor(x), tensor(x), integer(1), tensor(out)));
  CHECK(same == out && room[3] == 16);
  dr_tensor_free(same);

  /* dtype, layout, device, memory format, bool and their absence. */
  const int64_t shape[] = {1, 2, 2, 2};
  dr_tensor* zeros = call(
      op("zeros", ""), ARGS(integers(shape, 4), integer(F64), integer(0), device(CPU), boolean(0)));
  dr_tensor_info info = inspect(zeros);
  CHECK(info.dtype == F64 && info.dim == 4 && info.itemsize == 8 && info.sizes[3] == 2);
  dr_tensor* last = call(op("contiguous", ""), ARGS(tensor(zeros), integer(2)));
  CHECK(inspect(last).strides[1] == 1 && (inspect(last).flags & DR_IS_CONTIGUOUS) == 0);
  dr_tensor_free(last);
  dr_tensor_free(zeros);
  zeros = call(op("zeros", ""), ARGS(integers(NULL, 0)));
  CHECK(inspect(zeros).dim == 0 && inspect(zeros).dtype == F32);

  /* Lists: tensors, optional tensors, doubles, bools, scalars; ints where doubles are wanted. */
  dr_tensor* both[] = {x, x};
  dr_tensor* cat = call(op("cat", ""), ARGS(tensors(DR_TENSOR_LIST, both, 2), integer(1)));
  CHECK(inspect(cat).sizes[1] == 4);
  dr_tensor_free(cat);
  int64_t one[] = {1};
  dr_tensor* index = NULL;
  OK(dr_tensor_from_memory(one, (int64_t[]){1}, NULL, 1, I64, CPU, &index, &error));
  dr_tensor* indices[] = {NULL, index};
  dr_tensor* picked =
      call(op("index", "Tensor"), ARGS(tensor(x), tensors(DR_OPTIONAL_TENSOR_LIST, indices, 2)));
  CHECK(inspect(picked).sizes[1] == 1 && floats(picked)[1] == 8);
  dr_tensor_free(picked);
  picked = call(op("index", "Tensor"), ARGS(tensor(x), tensors(DR_TENSOR_LIST, &index, 1)));
  CHECK(inspect(picked).sizes[0] == 1 && floats(picked)[0] == 6);
  dr_tensor_free(picked);
  const dr_op* upsample = op("upsample_nearest2d", "vec");
  dr_tensor* image = call(op("ones", ""), ARGS(integers(shape, 4)));
  const double factors[] = {2, 3};
  dr_tensor* larger = call(upsample, ARGS(tensor(image), none(),
                                          {.tag = DR_DOUBLE_LIST, .size = 2, .as.reals = factors}));
  CHECK(inspect(larger).sizes[2] == 4 && inspect(larger).sizes[3] == 6);
  dr_tensor_free(larger);
  larger = call(upsample, ARGS(tensor(image), none(), integers((int64_t[]){2, 3}, 2)));
  CHECK(inspect(larger).sizes[3] == 6);
  dr_tensor_free(larger);

  /* Results: several tensors, none among them; a list of tensors; numbers; a string argument. */
  dr_value results[3];
  int32_t count = 0;
  OK(dr_call(op("topk", ""), NULL, ARGS(tensor(x), integer(1)), results, 3, &count, &error));
  CHECK(count == 2 && floats(results[0].as.tensor)[0] == 4 &&
        inspect(results[1].as.tensor).dtype == I64);
  dr_tensor_free(results[0].as.tensor);
  dr_tensor_free(results[1].as.tensor);
  OK(dr_call(op("convolution_backward", ""), NULL,
             ARGS(tensor(image), tensor(image), tensor(image), none(),
                  integers((int64_t[]){1, 1}, 2), integers((int64_t[]){0, 0}, 2),
                  integers((int64_t[]){1, 1}, 2), boolean(0), integers((int64_t[]){0, 0}, 2),
                  integer(1), {.tag = DR_BOOL_LIST, .size = 3, .as.bools = (uint8_t[]){0, 0, 0}}),
             results, 3, &count, &error));
  CHECK(count == 3 && results[0].tag == DR_NONE && results[2].tag == DR_NONE);
  OK(dr_call(op("split", "Tensor"), NULL, ARGS(tensor(x), integer(1)), results, 3, &count, &error));
  CHECK(count == 1 && results[0].tag == DR_TENSOR_LIST && results[0].size == 2);
  CHECK(floats(results[0].as.tensors[1])[0] == 6);
  dr_tensor_free(results[0].as.tensors[0]);
  dr_tensor_free(results[0].as.tensors[1]);
  dr_results_free(results, count);
  CHECK(results[0].tag == DR_NONE);
  dr_results_free(NULL, 1);
  OK(dr_call(op("_local_scalar_dense", ""), NULL, ARGS(tensor(index)), results, 3, &count, &error));
  CHECK(count == 1 && results[0].tag == DR_INT && results[0].as.integer == 1);
  OK(dr_call(op("equal", ""), NULL, ARGS(tensor(x), tensor(x)), results, 3, &count, &error));
  CHECK(results[0].tag == DR_BOOL && results[0].as.integer == 1);
  const dr_op* gelu = op("gelu", "");
  dr_tensor* g = call(gelu, ARGS(tensor(x), string("tanh")));
  dr_tensor_free(g);
  dr_value empty_string = string("");
  empty_string.as.chars = NULL;
  FAILS(DR_ERROR, "approximate", try_call(gelu, ARGS(tensor(x), empty_string)));
  const dr_op* scale = op("_foreach_mul", "ScalarList");
  OK(dr_call(scale, NULL,
             ARGS(tensors(DR_TENSOR_LIST, both, 2),
                  {.tag = DR_SCALAR_LIST, .size = 2, .as.reals = factors}),
             results, 3, &count, &error));
  CHECK(results[0].size == 2 && floats(results[0].as.tensors[1])[0] == 6);
  for (int i = 0; i < 2; ++i) dr_tensor_free(results[0].as.tensors[i]);
  dr_results_free(results, count);
  OK(dr_call(op("_foreach_add_", "Scalar"), NULL,
             ARGS(tensors(DR_TENSOR_LIST, both, 1), integer(1)), NULL, 0, &count, &error));
  CHECK(count == 0 && data[0] == 3);

  /* Weights packed by oneDNN are tensors without strides. */
  dr_value packed = none();
  if (dr_call(op("to_mkldnn", ""), NULL, ARGS(tensor(x)), &packed, 1, &count, &error) == DR_OK) {
    info = inspect(packed.as.tensor);
    CHECK((info.flags & DR_IS_STRIDED) == 0 && info.data == NULL && info.sizes[1] == 2);
    dr_tensor_free(packed.as.tensor);
  }

  /* What the shim refuses, by name. */
  FAILS(DR_INVALID_ARGUMENT, "argument 2, \"other\", must be Tensor, and is missing",
        try_call(add, ARGS(tensor(x))));
  FAILS(DR_INVALID_ARGUMENT, "must be Tensor, not an int",
        try_call(add, ARGS(tensor(x), integer(1))));
  FAILS(DR_INVALID_ARGUMENT, "not none", try_call(add, ARGS(tensor(x), none())));
  FAILS(DR_INVALID_ARGUMENT, "is NULL", try_call(add, ARGS(tensor(x), tensor(NULL))));
  FAILS(DR_INVALID_ARGUMENT, "takes 3 arguments, not 4",
        try_call(add, ARGS(tensor(x), tensor(x), integer(1), integer(1))));
  FAILS(DR_INVALID_ARGUMENT, "unknown tag", try_call(add, ARGS(tensor(x), {.tag = 99})));
  FAILS(DR_INVALID_ARGUMENT, "not a string",
        try_call(add, ARGS(tensor(x), tensor(x), string("2"))));
  FAILS(DR_INVALID_ARGUMENT, "not a double",
        try_call(op("cat", ""), ARGS(tensors(DR_TENSOR_LIST, both, 2), real(1))));
  FAILS(DR_INVALID_ARGUMENT, "number 1 is NULL",
        try_call(op("cat", ""), ARGS(tensors(DR_TENSOR_LIST, (dr_tensor*[]){x, NULL}, 2))));
  FAILS(DR_INVALID_ARGUMENT, "size 2",
        try_call(op("cat", ""), ARGS(tensors(DR_TENSOR_LIST, NULL, 2))));
  FAILS(DR_INVALID_ARGUMENT, "size -1", try_call(op("zeros", ""), ARGS(integers(shape, -1))));
  FAILS(DR_INVALID_ARGUMENT, "no number 999",
        try_call(op("zeros", ""), ARGS(integers(shape, 4), integer(999))));
  FAILS(DR_INVALID_ARGUMENT, "no number -1",
        try_call(op("zeros", ""), ARGS(integers(shape, 4), none(), integer(-1))));
  FAILS(DR_INVALID_ARGUMENT, "no number 77",
        try_call(op("contiguous", ""), ARGS(tensor(x), integer(77))));
  FAILS(DR_INVALID_ARGUMENT, "no device type 200",
        try_call(op("zeros", ""), ARGS(integers(shape, 4), none(), none(), device(200 << 8))));
  FAILS(DR_INVALID_ARGUMENT, "not an int",
        try_call(op("zeros", ""), ARGS(integers(shape, 4), none(), none(), integer(0))));
  FAILS(DR_INVALID_ARGUMENT, "not an int",
        try_call(op("dropout", ""), ARGS(tensor(x), integer(0), integer(0))));
  FAILS(DR_INVALID_ARGUMENT, "not a list of ints", try_call(gelu, ARGS(integers(shape, 1))));
  FAILS(DR_INVALID_ARGUMENT, "is NULL",
        try_call(op("randn", "generator"), ARGS(integers(shape, 4), generator(NULL))));
  FAILS(DR_INVALID_ARGUMENT, "room for 1",
        dr_call(op("topk", ""), NULL, ARGS(tensor(x), integer(1)), results, 1, &count, &error));
  FAILS(DR_INVALID_ARGUMENT, "room for 1",
        dr_call(add, NULL, ARGS(tensor(x), tensor(x)), NULL, 1, &count, &error));
  FAILS(DR_INVALID_ARGUMENT, "NULL", dr_call(add, NULL, NULL, 2, results, 1, &count, &error));
  FAILS(DR_INVALID_ARGUMENT, "NULL", dr_call(NULL, NULL, NULL, 0, results, 1, &count, &error));

  /* What libtorch refuses, by kind. */
  float three[3] = {0};
  dr_tensor* y = borrow(three, F32, 1, 3);
  FAILS(DR_ERROR, "must match the size", try_call(add, ARGS(tensor(x), tensor(y))));
  FAILS(DR_ERROR, "(tensors: float32[2, 2], float32[1, 3])", try_call(add, ARGS(tensor(x), tensor(y))));
  FAILS(DR_INDEX_ERROR, "out of range",
        try_call(op("select", "int"), ARGS(tensor(x), integer(5), integer(0))));
  FAILS(DR_VALUE_ERROR, "non-empty list",
        try_call(op("cat", ""), ARGS(tensors(DR_TENSOR_LIST, NULL, 0))));
  uint8_t bits[4] = {1, 0, 0, 1};
  dr_tensor* mask = borrow(bits, BOOL, 2, 2);
  FAILS(DR_NOT_IMPLEMENTED, "not implemented for 'Bool'",
        try_call(op("mm", ""), ARGS(tensor(mask), tensor(mask))));
  dr_tensor* singular = call(op("zeros_like", ""), ARGS(tensor(x)));
  FAILS(DR_LINALG_ERROR, "singular", try_call(op("linalg_inv", ""), ARGS(tensor(singular))));
  FAILS(DR_OUT_OF_MEMORY, "tried to allocate",
        try_call(op("empty", "memory_format"), ARGS(integers((int64_t[]){INT64_C(1) << 45}, 1))));
  FAILS(DR_NOT_IMPLEMENTED, "CUDA",
        try_call(op("empty", "memory_format"),
                 ARGS(integers(shape, 4), none(), none(), device(CUDA))));

  dr_tensor_free(singular);
  dr_tensor_free(mask);
  dr_tensor_free(y);
  dr_tensor_free(image);
  dr_tensor_free(index);
  dr_tensor_free(zeros);
  dr_tensor_free(out);
  dr_tensor_free(x);
}

/* One operator of every signature that the shim calls without boxing. */
static void typed_calls(void) {
  float data[] = {1, 2, 3, 4}, bias[] = {10, 20};
  dr_tensor* x = borrow(data, F32, 2, 2);
  dr_tensor* b = borrow(bias, F32, 1, 2);
  const int64_t list[] = {1, 0, 4, 2};
  const struct {
    const char *name, *overload;
    dr_value args[4];
    int32_t nargs;
    float first, last;
  } cases[] = {
      {"neg", "", {tensor(x)}, 1, -1, -4},
      {"mul", "Tensor", {tensor(x), tensor(x)}, 2, 1, 16},
      {"mul", "Scalar", {tensor(x), real(0.5)}, 2, 0.5f, 2},
      {"add", "Tensor", {tensor(x), tensor(b), integer(2)}, 3, 21, 44},
      {"add", "Scalar", {tensor(x), integer(1), real(2)}, 3, 3, 6},
      {"linear", "", {tensor(x), tensor(x)}, 2, 5, 25},
      {"linear", "", {tensor(x), tensor(x), tensor(b)}, 3, 15, 45},
      {"permute", "", {tensor(x), integers(list, 2)}, 2, 1, 4},
      {"reshape", "", {tensor(x), integers(list + 2, 1)}, 2, 1, 4},
      {"unsqueeze", "", {tensor(x), integer(0)}, 2, 1, 4},
      {"transpose", "int", {tensor(x), integer(0), integer(1)}, 3, 1, 4},
      {"select", "int", {tensor(x), integer(0), integer(1)}, 3, 3, 4},
      {"narrow", "", {tensor(x), integer(0), integer(1), integer(1)}, 4, 3, 4},
      {"softmax", "int", {tensor(x), integer(0)}, 2, 0.1192029f, 0.8807971f},
      {"expand", "", {tensor(x), integers(list + 2, 0), boolean(0)}, 3, 0, 0},
      {"expand", "", {tensor(b), integers((int64_t[]){3, 2}, 2)}, 2, 10, 20},
      {"mul_", "Tensor", {tensor(x), tensor(x)}, 2, 1, 16},
      {"mul_", "Scalar", {tensor(x), integer(2)}, 2, 2, 32},
      {"add_", "Tensor", {tensor(x), tensor(b)}, 2, 12, 52},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
    const dr_op* found = op(cases[i].name, cases[i].overload);
    if (cases[i].first == 0) {
      FAILS(DR_ERROR, "expand", try_call(found, cases[i].args, cases[i].nargs));
      continue;
    }
    dr_tensor* y = call(found, cases[i].args, cases[i].nargs);
    const dr_tensor_info info = inspect(y);
    int64_t last = 0;
    for (int d = 0; d < info.dim; ++d) last += (info.sizes[d] - 1) * info.strides[d];
    const float* values = info.data;
    CHECK(fabsf(values[0] - cases[i].first) < 1e-6f && fabsf(values[last] - cases[i].last) < 1e-6f);
    dr_tensor_free(y);
  }
  dr_tensor_free(b);
  dr_tensor_free(x);
}

/* The shim's own operator, where the processor has it; blocks of 64 queries and 512 keys. */
static void attention(void) {
  const dr_op* attend = NULL;
  if (dr_op_find("darkroom::attention", "", &attend, &error) != DR_OK) {
    CHECK(error.code == DR_NO_SUCH_OPERATOR);
    return;
  }
  enum { HEADS = 3, QUERIES = 70, KEYS = 515, WIDTH = 6, VALUES = 5 };
  static uint16_t q[QUERIES * HEADS * WIDTH], k[HEADS * KEYS * WIDTH], v[HEADS * KEYS * VALUES];
  for (size_t i = 0; i < sizeof q / sizeof *q; ++i) q[i] = (uint16_t)(0x3f00 + i % 90);
  for (size_t i = 0; i < sizeof k / sizeof *k; ++i) k[i] = (uint16_t)(0xbf00 + i % 70);
  for (size_t i = 0; i < sizeof v / sizeof *v; ++i) v[i] = 0x4040; /* 3 */
  const struct {
    void* data;
    int64_t sizes[4], strides[4];
  } each[] = {
      {q, {1, HEADS, QUERIES, WIDTH}, {1, WIDTH, HEADS * WIDTH, 1}},
      {k, {1, HEADS, KEYS, WIDTH}, {1, KEYS * WIDTH, WIDTH, 1}},
      {v, {1, HEADS, KEYS, VALUES}, {1, KEYS * VALUES, VALUES, 1}},
  };
  dr_tensor* t[3];
  for (int i = 0; i < 3; ++i) {
    OK(dr_tensor_from_memory(each[i].data, each[i].sizes, each[i].strides, 4, BF16, CPU, &t[i],
                             &error));
  }
  dr_tensor* y = call(attend, ARGS(tensor(t[0]), tensor(t[1]), tensor(t[2]), real(0.4)));
  const dr_tensor_info info = inspect(y);
  CHECK(info.dim == 4 && info.sizes[1] == HEADS && info.sizes[2] == QUERIES);
  CHECK(info.sizes[3] == VALUES && info.strides[1] == VALUES);
  const uint16_t* results = info.data;
  for (int i = 0; i < HEADS * QUERIES * VALUES; ++i) CHECK(results[i] == 0x4040);
  dr_tensor_free(y);

  dr_tensor* odd = call(op("narrow", ""), ARGS(tensor(t[1]), integer(3), integer(0), integer(5)));
  dr_tensor* less = call(op("narrow", ""), ARGS(tensor(t[2]), integer(2), integer(0), integer(9)));
  dr_tensor* none = call(op("narrow", ""), ARGS(tensor(t[1]), integer(2), integer(0), integer(0)));
  dr_tensor* wide = call(op("to", "dtype"), ARGS(tensor(t[0]), integer(F32)));
  dr_tensor* flat = call(op("select", "int"), ARGS(tensor(t[0]), integer(0), integer(0)));
  dr_tensor* wrong[][3] = {
      {odd, odd, t[2]}, {t[0], odd, t[2]}, {t[0], t[1], less}, {t[0], none, none},
      {wide, t[1], t[2]}, {flat, t[1], t[2]},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
    FAILS(DR_ERROR, "darkroom::attention",
          try_call(attend, ARGS(tensor(wrong[i][0]), tensor(wrong[i][1]), tensor(wrong[i][2]),
                                real(0.4))));
  }
  FAILS(DR_ERROR, "positive",
        try_call(attend, ARGS(tensor(t[0]), tensor(t[1]), tensor(t[2]), real(0))));
  dr_tensor* all[] = {odd, less, none, wide, flat, t[0], t[1], t[2]};
  for (size_t i = 0; i < sizeof all / sizeof *all; ++i) dr_tensor_free(all[i]);
}

static void modes(void) {
  float data[] = {1, 2, 3, 4};
  dr_tensor* x = borrow(data, F32, 2, 2);
  OK(dr_tensor_set_requires_grad(x, 1, &error));
  const dr_op* mm = op("mm", "");

  dr_tensor* y = call(mm, ARGS(tensor(x), tensor(x)));
  CHECK((inspect(y).flags & DR_REQUIRES_GRAD) == 0);
  dr_tensor_free(y);
  const dr_mode grad = {.flags = DR_GRAD};
  y = call_in(&grad, mm, ARGS(tensor(x), tensor(x)));
  CHECK((inspect(y).flags & (DR_REQUIRES_GRAD | DR_IS_LEAF)) == DR_REQUIRES_GRAD);
  dr_tensor_free(y);
  const dr_mode inference = {.flags = DR_INFERENCE};
  y = call_in(&inference, mm, ARGS(tensor(x), tensor(x)));
  CHECK((inspect(y).flags & DR_IS_INFERENCE) != 0);
  dr_tensor_free(y);
  const dr_mode autocast = {.flags = DR_GRAD | DR_AUTOCAST, .autocast_dtype = BF16};
  y = call_in(&autocast, mm, ARGS(tensor(x), tensor(x)));
  CHECK(inspect(y).dtype == BF16 && (inspect(y).flags & DR_REQUIRES_GRAD) != 0);
  dr_tensor_free(y);
  /* The modes are gone after each call. */
  y = call(mm, ARGS(tensor(x), tensor(x)));
  CHECK(inspect(y).dtype == F32 && (inspect(y).flags & (DR_REQUIRES_GRAD | DR_IS_INFERENCE)) == 0);
  dr_tensor_free(y);

  const dr_value args[] = {tensor(x), tensor(x)};
  const struct {
    dr_mode mode;
    const char* message;
  } wrong[] = {
      {{.flags = DR_GRAD | DR_INFERENCE}, "exclude each other"},
      {{.flags = 64}, "unknown flags"},
      {{.flags = DR_AUTOCAST, .autocast_dtype = F32}, "not to Float"},
      {{.flags = DR_AUTOCAST, .autocast_dtype = 99}, "no dtype 99"},
      {{.flags = DR_AUTOCAST, .autocast_dtype = BF16, .autocast_device = 99}, "no device type 99"},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
    dr_value result;
    int32_t count;
    FAILS(DR_INVALID_ARGUMENT, wrong[i].message,
          dr_call(mm, &wrong[i].mode, args, 2, &result, 1, &count, &error));
  }
  const dr_value missing[] = {tensor(x), tensor(NULL)};
  dr_value result;
  int32_t count;
  FAILS(DR_INVALID_ARGUMENT, "exclude each other",
        dr_call(op("mul_", "Tensor"), &wrong[0].mode, missing, 2, &result, 1, &count, &error));
  dr_tensor_free(x);
}

static void memory(void) {
  float data[] = {1, 2, 3, 4, 5, 6};
  dr_tensor* t = NULL;
  const int64_t sizes[] = {3, 2};
  const int64_t strides[] = {1, 3};
  OK(dr_tensor_from_memory(data, sizes, strides, 2, F32, CPU, &t, &error));
  dr_tensor_info info = inspect(t);
  CHECK(info.data == data && info.storage == data && info.strides[1] == 3 && info.device == CPU);
  CHECK(info.storage_bytes == (int64_t)sizeof data && (info.flags & DR_IS_STRIDED) != 0);
  dr_tensor* row = call(op("select", "int"), ARGS(tensor(t), integer(0), integer(1)));
  CHECK(inspect(row).data == data + 1 && inspect(row).storage == data);
  dr_tensor_free(call(op("fill_", "Scalar"), ARGS(tensor(row), integer(9))));
  CHECK(data[1] == 9 && data[4] == 9 && data[0] == 1);
  dr_tensor* again = dr_tensor_retain(t);
  CHECK(again == t && dr_tensor_retain(NULL) == NULL);
  dr_tensor_free(t);
  CHECK(inspect(again).data == data);
  dr_tensor_free(NULL);

  const int64_t negative[] = {3, -2};
  const int64_t huge[] = {INT64_C(1) << 40, INT64_C(1) << 40};
  const int64_t many[DR_MAX_DIM + 1] = {0};
  FAILS(DR_INVALID_ARGUMENT, "negative size -2",
        dr_tensor_from_memory(data, negative, NULL, 2, F32, CPU, &t, &error));
  FAILS(DR_INVALID_ARGUMENT, "negative stride -2",
        dr_tensor_from_memory(data, sizes, negative, 2, F32, CPU, &t, &error));
  FAILS(DR_INVALID_ARGUMENT, "too large",
        dr_tensor_from_memory(data, huge, NULL, 2, F32, CPU, &t, &error));
  FAILS(DR_INVALID_ARGUMENT, "too large",
        dr_tensor_from_memory(data, sizes, (int64_t[]){INT64_MAX, 1}, 2, F32, CPU, &t, &error));
  FAILS(DR_INVALID_ARGUMENT, "65 dimensions",
        dr_tensor_from_memory(data, many, NULL, DR_MAX_DIM + 1, F32, CPU, &t, &error));
  FAILS(DR_INVALID_ARGUMENT, "-1 dimensions",
        dr_tensor_from_memory(data, sizes, NULL, -1, F32, CPU, &t, &error));
  FAILS(DR_INVALID_ARGUMENT, "sizes are NULL",
        dr_tensor_from_memory(data, NULL, NULL, 2, F32, CPU, &t, &error));
  FAILS(DR_INVALID_ARGUMENT, "not empty is NULL",
        dr_tensor_from_memory(NULL, sizes, NULL, 2, F32, CPU, &t, &error));
  FAILS(DR_INVALID_ARGUMENT, "no dtype -1",
        dr_tensor_from_memory(data, sizes, NULL, 2, -1, CPU, &t, &error));
  FAILS(DR_INVALID_ARGUMENT, "no device type",
        dr_tensor_from_memory(data, sizes, NULL, 2, F32, 99 << 8, &t, &error));
  FAILS(DR_UNSUPPORTED, "CUDA", dr_tensor_from_memory(data, sizes, NULL, 2, F32, CUDA, &t, &error));
  FAILS(DR_INVALID_ARGUMENT, "NULL",
        dr_tensor_from_memory(data, sizes, NULL, 2, F32, CPU, NULL, &error));
  OK(dr_tensor_from_memory(NULL, many, NULL, 1, F32, CPU, &t, &error));
  CHECK(inspect(t).sizes[0] == 0);
  dr_tensor_free(t);
  OK(dr_tensor_from_memory(data, NULL, NULL, 0, F32, CPU, &t, &error));
  CHECK(inspect(t).dim == 0);
  dr_tensor_free(t);

  /* DLPack: out and in again, the memory is the same and outlives the first tensor. */
  struct DLManagedTensor* managed = NULL;
  OK(dr_tensor_to_dlpack(row, &managed, &error));
  dr_tensor_free(row);
  OK(dr_tensor_from_dlpack(managed, &t, &error));
  CHECK(inspect(t).data == data + 1 && inspect(t).sizes[0] == 2 && inspect(t).strides[0] == 3);
  OK(dr_tensor_to_dlpack(t, &managed, &error));
  dr_tensor_free(t);
  dr_dlpack_free(managed);
  dr_dlpack_free(NULL);
  FAILS(DR_INVALID_ARGUMENT, "NULL", dr_tensor_to_dlpack(NULL, &managed, &error));
  FAILS(DR_INVALID_ARGUMENT, "NULL", dr_tensor_from_dlpack(NULL, &t, &error));
  dr_tensor_free(again);
}

/* DLPack as others write it. */
struct dlpack {
  void* data;
  int32_t device_type, device_id, ndim;
  uint8_t code, bits;
  uint16_t lanes;
  int64_t *shape, *strides;
  uint64_t byte_offset;
  void* context;
  void (*deleter)(struct dlpack*);
};

static int deleted = 0;
static void count_deletion(struct dlpack* self) {
  (void)self;
  ++deleted;
}

static void foreign_dlpack(void) {
  float data[] = {1, 2, 3, 4};
  int64_t shape[] = {3};
  struct dlpack foreign = {data,          1, 0, 1, 2, 32, 1, shape, NULL, sizeof(float), NULL,
                           count_deletion};
  struct DLManagedTensor* managed = (struct DLManagedTensor*)(void*)&foreign;
  dr_tensor* t = NULL;
  OK(dr_tensor_from_dlpack(managed, &t, &error));
  CHECK(floats(t) == data + 1 && foreign.data == data && deleted == 0);
  dr_tensor_free(t);
  CHECK(deleted == 1);
  /* On failure the caller keeps it. */
  foreign.bits = 13;
  CHECK(dr_tensor_from_dlpack(managed, &t, &error) != DR_OK && deleted == 1);
  foreign.bits = 32;
  foreign.lanes = 3;
  CHECK(dr_tensor_from_dlpack(managed, &t, &error) != DR_OK && deleted == 1);
  foreign.lanes = 1;
  foreign.device_type = 99;
  CHECK(dr_tensor_from_dlpack(managed, &t, &error) != DR_OK && deleted == 1);
  foreign.device_type = 2;
  CHECK(dr_tensor_from_dlpack(managed, &t, &error) != DR_OK && deleted == 1);
  foreign.device_type = 1;
  shape[0] = -1;
  FAILS(DR_INVALID_ARGUMENT, "negative size", dr_tensor_from_dlpack(managed, &t, &error));
  shape[0] = 3;
  foreign.data = NULL;
  FAILS(DR_INVALID_ARGUMENT, "NULL", dr_tensor_from_dlpack(managed, &t, &error));
  foreign.ndim = 1000;
  FAILS(DR_INVALID_ARGUMENT, "1000 dimensions", dr_tensor_from_dlpack(managed, &t, &error));
  CHECK(deleted == 1);
  dr_dlpack_free(managed);
  CHECK(deleted == 2);
  foreign.deleter = NULL;
  dr_dlpack_free(managed);
}

static void inspection(void) {
  dr_tensor_info info;
  FAILS(DR_INVALID_ARGUMENT, "NULL", dr_tensor_inspect(NULL, &info, &error));
  const int64_t ones[DR_MAX_DIM] = {1, 1};
  dr_tensor* t = call(op("zeros", ""), ARGS(integers(ones, DR_MAX_DIM)));
  CHECK(inspect(t).dim == DR_MAX_DIM);
  FAILS(DR_INVALID_ARGUMENT, "NULL", dr_tensor_inspect(t, NULL, &error));
  dr_tensor_free(t);
  /* A lazy conjugate's bytes are not its values. */
  dr_tensor* c = call(op("ones", ""), ARGS(integers(ones, 2), integer(9)));
  dr_tensor* conjugate = call(op("_conj", ""), ARGS(tensor(c)));
  CHECK(inspect(c).data != NULL && inspect(conjugate).data == NULL);
  struct DLManagedTensor* managed = NULL;
  FAILS(DR_UNSUPPORTED, "lazy conjugate", dr_tensor_to_dlpack(conjugate, &managed, &error));
  dr_tensor_free(conjugate);
  dr_tensor_free(c);
}

static void autograd(void) {
  float data[] = {1, 2, 3, 4};
  dr_tensor* x = borrow(data, F32, 2, 2);
  dr_tensor* grad = NULL;
  OK(dr_tensor_set_requires_grad(x, 1, &error));
  CHECK((inspect(x).flags & (DR_REQUIRES_GRAD | DR_IS_LEAF)) == (DR_REQUIRES_GRAD | DR_IS_LEAF));
  OK(dr_tensor_grad(x, &grad, &error));
  CHECK(grad == NULL);

  /* d/dx sum(x·x) = 2x, twice into the leaf. */
  const dr_mode recording = {.flags = DR_GRAD};
  dr_tensor* square = call_in(&recording, op("mul", "Tensor"), ARGS(tensor(x), tensor(x)));
  dr_tensor* sum = call_in(&recording, op("sum", ""), ARGS(tensor(square)));
  OK(dr_backward(&sum, NULL, 1, 1, 0, NULL, &error));
  dr_tensor* ones = call(op("ones_like", ""), ARGS(tensor(x)));
  OK(dr_backward(&square, &ones, 1, 1, 0, NULL, &error));
  OK(dr_tensor_grad(x, &grad, &error));
  CHECK(floats(grad)[3] == 16 && floats(grad)[0] == 4);
  dr_tensor_free(grad);

  /* Without touching the leaf; of second order; of inputs that take no part. */
  dr_tensor* grads[2] = {NULL, NULL};
  OK(dr_grad(&sum, NULL, 1, &x, 1, 1, 1, 0, &recording, grads, &error));
  CHECK(floats(grads[0])[3] == 8);
  dr_tensor* second = NULL;
  OK(dr_grad(&grads[0], &ones, 1, &x, 1, 1, 0, 0, NULL, &second, &error));
  CHECK(floats(second)[2] == 2);
  dr_tensor_free(second);
  dr_tensor_free(grads[0]);
  float other[4] = {0};
  dr_tensor* unused = borrow(other, F32, 2, 2);
  OK(dr_tensor_set_requires_grad(unused, 1, &error));
  dr_tensor* inputs[] = {x, unused};
  FAILS(DR_ERROR, "allow_unused", dr_grad(&sum, NULL, 1, inputs, 2, 1, 0, 0, NULL, grads, &error));
  OK(dr_grad(&sum, (dr_tensor*[]){NULL}, 1, inputs, 2, 1, 0, 1, NULL, grads, &error));
  CHECK(floats(grads[0])[1] == 4 && grads[1] == NULL);
  dr_tensor_free(grads[0]);

  OK(dr_tensor_set_grad(x, ones, &error));
  OK(dr_tensor_grad(x, &grad, &error));
  CHECK(grad == ones);
  dr_tensor_free(grad);
  OK(dr_tensor_set_grad(x, NULL, &error));
  OK(dr_tensor_grad(x, &grad, &error));
  CHECK(grad == NULL);

  FAILS(DR_INVALID_ARGUMENT, "own gradient", dr_tensor_set_grad(x, x, &error));
  FAILS(DR_INVALID_ARGUMENT, "size, dtype and device", dr_tensor_set_grad(x, sum, &error));
  FAILS(DR_INVALID_ARGUMENT, "NULL", dr_tensor_set_grad(NULL, x, &error));
  FAILS(DR_INVALID_ARGUMENT, "NULL", dr_tensor_grad(NULL, &grad, &error));
  FAILS(DR_INVALID_ARGUMENT, "NULL", dr_tensor_set_requires_grad(NULL, 1, &error));
  FAILS(DR_INVALID_ARGUMENT, "leaf", dr_tensor_set_requires_grad(sum, 0, &error));
  int64_t whole[] = {1};
  dr_tensor* integral = borrow(whole, I64, 1, 1);
  FAILS(DR_ERROR, "floating point", dr_tensor_set_requires_grad(integral, 1, &error));
  dr_tensor_free(integral);
  FAILS(DR_ERROR, "scalar outputs", dr_backward(&square, NULL, 1, 1, 0, NULL, &error));
  FAILS(DR_ERROR, "does not require grad", dr_backward(&ones, &ones, 1, 0, 0, NULL, &error));
  FAILS(DR_INVALID_ARGUMENT, "No outputs", dr_backward(NULL, NULL, 0, 0, 0, NULL, &error));
  FAILS(DR_INVALID_ARGUMENT, "Number 0 of the outputs is NULL",
        dr_backward((dr_tensor*[]){NULL}, NULL, 1, 0, 0, NULL, &error));
  FAILS(DR_INVALID_ARGUMENT, "No inputs",
        dr_grad(&sum, NULL, 1, NULL, 0, 1, 0, 0, NULL, grads, &error));
  FAILS(DR_INVALID_ARGUMENT, "NULL", dr_grad(&sum, NULL, 1, &x, 1, 1, 0, 0, NULL, NULL, &error));
  OK(dr_backward(&sum, NULL, 1, 0, 0, NULL, &error));
  FAILS(DR_ERROR, "second time", dr_backward(&sum, NULL, 1, 0, 0, NULL, &error));

  dr_tensor_free(unused);
  dr_tensor_free(ones);
  dr_tensor_free(sum);
  dr_tensor_free(square);
  dr_tensor_free(x);
}

/* What torch.randn gives after manual_seed(7): 20 numbers, then 4. libtorch draws 16 and more in
   vector instructions, and fewer one by one. */
static const float normal20[] = {
    -0x1.a3e8acp-1f, 0x1.952056p-2f, 0x1.cc3dbcp-1f,  -0x1.636e7p+0f,  0x1.966a5cp-3f,
    0x1.906bd4p-1f,  0x1.0a02f6p+0f, -0x1.72f312p-1f, -0x1.b2a426p-1f, -0x1.3788bp+0f,
    -0x1.4bdd4ap-4f, 0x1.5c8a4ap+0f, -0x1.07de82p+1f, 0x1.5923bap-1f,  -0x1.52c6cap+0f,
    -0x1.5c19d2p+0f, -0x1.bbc05p-1f, -0x1.20c57cp-1f, -0x1.073a2ap+1f, -0x1.6d48acp-2f};
static const float normal4[] = {0x1.39ab56p+1f, 0x1.0346ecp+1f, 0x1.c776b4p+0f, -0x1.d5fb04p-1f};

/* Equal bits where the kernels are those that the numbers come from, otherwise close. */
static int same_floats(const float* a, const float* b, int n) {
  dr_cpu_capability(text, sizeof text);
  const float bound = strncmp(text, "AVX", 3) == 0 ? 0 : 1e-6f;
  for (int i = 0; i < n; ++i) {
    if (!(fabsf(a[i] - b[i]) <= bound)) return 0;
  }
  return 1;
}

static void draw_normal(dr_generator* g) {
  const dr_op* randn = op("randn", "generator");
  dr_tensor* t = call(randn, ARGS(integers((int64_t[]){20}, 1), generator(g)));
  CHECK(same_floats(floats(t), normal20, 20));
  dr_tensor_free(t);
  t = call(randn, ARGS(integers((int64_t[]){4}, 1), generator(g)));
  CHECK(same_floats(floats(t), normal4, 4));
  dr_tensor_free(t);
}

static void random_numbers(void) {
  dr_generator* g = NULL;
  dr_tensor* state = NULL;
  OK(dr_generator_new(CPU, 7, &g, &error));
  OK(dr_generator_get_state(g, &state, &error));
  CHECK(inspect(state).dtype == U8);
  draw_normal(g);
  OK(dr_generator_seed(g, 7, &error));
  draw_normal(g);
  OK(dr_generator_set_state(g, state, &error));
  draw_normal(g);
  float data[1] = {0};
  dr_tensor* wrong = borrow(data, F32, 1, 1);
  FAILS(DR_TYPE_ERROR, "ByteTensor", dr_generator_set_state(g, wrong, &error));
  dr_tensor_free(wrong);
  FAILS(DR_INVALID_ARGUMENT, "NULL", dr_generator_set_state(g, NULL, &error));
  FAILS(DR_INVALID_ARGUMENT, "NULL", dr_generator_set_state(NULL, state, &error));
  FAILS(DR_INVALID_ARGUMENT, "NULL", dr_generator_get_state(g, NULL, &error));
  FAILS(DR_INVALID_ARGUMENT, "NULL", dr_generator_get_state(NULL, &state, &error));
  FAILS(DR_INVALID_ARGUMENT, "NULL", dr_generator_seed(NULL, 1, &error));
  FAILS(DR_INVALID_ARGUMENT, "NULL", dr_generator_new(CPU, 7, NULL, &error));
  FAILS(DR_UNSUPPORTED, "no usable CUDA", dr_generator_new(CUDA, 7, &g, &error));
  dr_generator_free(g);
  dr_generator_free(NULL);
  dr_tensor_free(state);
}

static void devices(void) {
  CHECK(dr_device_count(0) == 1);
  CHECK(dr_device_count(CUDA_TYPE) == 0 && dr_device_count(99) == 0 && dr_device_count(-1) == 0);
  OK(dr_device_synchronize(CPU, &error));
  FAILS(DR_UNSUPPORTED, "no usable CUDA", dr_device_synchronize(CUDA, &error));

  dr_stream* stream = NULL;
  dr_event* event = NULL;
  double milliseconds;
  FAILS(DR_UNSUPPORTED, "The CPU has no streams", dr_stream_new(CPU, &stream, &error));
  FAILS(DR_UNSUPPORTED, "no usable CUDA", dr_stream_new(CUDA, &stream, &error));
  FAILS(DR_INVALID_ARGUMENT, "NULL", dr_stream_new(CPU, NULL, &error));
  FAILS(DR_INVALID_ARGUMENT, "NULL", dr_stream_synchronize(NULL, &error));
  FAILS(DR_UNSUPPORTED, "The CPU has no streams", dr_event_new(CPU, 1, &event, &error));
  FAILS(DR_INVALID_ARGUMENT, "NULL", dr_event_new(CPU, 1, NULL, &error));
  FAILS(DR_INVALID_ARGUMENT, "NULL", dr_event_record(NULL, NULL, &error));
  FAILS(DR_INVALID_ARGUMENT, "NULL", dr_event_block(NULL, NULL, &error));
  FAILS(DR_INVALID_ARGUMENT, "NULL", dr_event_synchronize(NULL, &error));
  FAILS(DR_INVALID_ARGUMENT, "NULL", dr_event_elapsed(NULL, NULL, &milliseconds, &error));
  dr_stream_free(stream);
  dr_event_free(event);

  const int32_t threads = dr_num_threads();
  CHECK(threads >= 1);
  OK(dr_set_num_threads(1, &error));
  CHECK(dr_num_threads() == 1);
  FAILS(DR_INVALID_ARGUMENT, "1 to 1024", dr_set_num_threads(0, &error));
  OK(dr_set_num_threads(threads, &error));

  dr_memory before, with, after;
  OK(dr_memory_stats(CPU, &before, &error));
  dr_tensor* t = call(op("empty", "memory_format"), ARGS(integers((int64_t[]){1 << 20}, 1)));
  OK(dr_memory_stats(CPU, &with, &error));
  CHECK(with.live_bytes - before.live_bytes >= 4 << 20 && with.peak_bytes >= with.live_bytes);
  CHECK(with.live_bytes - before.live_bytes < 5 << 20 && with.reserved_bytes == with.live_bytes);
  dr_tensor_free(t);
  OK(dr_memory_stats(CPU, &after, &error));
  CHECK(after.live_bytes == before.live_bytes && after.peak_bytes >= with.live_bytes);
  OK(dr_memory_reset_peak(CPU, &error));
  OK(dr_memory_stats(CPU, &after, &error));
  CHECK(after.peak_bytes == after.live_bytes);
  OK(dr_memory_empty_cache(CPU, &error));
  FAILS(DR_INVALID_ARGUMENT, "NULL", dr_memory_stats(CPU, NULL, &error));
  FAILS(DR_UNSUPPORTED, "no usable CUDA", dr_memory_stats(CUDA, &before, &error));
  FAILS(DR_UNSUPPORTED, "no usable CUDA", dr_memory_reset_peak(CUDA, &error));
  FAILS(DR_UNSUPPORTED, "no usable CUDA", dr_memory_empty_cache(CUDA, &error));
}

/* ---- Warnings and threads ---- */

/* An out tensor of another size is resized, with a warning. Our memory can't be: the tensor keeps the
   sizes that it had. */
static void resize(dr_tensor* x) {
  float room[3];
  dr_tensor* out = borrow(room, F32, 1, 3);
  const dr_value args[] = {tensor(x), tensor(x), integer(1), tensor(out)};
  FAILS(DR_ERROR, "not resizable", try_call(op("add", "out"), args, 4));
  CHECK(inspect(out).dim == 2 && inspect(out).sizes[1] == 3 && inspect(out).strides[0] == 3);
  dr_tensor_free(out);
}

/* Warnings wait to be taken: nothing is called back, and nothing is written (ctest looks). */
static void warnings(void) {
  float data[] = {1, 2, 3, 4};
  dr_tensor* x = borrow(data, F32, 2, 2);
  const int32_t* waiting = dr_warnings_waiting();
  CHECK(*waiting == 0 && dr_take_warning(text, sizeof text) == -1);
  resize(x);
  CHECK(*waiting == 1);
  char small[8];
  CHECK(dr_take_warning(small, sizeof small) > 7 && strlen(small) == 7);
  CHECK(*waiting == 0);
  for (int i = 0; i < DR_MAX_WARNINGS + 10; ++i) resize(x);
  CHECK(*waiting == DR_MAX_WARNINGS);
  while (*waiting > 0) {
    CHECK(dr_take_warning(text, sizeof text) == (int64_t)strlen(text));
    CHECK(strstr(text, "resized") != NULL);
  }
  CHECK(dr_take_warning(NULL, 0) == -1);
  dr_tensor_free(x);
}

/* No tensor reaches outside its memory, whatever an operator is told. */
static void extents(void) {
  float data[] = {1, 2, 3, 4};
  dr_tensor* x = borrow(data, F32, 2, 2);
  dr_value result = none();
  int32_t count = 0;
  OK(dr_call_keeping(op("neg", ""), NULL, ARGS(tensor(x)), &result, 1, &count, data, NULL, NULL,
                     NULL, &error));
  dr_tensor_free(result.as.tensor);
  const int64_t sizes[] = {2, 3};
  const int64_t far[] = {INT64_C(1) << 61, 1}; /* in bytes, 0 modulo 2^64 */
  const int64_t wide[] = {INT64_C(1) << 62, 4};
  const int64_t none[] = {0, 0};
  FAILS(DR_INVALID_ARGUMENT, "outside its memory",
        try_call(op("as_strided_", ""), ARGS(tensor(x), integers(sizes, 2), integers(far, 2))));
  CHECK(inspect(x).sizes[1] == 2 && inspect(x).strides[0] == 2);
  FAILS(DR_INVALID_ARGUMENT, "outside its memory",
        try_call(op("_reshape_alias", ""), ARGS(tensor(x), integers(sizes, 2), integers(far, 2))));
  FAILS(DR_ERROR, "overflow",
        try_call(op("_reshape_alias", ""), ARGS(tensor(x), integers(wide, 2), integers(none, 2))));
  const int64_t least[] = {INT64_MIN, 0}; /* would be taken for a pointer */
  FAILS(DR_INVALID_ARGUMENT, "not the number",
        try_call(op("as_strided_", ""), ARGS(tensor(x), integers(least, 2), integers(none, 2))));
  FAILS(DR_INVALID_ARGUMENT, "not the number",
        try_call(op("slice", "Tensor"), ARGS(tensor(x), integer(0), integer(INT64_MIN))));
  FAILS(DR_ERROR, "cannot be represented", /* a typed call */
        try_call(op("reshape", ""), ARGS(tensor(x), integers(least, 2))));
  dr_tensor* view = call(op("t", ""), ARGS(tensor(x)));
  FAILS(DR_INVALID_ARGUMENT, "of its own", try_call(op("t_", ""), ARGS(tensor(x))));
  dr_tensor_free(view);
  dr_tensor* again = dr_tensor_retain(x);
  FAILS(DR_INVALID_ARGUMENT, "of its own", try_call(op("t_", ""), ARGS(tensor(x))));
  dr_tensor_free(again);
  dr_tensor_free(call(op("t_", ""), ARGS(tensor(x))));
  dr_tensor_free(x);

  /* memory that another tensor shares stays where it is */
  const int64_t more[] = {100};
  dr_tensor* owner = call(op("arange", ""), ARGS(integer(4)));
  dr_tensor* detached = call(op("detach", ""), ARGS(tensor(owner)));
  FAILS(DR_ERROR, "not resizable",
        try_call(op("resize_", ""), ARGS(tensor(owner), integers(more, 1))));
  CHECK(inspect(owner).sizes[0] == 4);
  dr_tensor_free(detached);
  dr_tensor_free(owner);
  owner = call(op("arange", ""), ARGS(integer(4)));
  dr_tensor_free(call(op("resize_", ""), ARGS(tensor(owner), integers(more, 1))));
  CHECK(inspect(owner).sizes[0] == 100);
  dr_tensor_free(owner);
}

static void* work(void* unused) {
  (void)unused;
  float data[4] = {1, 2, 3, 4};
  for (int i = 0; i < 200; ++i) {
    dr_tensor* x = borrow(data, F32, 2, 2);
    const dr_mode recording = {.flags = DR_GRAD};
    OK(dr_tensor_set_requires_grad(x, 1, &error));
    dr_tensor* y = call_in(&recording, op("mul", "Tensor"), ARGS(tensor(x), tensor(x)));
    dr_tensor* sum = call_in(&recording, op("sum", ""), ARGS(tensor(y)));
    OK(dr_backward(&sum, NULL, 1, 0, 0, NULL, &error));
    FAILS(DR_INDEX_ERROR, "out of range",
          try_call(op("select", "int"), ARGS(tensor(x), integer(9), integer(0))));
    dr_tensor* grad = NULL;
    OK(dr_tensor_grad(x, &grad, &error));
    CHECK(floats(grad)[3] == 8);
    dr_tensor_free(grad);
    dr_tensor_free(sum);
    dr_tensor_free(y);
    dr_tensor_free(x);
  }
  return NULL;
}

static void two_threads(void) {
  pthread_t threads[2];
  for (int i = 0; i < 2; ++i) CHECK(pthread_create(&threads[i], NULL, work, NULL) == 0);
  for (int i = 0; i < 2; ++i) CHECK(pthread_join(threads[i], NULL) == 0);
}

/* Passes that add to a leaf's gradient while others read, replace and clear it. */
static void* use_leaf(void* leaf) {
  dr_tensor* x = leaf;
  const dr_mode recording = {.flags = DR_GRAD};
  float data[4] = {0};
  for (int i = 0; i < 200; ++i) {
    dr_tensor* sum = call_in(&recording, op("sum", ""), ARGS(tensor(x)));
    OK(dr_backward(&sum, NULL, 1, 0, 0, NULL, &error));
    dr_tensor* grad = NULL;
    OK(dr_tensor_grad(x, &grad, &error));
    dr_tensor_free(grad);
    dr_tensor* zero = borrow(data, F32, 2, 2);
    dr_tensor* own = call(op("clone", ""), ARGS(tensor(zero)));
    OK(dr_tensor_set_grad(x, i % 2 == 0 ? own : NULL, &error));
    dr_tensor_free(own);
    dr_tensor_free(zero);
    dr_tensor_free(sum);
  }
  return NULL;
}

static void one_leaf(void) {
  float data[4] = {1, 2, 3, 4};
  dr_tensor* x = borrow(data, F32, 2, 2);
  OK(dr_tensor_set_requires_grad(x, 1, &error));
  pthread_t threads[4];
  for (int i = 0; i < 4; ++i) CHECK(pthread_create(&threads[i], NULL, use_leaf, x) == 0);
  for (int i = 0; i < 4; ++i) CHECK(pthread_join(threads[i], NULL) == 0);
  OK(dr_tensor_set_grad(x, NULL, &error));
  dr_tensor_free(x);
}

static void* recurse(void* unused) {
  volatile char frame[4096];
  frame[0] = 0;
  const int32_t code = dr_generator_seed(NULL, 1, &error);
  if (code != DR_INVALID_ARGUMENT) {
    CHECK(code == DR_STACK_EXHAUSTED);
    return &failures;
  }
  return frame[0] == 0 ? recurse(unused) : NULL;
}

/* A call is refused while there is stack left for it to fail on. */
static void end_of_stack(void) {
  pthread_t thread;
  void* result = NULL;
  CHECK(pthread_create(&thread, NULL, recurse, NULL) == 0);
  CHECK(pthread_join(thread, &result) == 0 && result == &failures);
}

/* A call of half a second, which runs while the process ends. */
static void* multiply(void* matrix) {
  dr_tensor* x = matrix;
  dr_tensor_free(call(op("mm", ""), ARGS(tensor(x), tensor(x))));
  dr_tensor_free(x);
  return NULL;
}

static void end_during_a_call(void) {
  enum { SIZE = 3000 };
  static float data[SIZE * SIZE];
  const struct timespec begin = {.tv_nsec = 50 * 1000 * 1000};
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, multiply, borrow(data, F32, SIZE, SIZE)) == 0);
  CHECK(pthread_detach(thread) == 0);
  CHECK(nanosleep(&begin, NULL) == 0);
  dr_hold_exit();
}

int main(void) {
  dr_memory before, after;
  OK(dr_memory_stats(CPU, &before, &error));
  versions();
  lookup();
  calls();
  typed_calls();
  attention();
  modes();
  memory();
  foreign_dlpack();
  inspection();
  autograd();
  random_numbers();
  devices();
  warnings();
  extents();
  two_threads();
  one_leaf();
  end_of_stack();
  OK(dr_memory_stats(CPU, &after, &error));
  CHECK(after.live_bytes == before.live_bytes);
  end_during_a_call();
  if (failures == 0) puts("ok");
  return failures == 0 ? 0 : 1;
}
