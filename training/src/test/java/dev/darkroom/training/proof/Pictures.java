package dev.darkroom.training.proof;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;

import java.util.ArrayList;
import java.util.List;

/**
 * Pictures of 8×8 in two colours and their captions, such as "red on blue": a square of 4×4 in the
 * left or the right half, which the caption leaves open.
 *
 * @param pictures {@code [N,3,8,8]}, from −1 to 1
 * @param captions int64 {@code [N,3]}
 * @param kinds the captions' indices among all
 */
record Pictures(Tensor pictures, Tensor captions, int[] kinds) {
    static final int SIZE = 8;

    /** Of the vocabulary: nothing, "on", the colours. */
    static final int TOKENS = 5;

    private static final float[][] COLOURS = {{1, -1, -1}, {-1, 1, -1}, {-1, -1, 1}};
    private static final int VALUES = 3 * SIZE * SIZE;

    /** Of each caption the square's colour and the background's. */
    private static final List<int[]> PAIRS = pairs();

    /** Of each caption the square on the left and on the right, {@code [12,192]}. */
    private static final float[] ALL = all();

    private static List<int[]> pairs() {
        List<int[]> pairs = new ArrayList<>();
        for (int square = 0; square < COLOURS.length; square++) {
            for (int background = 0; background < COLOURS.length; background++) {
                if (square != background) {
                    pairs.add(new int[] {square, background});
                }
            }
        }
        return pairs;
    }

    private static float[] all() {
        var values = new float[2 * PAIRS.size() * VALUES];
        for (int i = 0; i < values.length; i++) {
            int picture = i / VALUES;
            int channel = i / (SIZE * SIZE) % 3;
            int row = i / SIZE % SIZE;
            int column = i % SIZE;
            boolean inside = row >= 2 && row < 6 && column / 4 == picture % 2;
            values[i] = COLOURS[PAIRS.get(picture / 2)[inside ? 0 : 1]][channel];
        }
        return values;
    }

    private static Tensor tensorOfAll() {
        return Tensor.copyOf(ALL, 2L * PAIRS.size(), VALUES);
    }

    /**
     * Draws pictures.
     *
     * @param wrong share of captions that are drawn too, whatever the picture
     */
    static Pictures draw(int count, double wrong, Generator generator) {
        Shape shape = Shape.of(count);
        Tensor shown = Tensor.randint(0, 2L * PAIRS.size(), shape, generator, DType.INT64);
        Tensor others = Tensor.randint(0, PAIRS.size(), shape, generator, DType.INT64);
        Tensor chance = Tensor.rand(shape, generator, DType.FLOAT32, Device.CPU);
        long[] pictures = shown.toLongArray();
        long[] captions = others.toLongArray();
        float[] chances = chance.toFloatArray();
        var kinds = new int[count];
        for (int i = 0; i < count; i++) {
            kinds[i] = Math.toIntExact(chances[i] < wrong ? captions[i] : pictures[i] / 2);
        }
        return new Pictures(
                tensorOfAll().indexSelect(0, shown).reshape(count, 3, SIZE, SIZE),
                tokens(kinds),
                kinds);
    }

    private static Tensor tokens(int[] kinds) {
        var tokens = new long[3 * kinds.length];
        for (int i = 0; i < kinds.length; i++) {
            int[] pair = PAIRS.get(kinds[i]);
            tokens[3 * i] = 2 + pair[0];
            tokens[3 * i + 1] = 1;
            tokens[3 * i + 2] = 2 + pair[1];
        }
        return Tensor.copyOf(tokens, kinds.length, 3);
    }

    /** Empty captions, as many. */
    Tensor unconditional() {
        return Tensor.zeros(captions.shape(), captions.dtype(), captions.device());
    }

    /** The captions, a share of which is emptied. */
    Tensor dropped(double share, Generator generator) {
        Tensor chance =
                Tensor.rand(Shape.of(kinds.length, 1), generator, DType.FLOAT32, Device.CPU);
        return captions.times(chance.ge(share).to(DType.INT64));
    }

    /**
     * The share of pictures that are more like one which these captions tell than like any other.
     *
     * @param sampled {@code [N,3,8,8]}
     */
    double right(Tensor sampled) {
        Tensor distances = distances(sampled);
        int right = 0;
        for (int i = 0; i < kinds.length; i++) {
            float[] each = distances.select(0, i).toFloatArray();
            float own = Math.min(each[2 * kinds[i]], each[2 * kinds[i] + 1]);
            int nearer = 0;
            for (float distance : each) {
                nearer += distance <= own ? 1 : 0;
            }
            right += nearer == 1 ? 1 : 0;
        }
        return (double) right / kinds.length;
    }

    /** Root mean squares, {@code [N,12]}. */
    private static Tensor distances(Tensor sampled) {
        Tensor flat = sampled.reshape(sampled.size(0), 1, VALUES);
        return flat.minus(tensorOfAll().unsqueeze(0)).square().mean(false, 2).sqrt();
    }
}
