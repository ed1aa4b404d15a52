package dev.darkroom.models.unet;

import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * What the {@linkplain ContractingPath way down} of a U-Net made, or what a {@link ControlNet} adds
 * to it.
 *
 * @param skips of the first convolution and each layer, for the layers on the way up {@code
 *     [N,C,H,W]}
 * @param middle of the block in the middle {@code [N,C,h,w]}
 */
record Features(List<Tensor> skips, Tensor middle) {
    /** All of them, the middle last. */
    List<Tensor> all() {
        List<Tensor> all = new ArrayList<>(skips);
        all.add(middle);
        return Collections.unmodifiableList(all);
    }

    /** Features in the order of {@link #all}. */
    static Features of(List<Tensor> all) {
        int last = all.size() - 1;
        return new Features(List.copyOf(all.subList(0, last)), all.get(last));
    }

    /** These with a change to each. */
    Features map(UnaryOperator<Tensor> change) {
        return of(all().stream().map(change).toList());
    }

    /**
     * These with factors: one for all, or from a tenth of it at the first to all of it at the last
     * (section 3.4 of the paper on ControlNet, "guess mode").
     */
    Features times(double factor, boolean rising) {
        List<Tensor> all = all();
        int last = all.size() - 1;
        List<Tensor> scaled = new ArrayList<>();
        for (int i = 0; i <= last; i++) {
            double share = rising ? Math.pow(10, (double) i / last - 1) : 1;
            scaled.add(all.get(i).times(factor * share));
        }
        return of(scaled);
    }

    /** The sum with others, in the place of both, which are closed. */
    Features plus(Features others) {
        List<Tensor> ours = all();
        List<Tensor> theirs = others.all();
        List<Tensor> sums = new ArrayList<>();
        for (int i = 0; i < ours.size(); i++) {
            try (Tensor one = ours.get(i);
                    Tensor other = theirs.get(i)) {
                sums.add(one.plus(other));
            }
        }
        return of(sums);
    }

    /** Hands them to the scope around. */
    Features keptBy(TensorScope scope) {
        all().forEach(scope::keep);
        return this;
    }
}
