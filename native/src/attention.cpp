// The operator darkroom::attention: softmax(scale · q · kᵀ) · v in bfloat16, for processors that multiply
// it but have no tiles (AVX512_BF16 without AMX). There libtorch's fused operator multiplies by its BLAS,
// which knows no such product, or only on another maker's processors. The algorithm is that of
// FlashAttention (Dao et al. 2022, arXiv:2205.14135): blocks of scores in float32, whose softmax is
// corrected as later blocks of keys come. The products are oneDNN's, by libtorch's brgemm.
#if defined(__x86_64__) && defined(__linux__)

#include <ATen/Parallel.h>
#include <ATen/native/CPUBlas.h>
#include <ATen/ops/empty.h>
#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "parallel.h"
#include "provide.h"

#define DARKROOM_AVX512_BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16")))

namespace darkroom {
namespace {

using at::BFloat16;
using at::native::cpublas::brgemm;

// The sides of a block of scores: small enough for the second cache.
constexpr int64_t QUERIES = 64;
constexpr int64_t KEYS = 512;

// The tokens of one head of one sample: rows that lie `stride` numbers apart.
struct Rows {
  BFloat16* start;
  int64_t stride;

  Rows(const at::Tensor& t, int64_t sample_and_head)
      : start(static_cast<BFloat16*>(t.data_ptr()) +
              sample_and_head / t.size(1) * t.stride(0) + sample_and_head % t.size(1) * t.stride(1)),
        stride(t.stride(2)) {}

  BFloat16* at(int64_t row) const { return start + row * stride; }
};

// oneDNN takes the right side of a product in pairs of rows: the two numbers of a column lie side by side.
// Here the rows are the numbers of a head and the columns keys, and they come as [keys,width].
void pack_keys(const Rows& k, int64_t first, int64_t keys, int64_t width, BFloat16* packed) {
  constexpr int64_t LINE = 16;  // pairs; each is written whole, since the next lies far away
  for (int64_t begin = 0; begin < keys; begin += LINE) {
    const int64_t end = std::min(begin + LINE, keys);
    for (int64_t j = 0; j < width; j += 2) {
      for (int64_t key = begin; key < end; ++key) {
        std::memcpy(packed + j * keys + 2 * key, k.at(first + key) + j, 2 * sizeof(BFloat16));
      }
    }
  }
}

// Rows are keys here, and an odd number of them is filled up with zeros.
void pack_values(const Rows& v, int64_t keys, int64_t width, BFloat16* packed) {
  const std::vector<BFloat16> zeros(keys % 2 * width);
  for (int64_t key = 0; key < keys; key += 2) {
    const BFloat16* const even = v.at(key);
    const BFloat16* const odd = key + 1 < keys ? v.at(key + 1) : zeros.data();
    for (int64_t j = 0; j < width; ++j) {
      packed[key * width + 2 * j] = even[j];
      packed[key * width + 2 * j + 1] = odd[j];
    }
  }
}

// 2^x for x ≤ 0, with a relative error of 2e-7.
DARKROOM_AVX512_BF16 inline __m512 exp2_of(__m512 x) {
  x = _mm512_max_ps(_mm512_set1_ps(-127.0f), x);  // NaN stays, as the second argument
  const __m512 whole = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m512 rest = _mm512_sub_ps(x, whole);
  __m512 p = _mm512_set1_ps(1.3333558e-3f);
  for (const float c : {9.6181291e-3f, 5.5504109e-2f, 2.4022651e-1f, 6.9314718e-1f, 1.0f}) {
    p = _mm512_fmadd_ps(p, rest, _mm512_set1_ps(c));
  }
  return _mm512_scalef_ps(p, whole);
}

// The softmax of a query over the keys so far, as powers of two.
struct Softmax {
  float top = -std::numeric_limits<float>::infinity();  // the largest exponent
  float sum = 0.0f;                                     // of 2^(exponent - top)

  // Turns more scores into weights 2^(factor · score - top), and an odd number of these into an even
  // one by a zero. Returns what earlier weights are to be multiplied by.
  DARKROOM_AVX512_BF16 float add(const float* scores, int64_t n, float factor, BFloat16* weights) {
    const auto lanes = [&](int64_t i) {
      return static_cast<__mmask16>(n - i < 16 ? (1U << (n - i)) - 1 : 0xFFFF);
    };
    __m512 largest = _mm512_set1_ps(-std::numeric_limits<float>::infinity());
    for (int64_t i = 0; i < n; i += 16) {
      largest = _mm512_mask_max_ps(largest, lanes(i), largest,
                                   _mm512_maskz_loadu_ps(lanes(i), scores + i));
    }
    const float before = top;
    top = std::max(top, _mm512_reduce_max_ps(largest) * factor);
    const __m512 factors = _mm512_set1_ps(factor);
    const __m512 shift = _mm512_set1_ps(top);
    __m512 total = _mm512_setzero_ps();
    for (int64_t i = 0; i < n; i += 16) {
      const __m512 score = _mm512_maskz_loadu_ps(lanes(i), scores + i);
      const __m512 weight =
          _mm512_maskz_mov_ps(lanes(i), exp2_of(_mm512_fmsub_ps(score, factors, shift)));
      total = _mm512_add_ps(total, weight);
      const __m256i rounded = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(weight));
      _mm256_mask_storeu_epi16(weights + i, lanes(i), rounded);
    }
    if (n % 2 != 0) weights[n] = 0.0f;
    const float shrink = std::exp2(before - top);
    sum = sum * shrink + _mm512_reduce_add_ps(total);
    return shrink;
  }
};

// Keys and values as oneDNN multiplies by them; the keys block by block.
struct Packed {
  at::Tensor keys;    // [samples·heads,keys·width]
  at::Tensor values;  // [samples·heads,keys·width], an even number of keys

  Packed(const at::Tensor& k, const at::Tensor& v) {
    const int64_t count = k.size(2);
    const int64_t width = k.size(3);
    const int64_t heads = k.size(0) * k.size(1);
    keys = at::empty({heads, count * width}, k.options());
    values = at::empty({heads, (count + count % 2) * v.size(3)}, v.options());
    in_parallel(heads, [&](int64_t, Parts& parts) {
      for (int64_t head; parts.take(head);) {
        for (int64_t first = 0; first < count; first += KEYS) {
          pack_keys(Rows(k, head), first, std::min(KEYS, count - first), width,
                    row(keys, head) + first * width);
        }
        pack_values(Rows(v, head), count, v.size(3), row(values, head));
      }
    });
  }

  static BFloat16* row(const at::Tensor& t, int64_t head) {
    return static_cast<BFloat16*>(t.data_ptr()) + head * t.size(1);
  }
};

// Attends block by block; the buffers are one thread's.
class Blocks {
 public:
  Blocks(const at::Tensor& q, const at::Tensor& v, const Packed& packed, double scale,
         at::Tensor& out)
      : q_(q), packed_(packed), out_(out), keys_(v.size(2)), width_(v.size(3)),
        factor_(static_cast<float>(scale / M_LN2)), row_(std::min(KEYS, keys_ + keys_ % 2)),
        scores_(QUERIES * row_), sums_(QUERIES * width_), weights_(QUERIES * row_) {}

  // Computes the results of `n` queries of a head from `start` on.
  void attend(int64_t head, int64_t start, int64_t n) {
    const Rows q(q_, head);
    Softmax softmax[QUERIES];
    for (int64_t first = 0; first < keys_; first += KEYS) {
      const int64_t count = std::min(KEYS, keys_ - first);
      brgemm(n, count, q_.size(3), q.stride, count, row_, false, q.at(start),
             Packed::row(packed_.keys, head) + first * q_.size(3), scores_.data());
      for (int64_t i = 0; i < n; ++i) {
        const float shrink = softmax[i].add(scores_.data() + i * row_, count, factor_,
                                            weights_.data() + i * row_);
        float* sums = sums_.data() + i * width_;
        if (first != 0) std::transform(sums, sums + width_, sums, [=](float x) { return x * shrink; });
      }
      brgemm(n, width_, count + count % 2, row_, width_, width_, first != 0, weights_.data(),
             Packed::row(packed_.values, head) + first * width_, sums_.data());
    }
    const Rows out(out_, head);
    for (int64_t i = 0; i < n; ++i) {
      const float* sums = sums_.data() + i * width_;
      const float share = 1.0f / softmax[i].sum;
      std::transform(sums, sums + width_, out.at(start + i),
                     [=](float x) { return BFloat16(x * share); });
    }
  }

 private:
  const at::Tensor& q_;
  const Packed& packed_;
  at::Tensor& out_;
  int64_t keys_;
  int64_t width_;  // of a value
  float factor_;
  int64_t row_;  // from one query's scores to the next's
  std::vector<float> scores_;
  std::vector<float> sums_;
  std::vector<BFloat16> weights_;
};

// Numbers that lie side by side, rows within what oneDNN counts.
at::Tensor in_rows(const at::Tensor& t) {
  const bool fits = t.stride(3) == 1 && t.stride(2) >= t.size(3) &&
                    t.stride(2) <= std::numeric_limits<int32_t>::max();
  return fits ? t : t.contiguous();
}

at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale) {
  for (const at::Tensor& t : {q, k, v}) {
    TORCH_CHECK(t.scalar_type() == at::kBFloat16 && t.dim() == 4 && t.layout() == at::kStrided &&
                    t.numel() > 0,
                "darkroom::attention: q, k and v must be bfloat16 with four sizes and not empty");
  }
  TORCH_CHECK(q.size(0) == k.size(0) && q.size(1) == k.size(1) && q.size(3) == k.size(3) &&
                  k.sizes().slice(0, 3) == v.sizes().slice(0, 3) && q.size(3) % 2 == 0,
              "darkroom::attention: q [samples,heads,queries,width] with an even width, k "
              "[samples,heads,keys,width] and v [samples,heads,keys,value width] must fit");
  TORCH_CHECK(scale > 0, "darkroom::attention: the scale must be positive, not ", scale);
  const at::Tensor queries = in_rows(q);
  const Packed packed(in_rows(k), in_rows(v));
  at::Tensor out =
      at::empty({q.size(0), q.size(2), q.size(1), v.size(3)}, q.options()).transpose(1, 2);
  const int64_t blocks = at::divup(q.size(2), QUERIES);
  in_parallel(q.size(0) * q.size(1) * blocks, [&](int64_t, Parts& parts) {
    Blocks work(queries, v, packed, scale, out);
    for (int64_t i; parts.take(i);) {
      const int64_t start = i % blocks * QUERIES;
      work.attend(i / blocks, start, std::min(QUERIES, q.size(2) - start));
    }
    at::native::cpublas::brgemm_release();
  });
  return out;
}

// Whether the processor and this libtorch's oneDNN have what it takes.
bool works() {
  if (!__builtin_cpu_supports("avx512bf16")) return false;
  try {
    const std::vector<BFloat16> ones(16 * 16, BFloat16(1.0f));
    std::vector<float> sums(16 * 16);
    brgemm(16, 16, 16, 16, 16, 16, false, ones.data(), ones.data(), sums.data());
    at::native::cpublas::brgemm_release();
    return sums[255] == 16.0f;
  } catch (const std::exception&) {
    return false;
  }
}

const bool provided = works() && provide("attention", "(Tensor q, Tensor k, Tensor v, float scale) -> Tensor",
                                         torch::dispatch(c10::DispatchKey::CPU, TORCH_FN(attention)));

}  // namespace
}  // namespace darkroom

#endif
