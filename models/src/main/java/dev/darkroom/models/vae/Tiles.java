package dev.darkroom.models.vae;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.util.ArrayList;
import java.util.List;

/**
 * Decodes latents in tiles that overlap by a quarter and are blended there, so that memory is a
 * tile's and not the picture's: diffusers' {@code tiled_decode}. Each tile is normalised alone, so
 * the result differs a little from that of the whole.
 *
 * @param vae decodes a tile
 * @param tile rows and columns of a tile of latents
 */
record Tiles(AutoencoderKl vae, int tile) {
    /** The share of a tile that it has in common with the next. */
    private static final double OVERLAP = 0.25;

    /** From where a tile begins to where the next does. */
    private int stride() {
        return Math.max(1, (int) (tile * (1 - OVERLAP)));
    }

    /** Rows and columns of a tile of the picture. */
    private int tilePixels() {
        return tile * vae.config().downsampling();
    }

    /**
     * Decodes.
     *
     * @param z {@code [N,C,h,w]}, not scaled
     * @return images {@code [N,C',H,W]}
     */
    Tensor decode(Tensor z) {
        int blended = (int) (tilePixels() * OVERLAP);
        int kept = tilePixels() - blended;
        try (var all = TensorScope.open()) {
            List<Tensor> rows = new ArrayList<>();
            List<Tensor> above = List.of();
            for (long y = 0; y < z.size(2); y += stride()) {
                try (var scope = TensorScope.open()) {
                    List<Tensor> tiles = tiles(z.narrow(2, y, Math.min(tile, z.size(2) - y)));
                    List<Tensor> cut = new ArrayList<>();
                    for (int i = 0; i < tiles.size(); i++) {
                        Tensor at = tiles.get(i);
                        if (!above.isEmpty()) {
                            at = blend(above.get(i), at, 2, blended);
                        }
                        if (i > 0) {
                            at = blend(tiles.get(i - 1), at, 3, blended);
                        }
                        tiles.set(i, at);
                        cut.add(
                                at.narrow(2, 0, Math.min(kept, at.size(2)))
                                        .narrow(3, 0, Math.min(kept, at.size(3))));
                    }
                    rows.add(scope.keep(Ops.cat(3, cut)));
                    above.forEach(Tensor::close);
                    above = tiles.stream().map(scope::keep).toList();
                }
            }
            return all.keep(Ops.cat(2, rows));
        }
    }

    /** The tiles of a row, decoded from left to right. */
    private List<Tensor> tiles(Tensor row) {
        List<Tensor> tiles = new ArrayList<>();
        for (long x = 0; x < row.size(3); x += stride()) {
            tiles.add(vae.decode(row.narrow(3, x, Math.min(tile, row.size(3) - x))));
        }
        return tiles;
    }

    /**
     * Fades from one tile into the next.
     *
     * @param before the tile above or to the left
     * @param dim along which they follow each other
     * @param extent how many pixels they have in common
     */
    private static Tensor blend(Tensor before, Tensor after, int dim, int extent) {
        long common = Math.min(extent, Math.min(before.size(dim), after.size(dim)));
        var shape = new long[] {1, 1, 1, 1};
        shape[dim] = common;
        Tensor share = // 0 to just below 1
                Tensor.arange(0, common, 1, DType.FLOAT32, after.device())
                        .dividedBy(common)
                        .to(after.dtype())
                        .reshape(shape);
        Tensor end = before.narrow(dim, before.size(dim) - common, common);
        Tensor start = after.narrow(dim, 0, common);
        Tensor faded = end.times(share.subtractedFrom(1)).plus(start.times(share));
        Tensor rest = after.narrow(dim, common, after.size(dim) - common);
        return Ops.cat(dim, faded, rest);
    }
}
