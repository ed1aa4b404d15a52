// The operator darkroom::winograd: convolutions 3×3 by the algorithm of Winograd (Lavin and Gray
// 2016, arXiv:1509.09308). Pictures and weights are transformed, multiplied in each place of a
// tile, and transformed back. In float32, a tile of 2×2 results takes 16 products instead of 36. In
// bfloat16, one of 4×4 takes 36 instead of 144, in float32: what that loses is far below what
// bfloat16 rounds, and what it costs is less than 144 products in bfloat16, which are twice as
// fast.
#if defined(__x86_64__) && defined(__linux__)

#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <string>

#include "parallel.h"
#include "provide.h"
#include "winograd_kernel.h"

namespace darkroom {
namespace {

// What is to stay in the third cache, in numbers: transformed weights, or transformed pictures. Of
// these so many tiles at least, which the transformation of the weights is repeated for.
constexpr int64_t WEIGHTS = 5 << 20;
constexpr int64_t PICTURES = 2 << 20;
constexpr int64_t TILES = 112;

// What the tiles of a thread may take: more than this would find no room in its second cache.
constexpr int64_t BLOCK = 448 << 10;

// Channels are a multiple of this, for vectors of any processor.
constexpr int64_t CHANNELS = 16;

// By what libtorch computes with, which ATEN_CPU_CAPABILITY limits.
const WinogradKernels* kernels() {
  static const WinogradKernels* const found = [] {
    const std::string vectors = at::get_cpu_capability();
    return vectors == "AVX512" ? &winograd_avx512 : vectors == "AVX2" ? &winograd_avx2 : nullptr;
  }();
  return found;
}

template <typename Number>
class Convolution {
 public:
  // Divides the work, by sizes alone.
  Convolution(const WinogradKernel<Number>& kernel, const at::Tensor& x, const at::Tensor& weight,
              int64_t padding)
      : kernel_(kernel),
        padding_(padding),
        height_(x.size(2) + 2 * padding - 2),
        width_(x.size(3) + 2 * padding - 2),
        tiles_{at::divup(height_, kernel.size), at::divup(width_, kernel.size)},
        count_(x.size(0) * tiles_.rows * tiles_.columns),
        in_(x.size(1)),
        out_(weight.size(0)),
        terms_(at::divup(in_ / CHANNELS, at::divup(in_, kernel.terms)) * CHANNELS),
        panels_(at::divup(out_, kernel.panel)),
        threads_(at::get_num_threads()) {
    const int64_t weights = panels_ * chunks() * weights_size();
    by_tiles_ = weights <= WEIGHTS && count_ >= 2 * kernel.block * threads_;
    if (by_tiles_) {
      const int64_t fitting = BLOCK / (kernel.places * in_) / kernel.rows * kernel.rows;
      block_ = std::clamp(fitting, kernel.rows, kernel.block);
      shared_ = weights;
      own_ = sums_size() + transformed_size();
    } else {
      const int64_t fitting = std::max(PICTURES / (kernel.places * in_), TILES);
      block_ = at::divup(count_, at::divup(count_, kernel.block));
      round_ = std::min(at::divup(fitting, block_), at::divup(count_, block_));
      together_ = panels_ >= 4 * threads_ ? round_ : 1;
      shared_ = round_ * transformed_size();
      own_ = together_ * sums_size() + weights_size();
    }
  }

  // What it needs beside pictures, weights and results.
  int64_t bytes() const { return (shared_ + threads_ * own_) * sizeof(float); }

  at::Tensor run(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
    const auto channels_last = at::MemoryFormat::ChannelsLast;
    const at::Tensor pictures = x.contiguous(channels_last);
    const at::Tensor kernels = weight.contiguous();
    const at::Tensor zeros = at::zeros({in_}, x.options());
    const at::Tensor y =
        at::empty({x.size(0), out_, height_, width_}, x.options().memory_format(channels_last));
    const at::Tensor buffers =
        at::empty({shared_ + threads_ * own_}, x.options().dtype(at::kFloat));
    x_ = {numbers_of(pictures), x.size(2), x.size(3), in_};
    y_ = {numbers_of(y), height_, width_, out_};
    weight_ = numbers_of(kernels);
    bias_ = bias.defined() ? numbers_of(bias) : nullptr;
    zeros_ = numbers_of(zeros);
    buffers_ = buffers.data_ptr<float>();
    by_tiles_ ? run_by_tiles() : run_by_panels();
    return y;
  }

 private:
  // Large pictures: all weights are transformed first; then a thread transforms some tiles and
  // multiplies them by one panel after the other.
  void run_by_tiles() {
    const auto weights_of = [&](int64_t panel, int64_t channel) {
      return buffers_ + (panel * chunks() + channel / terms_) * weights_size();
    };
    in_parallel(panels_, [&](int64_t, Parts& panels) {
      for (int64_t panel; panels.take(panel);) {
        for (int64_t channel = 0; channel < in_; channel += terms_) {
          transform_weights(panel, channel, weights_of(panel, channel));
        }
      }
    });
    in_parallel(at::divup(count_, block_), [&](int64_t thread, Parts& blocks) {
      float* const sums = own(thread);
      float* const transformed = sums + sums_size();
      for (int64_t block; blocks.take(block);) {
        transform_tiles(block, transformed);
        for (int64_t panel = 0; panel < panels_; ++panel) {
          for (int64_t channel = 0; channel < in_; channel += terms_) {
            multiply(block, channel, transformed, weights_of(panel, channel), sums);
          }
          write(block, panel, sums);
        }
      }
    });
  }

  // Many channels: some blocks of tiles are transformed first; then a thread transforms the weights
  // of a panel, some channels after the other, and multiplies the blocks by them. Where panels are
  // few, it takes one block of a panel.
  void run_by_panels() {
    const auto transformed_of = [&](int64_t block) {
      return buffers_ + block % round_ * transformed_size();
    };
    const int64_t blocks = at::divup(count_, block_);
    for (int64_t first = 0; first < blocks; first += round_) {
      const int64_t count = std::min(round_, blocks - first);
      in_parallel(count, [&](int64_t, Parts& parts) {
        for (int64_t i; parts.take(i);) transform_tiles(first + i, transformed_of(first + i));
      });
      const int64_t groups = at::divup(count, together_);
      in_parallel(panels_ * groups, [&](int64_t thread, Parts& parts) {
        float* const weights = own(thread);
        const auto sums_of = [&](int64_t i) { return weights + weights_size() + i * sums_size(); };
        for (int64_t part; parts.take(part);) {
          const int64_t panel = part / groups;
          const int64_t begin = first + part % groups * together_;
          const int64_t end = std::min(begin + together_, first + count);
          for (int64_t channel = 0; channel < in_; channel += terms_) {
            transform_weights(panel, channel, weights);
            for (int64_t block = begin; block < end; ++block) {
              multiply(block, channel, transformed_of(block), weights, sums_of(block - begin));
            }
          }
          for (int64_t block = begin; block < end; ++block) {
            write(block, panel, sums_of(block - begin));
          }
        }
      });
    }
  }

  void transform_weights(int64_t panel, int64_t channel, float* transformed) const {
    kernel_.weights(weight_ + (panel * kernel_.panel * in_ + channel) * 9, channels(panel), in_,
                    terms(channel), transformed);
  }

  void transform_tiles(int64_t block, float* transformed) const {
    kernel_.pictures(x_, tiles_, padding_, zeros_, block * block_, count(block),
                     places(transformed));
  }

  // For some channels, from one on.
  void multiply(int64_t block, int64_t channel, float* transformed, const float* weights,
                float* sums) const {
    kernel_.sums(places(transformed), channel / terms_, count(block), weights, terms(channel),
                 sums);
  }

  void write(int64_t block, int64_t panel, const float* sums) const {
    kernel_.results(sums, tiles_, block * block_, count(block), bias_, y_, panel * kernel_.panel,
                    channels(panel));
  }

  static Number* numbers_of(const at::Tensor& x) { return static_cast<Number*>(x.data_ptr()); }

  int64_t count(int64_t block) const { return std::min(block_, count_ - block * block_); }

  int64_t chunks() const { return at::divup(in_, terms_); }

  int64_t terms(int64_t channel) const { return std::min(terms_, in_ - channel); }

  int64_t channels(int64_t panel) const {
    return std::min(kernel_.panel, out_ - panel * kernel_.panel);
  }

  // The transformed numbers of a block.
  Places places(float* start) const {
    const int64_t plane = plane_of(block_ * terms_);
    return {start, kernel_.places * plane, plane, terms_};
  }

  // Sizes, in numbers.
  int64_t transformed_size() const { return chunks() * places(nullptr).chunk; }
  int64_t weights_size() const { return kernel_.places * plane_of(terms_ * kernel_.panel); }
  int64_t sums_size() const { return kernel_.places * plane_of(kernel_.block * kernel_.panel); }

  float* own(int64_t thread) const { return buffers_ + shared_ + thread * own_; }

  const WinogradKernel<Number>& kernel_;
  const int64_t padding_;
  const int64_t height_;  // of results
  const int64_t width_;
  const Tiles tiles_;
  const int64_t count_;  // of tiles
  const int64_t in_;
  const int64_t out_;
  const int64_t terms_;  // channels whose products a thread adds up before others
  const int64_t panels_;
  const int64_t threads_;
  bool by_tiles_;
  int64_t block_;     // tiles that a thread takes together
  int64_t round_;     // by panels: blocks that are transformed together
  int64_t together_;  // by panels: of these, blocks that one transform of weights is for
  int64_t shared_;    // numbers of all threads: transformed weights, or pictures
  int64_t own_;       // numbers of one thread

  Pictures<const Number> x_;
  Pictures<Number> y_;
  const Number* weight_;
  const Number* bias_;   // may be null
  const Number* zeros_;  // a pixel outside of the picture
  float* buffers_;
};

// Checks sizes and types, and gives the kernel of the type to `compute`.
template <typename Compute>
auto with_kernel(const at::Tensor& x, const at::Tensor& weight, int64_t padding,
                 const Compute& compute) {
  const auto type = x.scalar_type();
  TORCH_CHECK((type == at::kFloat || type == at::kBFloat16) && weight.scalar_type() == type,
              "darkroom::winograd: x and the weight must both be float32, or bfloat16");
  for (const at::Tensor& t : {x, weight}) {
    TORCH_CHECK(t.dim() == 4 && t.layout() == at::kStrided,
                "darkroom::winograd: x and the weight must have four sizes");
  }
  TORCH_CHECK(weight.size(2) == 3 && weight.size(3) == 3 && weight.size(1) == x.size(1) &&
                  weight.size(0) % CHANNELS == 0 && weight.size(1) % CHANNELS == 0 &&
                  weight.numel() > 0,
              "darkroom::winograd: the weight must be [out,in,3,3] with the channels of x, both "
              "multiples of ",
              CHANNELS);
  TORCH_CHECK(
      padding >= 0 && x.size(0) > 0 && x.size(2) + 2 * padding > 2 && x.size(3) + 2 * padding > 2,
      "darkroom::winograd: the pictures must be 3×3 or larger");
  return type == at::kFloat ? compute(kernels()->float32) : compute(kernels()->bfloat16);
}

at::Tensor winograd(const at::Tensor& x, const at::Tensor& weight,
                    const std::optional<at::Tensor>& bias, int64_t padding) {
  const at::Tensor offset = bias.has_value() ? bias->contiguous() : at::Tensor();
  TORCH_CHECK(!offset.defined() || (offset.scalar_type() == weight.scalar_type() &&
                                    offset.dim() == 1 && offset.size(0) == weight.size(0)),
              "darkroom::winograd: the bias must be [out], of the weight's type");
  return with_kernel(x, weight, padding, [&](const auto& kernel) {
    return Convolution(kernel, x, weight, padding).run(x, weight, offset);
  });
}

// What it needs beside its arguments and results, for tensors on any device.
int64_t winograd_bytes(const at::Tensor& x, const at::Tensor& weight, int64_t padding) {
  return with_kernel(x, weight, padding, [&](const auto& kernel) {
    return Convolution(kernel, x, weight, padding).bytes();
  });
}

const bool provided =
    kernels() != nullptr &&
    provide("winograd", "(Tensor x, Tensor weight, Tensor? bias, int padding) -> Tensor",
            torch::dispatch(c10::DispatchKey::CPU, TORCH_FN(winograd))) &&
    provide("winograd_bytes", "(Tensor x, Tensor weight, int padding) -> int",
            torch::CppFunction(TORCH_FN(winograd_bytes)));

}  // namespace
}  // namespace darkroom

#endif
