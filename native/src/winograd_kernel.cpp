// Compiled for each kind of processor: KERNEL is the name, LANES the floats in a vector, and ROWS rows of two
// vectors are added up in registers. Includes nothing that has inline functions, since the linker could
// take these for other processors too.
#include "winograd_kernel.h"

namespace darkroom {
namespace {

// Sums are held in registers where these loops have no end left to test.
#ifdef __clang__
#define DARKROOM_UNROLL _Pragma("clang loop unroll(full)")
#else
#define DARKROOM_UNROLL _Pragma("GCC unroll 16")
#endif

typedef float Vector __attribute__((vector_size(LANES * sizeof(float))));
typedef float Unaligned
    __attribute__((vector_size(LANES * sizeof(float)), aligned(sizeof(float)), may_alias));

inline Vector load(const float* from) { return *reinterpret_cast<const Unaligned*>(from); }

inline void store(float* to, Vector x) { *reinterpret_cast<Unaligned*>(to) = x; }

// The first, or the last, halves of two vectors, lane by lane in turns.
inline Vector zip(Vector a, Vector b, bool last) {
#if LANES == 16
#define DARKROOM_ZIP(i)                                                                             \
  i, 16 + i, 1 + i, 17 + i, 2 + i, 18 + i, 3 + i, 19 + i, 4 + i, 20 + i, 5 + i, 21 + i, 6 + i, 22 + i, \
      7 + i, 23 + i
#else
#define DARKROOM_ZIP(i) i, 8 + i, 1 + i, 9 + i, 2 + i, 10 + i, 3 + i, 11 + i
#endif
#ifdef __clang__
  return last ? __builtin_shufflevector(a, b, DARKROOM_ZIP(LANES / 2))
              : __builtin_shufflevector(a, b, DARKROOM_ZIP(0));
#else
  typedef int32_t Places __attribute__((vector_size(LANES * sizeof(int32_t))));
  return last ? __builtin_shuffle(a, b, Places{DARKROOM_ZIP(LANES / 2)})
              : __builtin_shuffle(a, b, Places{DARKROOM_ZIP(0)});
#endif
}

// Turns rows [LANES,LANES] into columns: zipping the first half with the last, LANES times doubled.
inline void transpose(Vector (&rows)[LANES]) {
  for (int round = 1; round < LANES; round *= 2) {
    Vector zipped[LANES];
DARKROOM_UNROLL
    for (int i = 0; i < LANES / 2; ++i) {
      zipped[2 * i] = zip(rows[i], rows[i + LANES / 2], false);
      zipped[2 * i + 1] = zip(rows[i], rows[i + LANES / 2], true);
    }
DARKROOM_UNROLL
    for (int i = 0; i < LANES; ++i) rows[i] = zipped[i];
  }
}

constexpr int64_t PANEL = 2 * LANES;
constexpr int64_t BLOCK = 4 * ROWS;

// Products of so many channels are added up, and then these sums: that rounds less than one long sum.
constexpr int64_t TERMS = 256;

// G g Gᵀ (Lavin and Gray 2016, arXiv:1509.09308, as all transforms here), for LANES kernels g.
void transform_kernels(const Vector* g, float* to, int64_t plane) {
  Vector half[4][3];
  for (int j = 0; j < 3; ++j) {
    const Vector outer = 0.5f * (g[j] + g[6 + j]);
    const Vector inner = 0.5f * g[3 + j];
    half[0][j] = g[j];
    half[1][j] = outer + inner;
    half[2][j] = outer - inner;
    half[3][j] = g[6 + j];
  }
  for (int i = 0; i < 4; ++i) {
    const Vector outer = 0.5f * (half[i][0] + half[i][2]);
    const Vector inner = 0.5f * half[i][1];
    store(to + (4 * i) * plane, half[i][0]);
    store(to + (4 * i + 1) * plane, outer + inner);
    store(to + (4 * i + 2) * plane, outer - inner);
    store(to + (4 * i + 3) * plane, half[i][2]);
  }
}

void weights(const float* weights, int64_t count, int64_t in, float* transformed) {
  for (int64_t channel = 0; channel < PANEL; channel += LANES) {
    for (int64_t first = 0; first < in; first += LANES) {
      Vector numbers[9][LANES];  // a lane for each output channel
      for (int part = 0; part < 9; ++part) {
DARKROOM_UNROLL
        for (int lane = 0; lane < LANES; ++lane) {
          const float* from = weights + ((channel + lane) * in + first) * 9 + part * LANES;
          numbers[part][lane] = channel < count ? load(from) : Vector{};
        }
        transpose(numbers[part]);
      }
      for (int64_t c = 0; c < LANES; ++c) {
        transform_kernels(&numbers[0][0] + 9 * c, transformed + (first + c) * PANEL + channel,
                          in * PANEL);
      }
    }
  }
}

// Bᵀ d B for LANES channels of a tile.
inline void transform_tile(const float* const (&pixels)[4][4], int64_t channel, float* to, int64_t plane) {
  Vector half[4][4];
  for (int j = 0; j < 4; ++j) {
    const Vector d[4] = {load(pixels[0][j] + channel), load(pixels[1][j] + channel),
                         load(pixels[2][j] + channel), load(pixels[3][j] + channel)};
    half[0][j] = d[0] - d[2];
    half[1][j] = d[1] + d[2];
    half[2][j] = d[2] - d[1];
    half[3][j] = d[1] - d[3];
  }
  for (int i = 0; i < 4; ++i) {
    store(to + (4 * i) * plane, half[i][0] - half[i][2]);
    store(to + (4 * i + 1) * plane, half[i][1] + half[i][2]);
    store(to + (4 * i + 2) * plane, half[i][2] - half[i][1]);
    store(to + (4 * i + 3) * plane, half[i][1] - half[i][3]);
  }
}

// The left upper result of a tile.
struct Corner {
  int64_t sample;
  int64_t row;
  int64_t column;

  Corner(const Tiles& tiles, int64_t index)
      : sample(index / tiles.columns / tiles.rows), row(index / tiles.columns % tiles.rows * 2),
        column(index % tiles.columns * 2) {}
};

// The channels of a pixel that lies so far from the corner; NULL outside of the picture.
inline float* pixel(const Pictures& x, const Corner& corner, int64_t down, int64_t right) {
  const int64_t row = corner.row + down;
  const int64_t column = corner.column + right;
  const bool inside = row >= 0 && row < x.height && column >= 0 && column < x.width;
  return inside ? x.start + ((corner.sample * x.height + row) * x.width + column) * x.channels : nullptr;
}

void pictures(const Pictures& x, const Tiles& tiles, int64_t padding, const float* zeros, int64_t first,
              int64_t count, const Places& transformed) {
  for (int64_t tile = 0; tile < count; ++tile) {
    const Corner corner(tiles, first + tile);
    const float* pixels[4][4];
    for (int64_t i = 0; i < 4; ++i) {
      for (int64_t j = 0; j < 4; ++j) {
        const float* const found = pixel(x, corner, i - padding, j - padding);
        pixels[i][j] = found == nullptr ? zeros : found;
      }
    }
    for (int64_t channel = 0; channel < x.channels; channel += LANES) {
      transform_tile(pixels, channel, from(transformed, tile).start + channel, transformed.plane);
    }
  }
}

// sums [N,PANEL] = rows [N,terms] · weights [terms,PANEL], or is added to them.
template <int N>
void product(const float* rows, int64_t row, const float* weights, int64_t terms, float* sums, bool add) {
  Vector sum[N][2] = {};
  for (int64_t i = 0; i < terms; ++i) {
    const Vector low = load(weights + i * PANEL);
    const Vector high = load(weights + i * PANEL + LANES);
DARKROOM_UNROLL
    for (int n = 0; n < N; ++n) {
      const float factor = rows[n * row + i];
      sum[n][0] += factor * low;
      sum[n][1] += factor * high;
    }
  }
DARKROOM_UNROLL
  for (int n = 0; n < N; ++n) {
    float* const to = sums + n * PANEL;
    store(to, add ? load(to) + sum[n][0] : sum[n][0]);
    store(to + LANES, add ? load(to + LANES) + sum[n][1] : sum[n][1]);
  }
}

// The same for up to N rows and any number of terms.
template <int N>
void product_of(int64_t count, const float* rows, int64_t row, const float* weights, int64_t terms,
                float* sums) {
  if (count == N) {
    for (int64_t i = 0; i < terms; i += TERMS) {
      const int64_t part = terms - i < TERMS ? terms - i : TERMS;
      product<N>(rows + i, row, weights + i * PANEL, part, sums, i > 0);
    }
  } else if constexpr (N > 1) {
    product_of<N - 1>(count, rows, row, weights, terms, sums);
  }
}

// Aᵀ m A for LANES channels of a tile, plus the bias; written to the pixels that are not null.
inline void transform_sums(const float* sums, Vector bias, float* const (&pixels)[2][2], int64_t channel) {
  Vector half[2][4];
  for (int j = 0; j < 4; ++j) {
    const Vector m[4] = {load(sums + j * BLOCK * PANEL), load(sums + (4 + j) * BLOCK * PANEL),
                         load(sums + (8 + j) * BLOCK * PANEL), load(sums + (12 + j) * BLOCK * PANEL)};
    half[0][j] = m[0] + m[1] + m[2];
    half[1][j] = m[1] - m[2] - m[3];
  }
  for (int i = 0; i < 2; ++i) {
    const Vector left = half[i][0] + half[i][1] + half[i][2] + bias;
    const Vector right = half[i][1] - half[i][2] - half[i][3] + bias;
    if (pixels[i][0] != nullptr) store(pixels[i][0] + channel, left);
    if (pixels[i][1] != nullptr) store(pixels[i][1] + channel, right);
  }
}

void results(const Places& transformed, const Tiles& tiles, int64_t first, int64_t tile_count,
             const float* weights, int64_t in, const float* bias, float* sums, const Pictures& y,
             int64_t channel, int64_t count) {
  for (int64_t place = 0; place < 16; ++place) {
    for (int64_t tile = 0; tile < tile_count; tile += ROWS) {
      const int64_t rows = tile_count - tile < ROWS ? tile_count - tile : ROWS;
      product_of<ROWS>(rows, from(transformed, tile).start + place * transformed.plane, transformed.row,
                       weights + place * in * PANEL, in, sums + (place * BLOCK + tile) * PANEL);
    }
  }
  for (int64_t tile = 0; tile < tile_count; ++tile) {
    const Corner corner(tiles, first + tile);
    float* const pixels[2][2] = {{pixel(y, corner, 0, 0), pixel(y, corner, 0, 1)},
                                 {pixel(y, corner, 1, 0), pixel(y, corner, 1, 1)}};
    for (int64_t c = 0; c < count; c += LANES) {
      const Vector offset = bias == nullptr ? Vector{} : load(bias + channel + c);
      transform_sums(sums + tile * PANEL + c, offset, pixels, channel + c);
    }
  }
}

}  // namespace

const WinogradKernel KERNEL = {PANEL, BLOCK, ROWS, weights, pictures, results};

}  // namespace darkroom
