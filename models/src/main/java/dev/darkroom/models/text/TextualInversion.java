package dev.darkroom.models.text;

import dev.darkroom.common.OneLine;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A learned embedding of a token: textual inversion (Gal et al. 2022, arXiv:2208.01618).
 *
 * @param file that it is from
 * @param token that stands for it in prompts
 * @param vectors by the text encoder that they are for: {@link #CLIP_L} and {@link #CLIP_G}, or
 *     {@link #ONLY} where there is one encoder
 */
public record TextualInversion(Path file, String token, Map<String, Vectors> vectors) {
    /** The one text encoder of Stable Diffusion 1.x and 2.x. */
    public static final String ONLY = "emb_params";

    /** The first text encoder of Stable Diffusion XL. */
    public static final String CLIP_L = "clip_l";

    /** Its second text encoder. */
    public static final String CLIP_G = "clip_g";

    private static final Set<String> PAIR = Set.of(CLIP_L, CLIP_G);

    /** More than anybody trains; no text encoder reads so many tokens. */
    private static final int MOST = 1024;

    private static final int WIDEST = 65_536;
    private static final String SUFFIX = ".safetensors";

    /** Keeps the map as it is now. */
    public TextualInversion {
        vectors = Map.copyOf(vectors);
    }

    /**
     * Embeddings of one text encoder.
     *
     * @param width of an embedding
     * @param values one after the other
     */
    public record Vectors(int width, List<Float> values) {
        /**
         * Keeps the list as it is now.
         *
         * @throws IllegalArgumentException if it does not divide into vectors
         */
        public Vectors {
            values = List.copyOf(values);
            if (width < 1 || values.isEmpty() || values.size() % width != 0) {
                throw new IllegalArgumentException(
                        values.size() + " numbers are no vectors of width " + width);
            }
        }

        /** Returns how many there are. */
        public int count() {
            return values.size() / width;
        }

        /** Returns the values. */
        public float[] toArray() {
            var array = new float[values.size()];
            for (int i = 0; i < array.length; i++) {
                array[i] = values.get(i);
            }
            return array;
        }
    }

    /**
     * Reads a safetensors file of one tensor {@code [D]} or {@code [N,D]}, named {@value #ONLY} as
     * by AUTOMATIC1111's web UI or like the token as by diffusers, or of the two tensors {@value
     * #CLIP_L} and {@value #CLIP_G}.
     *
     * @param token that is to stand for it; null for the one of the file, else the file's name
     * @throws IOException if it can't be read, or is none
     */
    public static TextualInversion read(Path file, @Nullable String token) throws IOException {
        try (var scope = TensorScope.open();
                var opened = Safetensors.open(file, LoadMode.READ)) {
            Set<String> names = opened.names();
            boolean isPair = names.equals(PAIR);
            if (names.size() != 1 && !isPair) {
                throw new IOException(
                        file
                                + " is no learned embedding: it should hold one tensor, or "
                                + CLIP_L
                                + " and "
                                + CLIP_G
                                + ", and holds "
                                + names.size()
                                + ": "
                                + shown(names));
            }
            var vectors = new LinkedHashMap<String, Vectors>();
            String own = null;
            for (String name : names) {
                Shape shape = opened.info(name).shape();
                requireShape(file, name, shape);
                vectors.put(isPair ? name : ONLY, vectors(file, name, opened.tensor(name)));
                own = isPair || name.equals(ONLY) ? null : name;
            }
            return new TextualInversion(
                    file, token != null ? token : own != null ? own : stem(file), vectors);
        }
    }

    private static String shown(Set<String> names) {
        var first = names.stream().limit(4).toList();
        return OneLine.of(String.join(", ", first)) + (names.size() > first.size() ? ", …" : "");
    }

    private static void requireShape(Path file, String name, Shape shape) throws IOException {
        int rank = shape.rank();
        boolean fits =
                rank >= 1
                        && rank <= 2
                        && shape.size(rank - 1) >= 1
                        && shape.size(rank - 1) <= WIDEST
                        && (rank == 1 || (shape.size(0) >= 1 && shape.size(0) <= MOST));
        if (!fits) {
            throw new IOException(
                    file
                            + ": "
                            + OneLine.of(name)
                            + " has shape "
                            + shape
                            + "; a learned embedding is [D], or [N,D] with at most "
                            + MOST
                            + " vectors");
        }
    }

    private static Vectors vectors(Path file, String name, Tensor values) throws IOException {
        if (!values.dtype().isFloatingPoint() || values.isFinite().all().item() == 0) {
            throw new IOException(
                    file
                            + ": "
                            + OneLine.of(name)
                            + " should hold finite floating-point numbers, and is "
                            + values.dtype()
                            + (values.dtype().isFloatingPoint() ? " with others" : ""));
        }
        float[] all = values.to(DType.FLOAT32).reshape(-1).toFloatArray();
        var list = new ArrayList<Float>(all.length);
        for (float value : all) {
            list.add(value);
        }
        return new Vectors(Math.toIntExact(values.size(values.rank() - 1)), list);
    }

    private static String stem(Path file) {
        String name = String.valueOf(file.getFileName());
        return name.endsWith(SUFFIX) ? name.substring(0, name.length() - SUFFIX.length()) : name;
    }
}
