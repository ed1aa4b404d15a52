// What winograd.cpp computes with, one for each kind of processor.
#pragma once

#include <stdint.h>

namespace darkroom {

// Pictures whose channels lie side by side, [samples,height,width,channels].
struct Pictures {
  float* start;
  int64_t height;
  int64_t width;
  int64_t channels;
};

// The squares of 2×2 results that a picture is divided into: row by row, sample by sample.
struct Tiles {
  int64_t rows;
  int64_t columns;
};

// A table [16,rows,row] of transformed numbers: one of the 16 places in a tile after the other.
struct Places {
  float* start;
  int64_t plane;  // from one place to the next
  int64_t row;    // from one tile to the next
};

// Not a member, nor without "static": the linker could take what was compiled for another processor.
static inline Places from(const Places& places, int64_t tile) {
  return {places.start + tile * places.row, places.plane, places.row};
}

struct WinogradKernel {
  int64_t panel;  // channels of results that are computed together
  int64_t block;  // tiles that are computed together, at most
  int64_t rows;   // of them, whose sums are held in registers

  // Transforms the weights [count,in,3,3] of a panel to [16,in,panel]; what it has more of is zero.
  // Channels are multiples of 16.
  void (*weights)(const float* weights, int64_t count, int64_t in, float* transformed);

  // Transforms tiles of pictures, the first of which is `first`, with `padding` zeros around.
  void (*pictures)(const Pictures& x, const Tiles& tiles, int64_t padding, const float* zeros,
                   int64_t first, int64_t count, const Places& transformed);

  // Computes `count` channels of results, a panel, for at most a block of tiles.
  // sums: [16,block,panel], to write to. bias: may be null.
  void (*results)(const Places& transformed, const Tiles& tiles, int64_t first, int64_t tile_count,
                  const float* weights, int64_t in, const float* bias, float* sums,
                  const Pictures& y, int64_t channel, int64_t count);
};

extern const WinogradKernel winograd_avx2;
extern const WinogradKernel winograd_avx512;

}  // namespace darkroom
