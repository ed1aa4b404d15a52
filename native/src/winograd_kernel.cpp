// Compiled for each kind of processor: KERNEL is the name, LANES the floats in a vector, and ROWS
// rows of two vectors are added up in registers. Includes nothing that has inline functions, since
// the linker could take these for other processors too.
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

typedef uint32_t Bits __attribute__((vector_size(LANES * sizeof(uint32_t))));
typedef Bfloat16 Halves
    __attribute__((vector_size(LANES * sizeof(Bfloat16)), aligned(sizeof(Bfloat16)), may_alias));

inline Vector load(const float* from) { return *reinterpret_cast<const Unaligned*>(from); }

inline Vector load(const Bfloat16* from) {
  return (Vector)(__builtin_convertvector(*reinterpret_cast<const Halves*>(from), Bits) << 16);
}

inline void store(float* to, Vector x) { *reinterpret_cast<Unaligned*>(to) = x; }

// Rounds to the nearest, of two as near to the even one; what is not a number stays so.
inline void store(Bfloat16* to, Vector x) {
  const Bits bits = (Bits)x;
  const Bits none = (Bits)(x != x) & 0x7fc00000;
  const Bits rounded = (bits + 0x7fff + (bits >> 16 & 1)) | none;
  *reinterpret_cast<Halves*>(to) = __builtin_convertvector(rounded >> 16, Halves);
}

// The first, or the last, halves of two vectors, lane by lane in turns.
inline Vector zip(Vector a, Vector b, bool last) {
#if LANES == 16
#define DARKROOM_ZIP(i)                                                                        \
  i, 16 + i, 1 + i, 17 + i, 2 + i, 18 + i, 3 + i, 19 + i, 4 + i, 20 + i, 5 + i, 21 + i, 6 + i, \
      22 + i, 7 + i, 23 + i
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

// Where the compiler's builtin is to fetch to.
constexpr int SECOND_CACHE = 2;

// The transforms of one dimension (Lavin and Gray 2016, arXiv:1509.09308), for SIZE results from
// SIDE pixels.
template <int SIZE>
struct Transform;

template <>
struct Transform<2> {
  static constexpr int SIDE = 4;

  static void weights(const Vector (&g)[3], Vector (&to)[SIDE]) {
    const Vector outer = 0.5f * (g[0] + g[2]);
    const Vector inner = 0.5f * g[1];
    to[0] = g[0];
    to[1] = outer + inner;
    to[2] = outer - inner;
    to[3] = g[2];
  }

  static void pixels(const Vector (&d)[SIDE], Vector (&to)[SIDE]) {
    to[0] = d[0] - d[2];
    to[1] = d[1] + d[2];
    to[2] = d[2] - d[1];
    to[3] = d[1] - d[3];
  }

  static void sums(const Vector (&m)[SIDE], Vector (&to)[2]) {
    to[0] = m[0] + m[1] + m[2];
    to[1] = m[1] - m[2] - m[3];
  }
};

template <>
struct Transform<4> {
  static constexpr int SIDE = 6;

  static void weights(const Vector (&g)[3], Vector (&to)[SIDE]) {
    const Vector near = (-1 / 6.f) * (g[0] + g[2]);
    const Vector far = (1 / 24.f) * g[0] + (1 / 6.f) * g[2];
    to[0] = 0.25f * g[0];
    to[1] = near - (1 / 6.f) * g[1];
    to[2] = near + (1 / 6.f) * g[1];
    to[3] = far + (1 / 12.f) * g[1];
    to[4] = far - (1 / 12.f) * g[1];
    to[5] = g[2];
  }

  static void pixels(const Vector (&d)[SIDE], Vector (&to)[SIDE]) {
    const Vector near_even = d[4] - 4.f * d[2];
    const Vector near_odd = d[3] - 4.f * d[1];
    const Vector far_even = d[4] - d[2];
    const Vector far_odd = 2.f * (d[3] - d[1]);
    to[0] = 4.f * (d[0] - d[2]) + far_even;
    to[1] = near_even + near_odd;
    to[2] = near_even - near_odd;
    to[3] = far_even + far_odd;
    to[4] = far_even - far_odd;
    to[5] = 4.f * (d[1] - d[3]) + (d[5] - d[3]);
  }

  static void sums(const Vector (&m)[SIDE], Vector (&to)[4]) {
    const Vector near_even = m[1] + m[2];
    const Vector near_odd = m[1] - m[2];
    const Vector far_even = m[3] + m[4];
    const Vector far_odd = m[3] - m[4];
    to[0] = m[0] + near_even + far_even;
    to[1] = near_odd + 2.f * far_odd;
    to[2] = near_even + 4.f * far_even;
    to[3] = near_odd + 8.f * far_odd + m[5];
  }
};

template <int SIZE>
constexpr int PLACES = Transform<SIZE>::SIDE * Transform<SIZE>::SIDE;

// Both dimensions: the columns of from [FROM,FROM] first, then rows, which are given to store.
template <int FROM, int TO, typename One, typename Store>
inline void transform(const Vector (&from)[FROM][FROM], const One& one, const Store& store) {
  Vector half[TO][FROM];
  DARKROOM_UNROLL
  for (int j = 0; j < FROM; ++j) {
    Vector column[FROM];
    Vector transformed[TO];
    DARKROOM_UNROLL
    for (int i = 0; i < FROM; ++i) column[i] = from[i][j];
    one(column, transformed);
    DARKROOM_UNROLL
    for (int i = 0; i < TO; ++i) half[i][j] = transformed[i];
  }
  DARKROOM_UNROLL
  for (int i = 0; i < TO; ++i) {
    Vector row[TO];
    one(half[i], row);
    store(i, row);
  }
}

template <typename Number, int SIZE>
void weights(const Number* weights, int64_t count, int64_t in, int64_t terms, float* transformed) {
  constexpr int SIDE = Transform<SIZE>::SIDE;
  for (int64_t channel = 0; channel < PANEL; channel += LANES) {
    for (int64_t first = 0; first < terms; first += LANES) {
      Vector numbers[9][LANES];  // a lane for each output channel
      for (int part = 0; part < 9; ++part) {
        DARKROOM_UNROLL
        for (int lane = 0; lane < LANES; ++lane) {
          const Number* from = weights + ((channel + lane) * in + first) * 9 + part * LANES;
          numbers[part][lane] = channel < count ? load(from) : Vector{};
        }
        transpose(numbers[part]);
      }
      for (int64_t c = 0; c < LANES; ++c) {
        float* const to = transformed + (first + c) * PANEL + channel;
        Vector kernel[3][3];
        DARKROOM_UNROLL
        for (int i = 0; i < 9; ++i) kernel[i / 3][i % 3] = (&numbers[0][0])[9 * c + i];
        transform<3, SIDE>(kernel, Transform<SIZE>::weights, [&](int i, const Vector(&row)[SIDE]) {
          for (int j = 0; j < SIDE; ++j) {
            store(to + (SIDE * i + j) * plane_of(terms * PANEL), row[j]);
          }
        });
      }
    }
  }
}

// The left upper result of a tile.
struct Corner {
  int64_t sample;
  int64_t row;
  int64_t column;

  Corner(const Tiles& tiles, int64_t size, int64_t index)
      : sample(index / tiles.columns / tiles.rows),
        row(index / tiles.columns % tiles.rows * size),
        column(index % tiles.columns * size) {}
};

// The channels of a pixel that lies so far from the corner; NULL outside of the picture.
template <typename Number>
inline Number* pixel(const Pictures<Number>& x, const Corner& corner, int64_t down, int64_t right) {
  const int64_t row = corner.row + down;
  const int64_t column = corner.column + right;
  const bool inside = row >= 0 && row < x.height && column >= 0 && column < x.width;
  return inside ? x.start + ((corner.sample * x.height + row) * x.width + column) * x.channels
                : nullptr;
}

template <typename Number, int SIZE>
void pictures(const Pictures<const Number>& x, const Tiles& tiles, int64_t padding,
              const Number* zeros, int64_t first, int64_t count, const Places& transformed) {
  constexpr int SIDE = Transform<SIZE>::SIDE;
  for (int64_t tile = 0; tile < count; ++tile) {
    const Corner corner(tiles, SIZE, first + tile);
    const Number* pixels[SIDE][SIDE];
    for (int64_t i = 0; i < SIDE; ++i) {
      for (int64_t j = 0; j < SIDE; ++j) {
        const Number* const found = pixel(x, corner, i - padding, j - padding);
        pixels[i][j] = found == nullptr ? zeros : found;
      }
    }
    for (int64_t channel = 0; channel < x.channels; channel += LANES) {
      const int64_t chunk = channel / transformed.terms;
      float* const to = transformed.start + chunk * transformed.chunk + tile * transformed.terms +
                        channel % transformed.terms;
      Vector numbers[SIDE][SIDE];
      for (int i = 0; i < PLACES<SIZE>; ++i) {
        numbers[i / SIDE][i % SIDE] = load(pixels[i / SIDE][i % SIDE] + channel);
      }
      transform<SIDE, SIDE>(numbers, Transform<SIZE>::pixels, [&](int i, const Vector(&row)[SIDE]) {
        for (int j = 0; j < SIDE; ++j) store(to + (SIDE * i + j) * transformed.plane, row[j]);
      });
    }
  }
}

// sums [N,PANEL] = rows [N,terms] · weights [terms,PANEL], or is added to them. Rows come from the
// third cache, and the next after them; the first has no room for these yet.
template <int N>
void product(const float* rows, int64_t row, const float* weights, int64_t terms, float* sums,
             bool add) {
  Vector sum[N][2] = {};
  for (int64_t i = 0; i < terms; ++i) {
    if (i % 16 == 0) {  // a line of a cache
      DARKROOM_UNROLL
      for (int n = 0; n < N; ++n) __builtin_prefetch(rows + (N + n) * row + i, 0, SECOND_CACHE);
    }
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

// The same for up to N rows.
template <int N>
void product_of(int64_t count, const float* rows, int64_t row, const float* weights, int64_t terms,
                float* sums, bool add) {
  if (count == N) {
    product<N>(rows, row, weights, terms, sums, add);
  } else if constexpr (N > 1) {
    product_of<N - 1>(count, rows, row, weights, terms, sums, add);
  }
}

template <int SIZE>
void sums(const Places& transformed, int64_t chunk, int64_t tile_count, const float* weights,
          int64_t terms, float* sums) {
  for (int64_t place = 0; place < PLACES<SIZE>; ++place) {
    const float* const tiles =
        transformed.start + chunk * transformed.chunk + place * transformed.plane;
    for (int64_t tile = 0, left; (left = tile_count - tile) > 0;) {
      // Alike, since few rows at the end would take as long as many.
      const int64_t groups = (left + ROWS - 1) / ROWS;
      const int64_t rows = (left + groups - 1) / groups;
      product_of<ROWS>(rows, tiles + tile * transformed.terms, transformed.terms,
                       weights + place * plane_of(terms * PANEL), terms,
                       sums + place * plane_of(BLOCK * PANEL) + tile * PANEL, chunk > 0);
      tile += rows;
    }
  }
}

template <typename Number, int SIZE>
void results(const float* sums, const Tiles& tiles, int64_t first, int64_t tile_count,
             const Number* bias, const Pictures<Number>& y, int64_t channel, int64_t count) {
  constexpr int SIDE = Transform<SIZE>::SIDE;
  for (int64_t tile = 0; tile < tile_count; ++tile) {
    const Corner corner(tiles, SIZE, first + tile);
    Number* pixels[SIZE][SIZE];
    for (int64_t i = 0; i < SIZE; ++i) {
      for (int64_t j = 0; j < SIZE; ++j) pixels[i][j] = pixel(y, corner, i, j);
    }
    for (int64_t c = 0; c < count; c += LANES) {
      const float* const from = sums + tile * PANEL + c;
      const Vector offset = bias == nullptr ? Vector{} : load(bias + channel + c);
      Vector numbers[SIDE][SIDE];
      for (int i = 0; i < PLACES<SIZE>; ++i) {
        numbers[i / SIDE][i % SIDE] = load(from + i * plane_of(BLOCK * PANEL));
      }
      transform<SIDE, SIZE>(numbers, Transform<SIZE>::sums, [&](int i, const Vector(&row)[SIZE]) {
        for (int j = 0; j < SIZE; ++j) {
          if (pixels[i][j] != nullptr) store(pixels[i][j] + channel + c, row[j] + offset);
        }
      });
    }
  }
}

template <typename Number, int SIZE>
constexpr WinogradKernel<Number> kernel(int64_t terms) {
  return {SIZE,
          PLACES<SIZE>,
          PANEL,
          BLOCK,
          ROWS,
          terms,
          weights<Number, SIZE>,
          pictures<Number, SIZE>,
          sums<SIZE>,
          results<Number, SIZE>};
}

}  // namespace

const WinogradKernels KERNEL = {kernel<float, 2>(256), kernel<Bfloat16, 4>(128)};

}  // namespace darkroom
