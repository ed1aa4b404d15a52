package dev.darkroom.models.vae;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * Decodes or encodes in tiles that overlap by a quarter and are blended there, so that memory is a
 * tile's and not the picture's: diffusers' {@code tiled_decode} and {@code tiled_encode}. Each tile
 * is normalised alone, so the result differs a little from that of the whole.
 *
 * @param network makes a tile of another
 * @param tile rows and columns of a tile that it is given
 * @param result rows and columns of what it makes of that
 */
record Tiles(UnaryOperator<Tensor> network, int tile, int result) {
    /** The share of a tile that it has in common with the next. */
    private static final double OVERLAP = 0.25;

    /** From where a tile begins to where the next does. */
    private int stride() {
        return Math.max(1, (int) (tile * (1 - OVERLAP)));
    }

    /** Tiles of latents, which are decoded. */
    static Tiles decoding(AutoencoderKl vae, int tilePixels) {
        return new Tiles(vae::decode, tilePixels / vae.config().downsampling(), tilePixels);
    }

    /** Tiles of pictures, which are encoded as moments. */
    static Tiles encoding(AutoencoderKl vae, int tilePixels) {
        return new Tiles(vae::moments, tilePixels, tilePixels / vae.config().downsampling());
    }

    /**
     * Runs the network on each tile.
     *
     * @param z {@code [N,C,H,W]}
     * @return {@code [N,C',H',W']}
     */
    Tensor run(Tensor z) {
        int blended = (int) (result * OVERLAP);
        int kept = result - blended;
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

    /** The results of a row, from left to right. */
    private List<Tensor> tiles(Tensor row) {
        List<Tensor> tiles = new ArrayList<>();
        for (long x = 0; x < row.size(3); x += stride()) {
            tiles.add(network.apply(row.narrow(3, x, Math.min(tile, row.size(3) - x))));
        }
        return tiles;
    }

    /**
     * Fades from one tile into the next.
     *
     * @param before the tile above or to the left
     * @param dim along which they follow each other
     * @param extent how many rows or columns they have in common
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
