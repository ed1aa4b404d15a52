// The operator darkroom::winograd: convolutions 3×3 in float32 by the algorithm of Winograd (Lavin and Gray
// 2016, arXiv:1509.09308): 16 products for a tile of 2×2 results, which take 36 otherwise. Pictures and
// weights are transformed, multiplied in each of a tile's 16 places, and transformed back.
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

// What is to stay in the third cache, in numbers: transformed weights, or transformed pictures. Of these
// so many tiles at least, which the transformation of the weights is repeated for.
constexpr int64_t WEIGHTS = 5 << 20;
constexpr int64_t PICTURES = 2 << 20;
constexpr int64_t TILES = 224;

// What the tiles of a thread may take: more than this would find no room in its second cache.
constexpr int64_t BLOCK = 448 << 10;

// Channels are a multiple of this, for vectors of any processor.
constexpr int64_t CHANNELS = 16;

// By what libtorch computes with, which ATEN_CPU_CAPABILITY limits.
const WinogradKernel* kernel() {
  static const WinogradKernel* const found = [] {
    const std::string vectors = at::get_cpu_capability();
    return vectors == "AVX512" ? &winograd_avx512 : vectors == "AVX2" ? &winograd_avx2 : nullptr;
  }();
  return found;
}

Pictures pictures_of(const at::Tensor& x) {
  return {x.data_ptr<float>(), x.size(2), x.size(3), x.size(1)};
}

class Convolution {
 public:
  Convolution(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, int64_t padding,
              const at::Tensor& y)
      : kernel_(*kernel()), x_(pictures_of(x)), y_(pictures_of(y)), weight_(weight.data_ptr<float>()),
        bias_(bias.defined() ? bias.data_ptr<float>() : nullptr), padding_(padding),
        tiles_{at::divup(y_.height, 2), at::divup(y_.width, 2)}, count_(x.size(0) * tiles_.rows * tiles_.columns),
        in_(x_.channels), panels_(at::divup(y_.channels, kernel_.panel)),
        zeros_(at::zeros({in_}, x.options())) {}

  void run() {
    if (panels_ * panel_size() <= WEIGHTS && count_ >= 2 * kernel_.block * at::get_num_threads()) {
      by_tiles();
    } else {
      by_panels();
    }
  }

 private:
  // Large pictures: all weights are transformed first; then a thread transforms some tiles and multiplies
  // them by one panel after the other.
  void by_tiles() {
    const at::Tensor weights = numbers(panels_ * panel_size());
    const auto weights_of = [&](int64_t panel) { return weights.data_ptr<float>() + panel * panel_size(); };
    in_parallel(panels_, [&](int64_t, Parts& panels) {
      for (int64_t panel; panels.take(panel);) transform_weights(panel, weights_of(panel));
    });
    const int64_t fitting = BLOCK / (16 * row()) / kernel_.rows * kernel_.rows;
    const int64_t block = std::clamp(fitting, kernel_.rows, kernel_.block);
    const int64_t plane = plane_of(block);
    const at::Tensor buffers = numbers_for_threads(16 * plane);
    in_parallel(at::divup(count_, block), [&](int64_t thread, Parts& blocks) {
      float* const sums = buffers.data_ptr<float>() + thread * buffers.size(1);
      const Places places{sums + sums_size(), plane, row()};
      for (int64_t i; blocks.take(i);) {
        const int64_t first = i * block;
        const int64_t count = std::min(block, count_ - first);
        transform_tiles(first, count, places);
        for (int64_t panel = 0; panel < panels_; ++panel) {
          multiply(panel, weights_of(panel), first, count, places, sums);
        }
      }
    });
  }

  // Many channels: some tiles are transformed first; then a thread transforms the weights of a panel and
  // multiplies one block of the tiles after the other by them. Where panels are few, a thread takes one
  // block of a panel.
  void by_panels() {
    const int64_t fitting = std::max(PICTURES / (16 * row()), TILES);
    const int64_t chunk = std::min(count_, at::divup(fitting, kernel_.block) * kernel_.block);
    const at::Tensor transformed = numbers(16 * plane_of(chunk));
    const Places places{transformed.data_ptr<float>(), plane_of(chunk), row()};
    const at::Tensor buffers = numbers_for_threads(panel_size());
    const int64_t threads = at::get_num_threads();
    for (int64_t first = 0; first < count_; first += chunk) {
      const int64_t count = std::min(chunk, count_ - first);
      const auto tiles_of = [&](int64_t block) { return std::min(kernel_.block, count - block * kernel_.block); };
      const int64_t blocks = at::divup(count, kernel_.block);
      in_parallel(blocks, [&](int64_t, Parts& all) {
        for (int64_t block; all.take(block);) {
          const int64_t tile = block * kernel_.block;
          transform_tiles(first + tile, tiles_of(block), from(places, tile));
        }
      });
      const int64_t together = panels_ >= 4 * threads ? blocks : 1;
      in_parallel(panels_ * blocks / together, [&](int64_t thread, Parts& all) {
        float* const sums = buffers.data_ptr<float>() + thread * buffers.size(1);
        float* const weights = sums + sums_size();
        for (int64_t i; all.take(i);) {
          const int64_t panel = i * together / blocks;
          const int64_t begin = i * together % blocks;
          transform_weights(panel, weights);
          for (int64_t block = begin; block < begin + together; ++block) {
            const int64_t tile = block * kernel_.block;
            multiply(panel, weights, first + tile, tiles_of(block), from(places, tile), sums);
          }
        }
      });
    }
  }

  void transform_weights(int64_t panel, float* transformed) const {
    kernel_.weights(weight_ + panel * kernel_.panel * in_ * 9, channels(panel), in_, transformed);
  }

  void transform_tiles(int64_t first, int64_t count, const Places& places) const {
    kernel_.pictures(x_, tiles_, padding_, zeros_.data_ptr<float>(), first, count, places);
  }

  void multiply(int64_t panel, const float* weights, int64_t first, int64_t count, const Places& places,
                float* sums) const {
    kernel_.results(places, tiles_, first, count, weights, in_, bias_, sums, y_, panel * kernel_.panel,
                    channels(panel));
  }

  int64_t channels(int64_t panel) const {
    return std::min(kernel_.panel, y_.channels - panel * kernel_.panel);
  }

  at::Tensor numbers(int64_t count) const { return at::empty({count}, zeros_.options()); }

  // For each thread sums, and so many numbers more.
  at::Tensor numbers_for_threads(int64_t more) const {
    return at::empty({at::get_num_threads(), sums_size() + more}, zeros_.options());
  }

  // Sizes, in numbers. Tiles lie a bit apart, so that they don't all fall on the same places of the first
  // cache.
  int64_t row() const { return in_ + CHANNELS; }
  int64_t plane_of(int64_t tiles) const { return tiles * row() + CHANNELS; }
  int64_t panel_size() const { return 16 * in_ * kernel_.panel; }
  int64_t sums_size() const { return 16 * kernel_.block * kernel_.panel; }

  const WinogradKernel& kernel_;
  Pictures x_;
  Pictures y_;
  const float* weight_;
  const float* bias_;
  int64_t padding_;
  Tiles tiles_;
  int64_t count_;  // of tiles
  int64_t in_;
  int64_t panels_;
  at::Tensor zeros_;  // a pixel outside of the picture
};

at::Tensor winograd(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                    int64_t padding) {
  for (const at::Tensor& t : {x, weight}) {
    TORCH_CHECK(t.scalar_type() == at::kFloat && t.dim() == 4 && t.layout() == at::kStrided,
                "darkroom::winograd: x and the weight must be float32 with four sizes");
  }
  TORCH_CHECK(weight.size(2) == 3 && weight.size(3) == 3 && weight.size(1) == x.size(1) &&
                  weight.size(0) % CHANNELS == 0 && weight.size(1) % CHANNELS == 0 && weight.numel() > 0,
              "darkroom::winograd: the weight must be [out,in,3,3] with the channels of x, both multiples "
              "of ", CHANNELS);
  TORCH_CHECK(padding >= 0 && x.size(2) + 2 * padding > 2 && x.size(3) + 2 * padding > 2,
              "darkroom::winograd: the pictures must be 3×3 or larger");
  const at::Tensor offset = bias.has_value() ? bias->contiguous() : at::Tensor();
  TORCH_CHECK(!offset.defined() || (offset.scalar_type() == at::kFloat && offset.dim() == 1 &&
                                    offset.size(0) == weight.size(0)),
              "darkroom::winograd: the bias must be float32 [out]");
  const at::Tensor y = at::empty(
      {x.size(0), weight.size(0), x.size(2) + 2 * padding - 2, x.size(3) + 2 * padding - 2},
      x.options().memory_format(at::MemoryFormat::ChannelsLast));
  if (y.numel() > 0) {
    Convolution(x.contiguous(at::MemoryFormat::ChannelsLast), weight.contiguous(), offset, padding, y).run();
  }
  return y;
}

const bool provided =
    kernel() != nullptr && provide("winograd", "(Tensor x, Tensor weight, Tensor? bias, int padding) -> Tensor",
                                   torch::dispatch(c10::DispatchKey::CPU, TORCH_FN(winograd)));

}  // namespace
}  // namespace darkroom

#endif
