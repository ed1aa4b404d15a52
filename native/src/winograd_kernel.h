// What winograd.cpp computes with, one for each kind of processor.
#pragma once

#include <stdint.h>

namespace darkroom {

// The upper half of a float.
typedef uint16_t Bfloat16;

// Pictures whose channels lie side by side, [samples,height,width,channels].
template <typename Number>
struct Pictures {
  Number* start;
  int64_t height;
  int64_t width;
  int64_t channels;
};

// The squares of results that a picture is divided into: row by row, sample by sample.
struct Tiles {
  int64_t rows;
  int64_t columns;
};

// From one place to the next, if it has so many numbers: a line of a cache is left free, since all
// places would fall on the same few sets of it. Neither a member nor without "static": the linker
// could take what was compiled for another processor.
static inline int64_t plane_of(int64_t numbers) { return numbers + 16; }

// A table [chunks,places,tiles,terms] of transformed numbers: some channels after the other, of
// which one of the places in a tile after the other.
struct Places {
  float* start;
  int64_t chunk;  // from some channels to the next
  int64_t plane;  // from one place to the next
  int64_t terms;  // channels of a chunk, from one tile to the next
};

// Pictures and weights are of type Number; all that is transformed is float. Products of `terms`
// channels are added up, and then these sums: that rounds less than one long sum, and their
// transformed weights stay in the second cache.
template <typename Number>
struct WinogradKernel {
  int64_t size;    // results of a tile in each direction
  int64_t places;  // in a tile of transformed numbers
  int64_t panel;   // channels of results that are computed together
  int64_t block;   // tiles that are computed together, at most
  int64_t rows;    // of them, whose sums are held in registers
  int64_t terms;   // at most

  // Transforms some channels, `terms` of `in`, of the weights [count,in,3,3] of a panel to
  // [places,terms,panel] in planes; what it has more of is zero. Channels are multiples of 16.
  void (*weights)(const Number* weights, int64_t count, int64_t in, int64_t terms,
                  float* transformed);

  // Transforms tiles of pictures, the first of which is `first`, with `padding` zeros around.
  void (*pictures)(const Pictures<const Number>& x, const Tiles& tiles, int64_t padding,
                   const Number* zeros, int64_t first, int64_t count, const Places& transformed);

  // Computes the sums [places,block,panel] of a panel, in planes, for at most a block of tiles, or
  // adds to them what a chunk has, the products of `terms` channels.
  void (*sums)(const Places& transformed, int64_t chunk, int64_t tile_count, const float* weights,
               int64_t terms, float* sums);

  // Transforms sums to `count` channels of results. bias: may be null.
  void (*results)(const float* sums, const Tiles& tiles, int64_t first, int64_t tile_count,
                  const Number* bias, const Pictures<Number>& y, int64_t channel, int64_t count);
};

struct WinogradKernels {
  WinogradKernel<float> float32;
  WinogradKernel<Bfloat16> bfloat16;
};

extern const WinogradKernels winograd_avx2;
extern const WinogradKernels winograd_avx512;

}  // namespace darkroom
