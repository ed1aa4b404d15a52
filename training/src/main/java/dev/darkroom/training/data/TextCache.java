package dev.darkroom.training.data;

import dev.darkroom.common.Sha256;
import dev.darkroom.models.text.Encoded;
import dev.darkroom.models.text.TextEncoder;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.ForeignCode;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.tokenizers.Tokenizer;
import dev.darkroom.training.run.Hashes;
import dev.darkroom.training.run.TrainingException;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/**
 * What a frozen text encoder makes of captions, encoded once. The file holds {@code states} {@code
 * [n,L,D]} in the encoder's type, {@code mask} {@code [n,L]} and, if the encoder has them, {@code
 * pooled} {@code [n,P]}: a row for each distinct caption.
 */
public final class TextCache implements AutoCloseable {
    private static final String STATES = "states";
    private static final String MASK = "mask";
    private static final String POOLED = "pooled";
    private static final int BATCH = 32;

    private final CacheFile file;
    private final Map<String, Integer> rows;

    private TextCache(CacheFile file, Map<String, Integer> rows) {
        this.file = file;
        this.rows = rows;
    }

    /**
     * Opens a cache, or makes it if it is missing or was made from something else: another set of
     * captions, text encoder, tokenizer or length.
     *
     * @param file where it lies or shall lie
     * @param captions in any order; add the empty one if captions are left out in training
     * @param length of a caption in tokens: L
     * @throws DataException if the file is no such cache
     * @throws dev.darkroom.models.pipeline.CancelledException if the listener asked for it
     */
    public static TextCache openOrMake(
            Path file,
            Collection<String> captions,
            TextEncoder encoder,
            Tokenizer tokenizer,
            int length,
            CacheListener listener)
            throws IOException {
        var rows = new HashMap<String, Integer>();
        var tokens = new ArrayList<Tokenizer.Tokens>();
        // The ids tell what the tokenizer does better than its files do.
        var sha = new Sha256();
        for (String caption : new TreeSet<>(captions)) {
            rows.put(caption, tokens.size());
            Tokenizer.Tokens each = tokenizer.encode(caption, length);
            tokens.add(each);
            sha.addAll(caption, Arrays.toString(each.ids()), Arrays.toString(each.mask()));
        }
        if (tokens.isEmpty()) {
            throw new IllegalArgumentException("there are no captions to encode");
        }
        CacheFile cache =
                CacheFile.openOrMake(
                        List.of(file),
                        "text states",
                        () -> encode(tokens, encoder, length, listener),
                        sha.hex(),
                        encoder.config().toString(),
                        Hashes.of(encoder.state()));
        return new TextCache(cache, rows);
    }

    private static Map<String, Tensor> encode(
            List<Tokenizer.Tokens> tokens,
            TextEncoder encoder,
            int length,
            CacheListener listener) {
        var states = new Rows(tokens.size());
        var masks = new Rows(tokens.size());
        var pooled = new Rows(tokens.size());
        for (int done = 0; done < tokens.size(); done += BATCH) {
            CacheFile.requireGoingOn(listener);
            var batch = tokens.subList(done, Math.min(done + BATCH, tokens.size()));
            try (var scope = TensorScope.open()) {
                var ids = new ArrayList<Tensor>();
                var mask = new ArrayList<Tensor>();
                for (var each : batch) {
                    ids.add(Tensor.copyOf(each.ids(), length));
                    mask.add(Tensor.copyOf(each.mask(), length));
                }
                Tensor tokenMask = Ops.stack(0, mask).to(DType.INT64); // [N,L]
                Encoded encoded =
                        encoder.encode(
                                Ops.stack(0, ids).to(DType.INT64).to(encoder.device()),
                                tokenMask.to(encoder.device()));
                if (encoded.states().isFinite().all().item() == 0) {
                    throw new TrainingException(
                            "the text encoder's states of a caption are not finite in "
                                    + encoder.dtype()
                                    + "; encode in float32");
                }
                masks.add(tokenMask, scope);
                states.add(encoded.states(), scope);
                if (encoded.pooled() != null) {
                    pooled.add(encoded.pooled(), scope);
                }
            }
            int finished = done + batch.size();
            ForeignCode.run(() -> listener.encoded(finished, tokens.size()));
        }
        return pooled.isEmpty()
                ? Map.of(STATES, states.all(), MASK, masks.all())
                : Map.of(STATES, states.all(), MASK, masks.all(), POOLED, pooled.all());
    }

    /**
     * Returns the states of some captions, on the CPU.
     *
     * @throws IllegalArgumentException if one is not in the cache
     */
    public Encoded of(List<String> captions) {
        var numbers = new int[captions.size()];
        for (int i = 0; i < numbers.length; i++) {
            Integer row = rows.get(captions.get(i));
            if (row == null) {
                throw new IllegalArgumentException(
                        "the cache does not have the caption \"" + captions.get(i) + "\"");
            }
            numbers[i] = row;
        }
        return new Encoded(
                file.rows(STATES, numbers),
                file.rows(MASK, numbers),
                file.has(POOLED) ? file.rows(POOLED, numbers) : null);
    }

    /** Returns how many captions there are. */
    public int size() {
        return rows.size();
    }

    /** Lets go of the file. Closing twice is allowed. */
    @Override
    public void close() {
        file.close();
    }
}
