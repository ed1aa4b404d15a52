package dev.darkroom.models.layers;

import dev.darkroom.models.diffusion.Perturbation;
import dev.darkroom.models.diffusion.Perturbation.Kind;
import dev.darkroom.models.diffusion.guidance.AxisFilter;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Attention;
import dev.darkroom.runtime.nn.Module;

import org.jspecify.annotations.Nullable;

import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** How a network's blocks run in an evaluation: as they are, or some of them perturbed. */
public final class BlockRun {
    /** All blocks as they are. */
    public static final BlockRun PLAIN = new BlockRun(null, Set.of());

    private static final Pattern QUERIES = Pattern.compile("(.+)\\.attn1\\.to_q\\.weight");

    private final @Nullable Perturbation perturbation;
    private final Set<String> blocks;

    private BlockRun(@Nullable Perturbation perturbation, Set<String> blocks) {
        this.perturbation = perturbation;
        this.blocks = blocks;
    }

    /**
     * Finds the blocks that a perturbation names. Without names those of a U-Net's middle, or a
     * transformer's second block, as in diffusers' pipelines.
     *
     * @param network whose blocks have their self-attention as {@code attn1}
     * @throws IllegalArgumentException if there is no such block
     */
    public static BlockRun of(Perturbation perturbation, Module network) {
        List<String> all =
                network.parameters().keySet().stream()
                        .map(QUERIES::matcher)
                        .filter(Matcher::matches)
                        .map(matcher -> matcher.group(1))
                        .toList();
        var chosen = new LinkedHashSet<String>();
        for (String layer : layers(perturbation, all)) {
            List<String> named = all.stream().filter(block -> isNamed(block, layer)).toList();
            if (named.isEmpty()) {
                throw new IllegalArgumentException(
                        "the network has no block '" + layer + "' to perturb, only " + all);
            }
            chosen.addAll(named);
        }
        return new BlockRun(perturbation, chosen);
    }

    private static List<String> layers(Perturbation perturbation, List<String> all) {
        if (!perturbation.layers().isEmpty() || all.isEmpty()) {
            return perturbation.layers();
        }
        return all.stream().anyMatch(block -> isNamed(block, "mid"))
                ? List.of("mid")
                : List.of(all.get(Math.min(1, all.size() - 1)));
    }

    private static boolean isNamed(String block, String layer) {
        return layer.chars().allMatch(Character::isDigit)
                ? block.matches("[^.]+\\." + layer)
                : block.equals(layer)
                        || block.startsWith(layer + ".")
                        || block.startsWith(layer + "_");
    }

    /** Whether a block of this path from the network's root is left out. */
    public boolean skips(String block) {
        return isPerturbed(block, Kind.SKIPPED);
    }

    private boolean isPerturbed(String block, Kind kind) {
        Objects.requireNonNull(block, "block");
        return perturbation != null && perturbation.kind() == kind && blocks.contains(block);
    }

    /**
     * A block's self-attention.
     *
     * @param block its path
     * @param x {@code [N,T,D]}
     * @param height of the tokens as a picture
     * @param width of the tokens as a picture, height · width = T
     * @return {@code [N,T,D]}
     */
    public Tensor attend(String block, Attention attention, Tensor x, long height, long width) {
        if (isPerturbed(block, Kind.IDENTITY_ATTENTION)) {
            return attention.output(attention.keyValue(x).value());
        }
        if (perturbation != null && isPerturbed(block, Kind.BLURRED_QUERIES)) {
            double sigma = perturbation.blur();
            return attention.forward(x, queries -> blurred(queries, sigma, height, width));
        }
        return attention.forward(x);
    }

    private static Tensor blurred(Tensor queries, double sigma, long height, long width) {
        try (var scope = TensorScope.open()) {
            long n = queries.size(0);
            long channels = queries.size(2);
            Tensor picture = queries.transpose(1, 2).reshape(n, channels, height, width);
            Tensor rows = AxisFilter.gaussian((int) height, sigma, queries);
            Tensor columns = AxisFilter.gaussian((int) width, sigma, queries);
            Tensor smooth = rows.matmul(picture).matmul(columns.transpose(0, 1));
            return scope.keep(smooth.flatten(2, 3).transpose(1, 2)); // [N,T,heads·d]
        }
    }
}
