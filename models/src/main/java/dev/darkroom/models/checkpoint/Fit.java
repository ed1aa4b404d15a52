package dev.darkroom.models.checkpoint;

import dev.darkroom.common.ByteSize;
import dev.darkroom.runtime.MemoryBudget;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.nn.Deferred;
import dev.darkroom.runtime.nn.LinearFormat;
import dev.darkroom.runtime.nn.Module;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.ToLongFunction;

/**
 * How the networks of a checkpoint are brought into memory: together if they fit, else one after
 * the other, and in smaller weights only where a network does not fit alone.
 *
 * @param networks and the folders of their parts
 * @param budget what is available before they are loaded
 */
record Fit(Map<Deferred<?>, Path> networks, LoadOptions options, MemoryBudget budget) {
    /** Kept free beside the weights: the JVM, libtorch and the first activations. */
    private static final long HEADROOM = 256L << 20;

    /**
     * Chooses what each network's weights are kept as.
     *
     * @param denoiser the network that the activations belong to
     * @param activations bytes that the denoiser takes beside its weights
     * @param decoding bytes that decoding takes beside all weights
     * @return whether the networks take turns
     */
    boolean choose(Module denoiser, long activations, long decoding, Warnings warnings) {
        List<LinearFormat> choices = options.weights().choices();
        long picture = Math.max(activations, decoding);
        boolean turns =
                switch (options.offload()) {
                    case ON -> true;
                    case OFF -> false;
                    case AUTO -> !fits(bytes(choices.getFirst()) + picture);
                };
        if (turns && options.offload() == Offload.AUTO) {
            warnings.add(
                    "the parts of the checkpoint and a picture take "
                            + ByteSize.format(bytes(choices.getFirst()) + picture)
                            + " of memory, but only "
                            + ByteSize.format(budget.available())
                            + " are available ("
                            + budget.source()
                            + "); the parts take turns, and every request loads them again"
                            + " (--offload)");
        }
        if (turns) {
            for (Deferred<?> each : networks.keySet()) {
                each.format(
                        first(
                                choices,
                                each::bytes,
                                each.network().equals(denoiser) ? activations : 0));
            }
        } else {
            LinearFormat format = first(choices, this::bytes, picture);
            networks.keySet().forEach(each -> each.format(format));
        }
        warnOfFormats(warnings);
        return turns;
    }

    private long bytes(LinearFormat format) {
        return networks.keySet().stream().mapToLong(each -> each.bytes(format)).sum();
    }

    /**
     * Returns the first format that fits, and else the first that fits by itself: a request may be
     * for less than the checkpoint's own size.
     *
     * @param bytes of the weights in a format
     * @param beside bytes that a picture takes beside them
     */
    private LinearFormat first(
            List<LinearFormat> choices, ToLongFunction<LinearFormat> bytes, long beside) {
        for (long more : new long[] {beside, 0}) {
            for (LinearFormat format : choices) {
                if (fits(bytes.applyAsLong(format) + more)) {
                    return format;
                }
            }
        }
        return choices.getLast();
    }

    private boolean fits(long bytes) {
        return bytes + HEADROOM <= budget.available();
    }

    /** Says which weights are not kept as they are computed with although nobody asked for that. */
    private void warnOfFormats(Warnings warnings) {
        if (options.weights() != WeightFormat.AUTO) {
            return;
        }
        networks.forEach(
                (network, part) -> {
                    switch (network.format()) {
                        case COMPUTED -> {}
                        case STORED ->
                                warnings.add(
                                        part
                                                + ": weights stay as they are stored, since they do"
                                                + " not fit in memory as "
                                                + options.dtype()
                                                + "; that takes more time (--weights)");
                        case INT8 ->
                                warnings.add(
                                        part
                                                + ": weights are rounded to 8 bits, since they do"
                                                + " not fit in memory as they are; pictures differ"
                                                + " from those of the checkpoint, those of the"
                                                + " model in the box by 51 dB (--weights,"
                                                + " docs/memory.md)");
                    }
                });
    }

    /**
     * Requires memory for a network that is to be loaded.
     *
     * @throws dev.darkroom.runtime.InsufficientMemoryException if there is not enough
     */
    static void require(Deferred<?> network, Path part, MemoryBudget budget) {
        budget.require(network.bytesToLoad() + HEADROOM, "loading " + part);
    }
}
