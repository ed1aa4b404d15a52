package dev.darkroom.training.stage;

import dev.darkroom.models.family.TrainingInput;
import dev.darkroom.tokenizers.Tokenizer;
import dev.darkroom.tokenizers.Tokenizers;
import dev.darkroom.training.data.CacheListener;
import dev.darkroom.training.data.DataException;
import dev.darkroom.training.data.DataReport;
import dev.darkroom.training.data.Example;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;

/**
 * What a stage would train on, after all of it was read.
 *
 * @param data its pictures and captions
 * @param captions how many different ones there are
 * @param tokens of the captions; null for a stage without a tokenizer
 * @param classes how many there are; null for a stage that is not conditioned on classes
 * @param problems what training would be refused for, of single files
 */
public record DryRun(
        DataReport data,
        int captions,
        @Nullable Tokens tokens,
        @Nullable Integer classes,
        List<DataException> problems) {
    /**
     * Captions as a tokenizer sees them, the end of the text included.
     *
     * @param longest tokens of the longest caption, before it is cut
     * @param limit tokens that the stage takes of a caption
     * @param cut how many pictures have a longer caption
     */
    public record Tokens(int longest, int limit, int cut) {
        static Tokens of(
                List<Example> examples, TrainingInput.Text input, Path tokenizerFolder, int limit)
                throws IOException {
            Tokenizer tokenizer = Tokenizers.load(tokenizerFolder, null);
            int longest = 0;
            int cut = 0;
            for (Example example : examples) {
                String text = input.prepared(example.caption());
                int tokens = tokenizer.encode(text, limit).unpaddedLength();
                longest = Math.max(longest, tokens);
                cut += tokens > limit ? 1 : 0;
            }
            return new Tokens(longest, limit, cut);
        }
    }

    /** Copies the list. */
    public DryRun {
        problems = List.copyOf(problems);
    }

    /** Reads the data of a stage that takes pictures and captions as they are. */
    static DryRun of(Path folder, CacheListener listener) throws IOException {
        DataReport data = DataReport.of(folder, listener);
        return new DryRun(data, distinct(data), null, null, data.problems());
    }

    /** Reads the data of a stage whose captions are read by a tokenizer. */
    static DryRun ofCaptions(
            Path folder,
            TrainingInput.Text input,
            Path tokenizer,
            int limit,
            CacheListener listener)
            throws IOException {
        DataReport data = DataReport.of(folder, listener);
        Tokens tokens = Tokens.of(data.examples(), input, tokenizer, limit);
        return new DryRun(data, distinct(data), tokens, null, data.problems());
    }

    /** Reads the data of a stage that is conditioned on classes. */
    static DryRun ofClasses(Path folder, ClassLabels labels, CacheListener listener)
            throws IOException {
        DataReport data = DataReport.of(folder, listener);
        List<DataException> problems = new ArrayList<>(data.problems());
        var classes = new TreeSet<String>();
        for (Example example : data.examples()) {
            try {
                classes.add(labels.of(example));
            } catch (DataException e) {
                problems.add(e);
            }
        }
        return new DryRun(data, distinct(data), null, classes.size(), problems);
    }

    private static int distinct(DataReport data) {
        return (int) data.examples().stream().map(Example::caption).distinct().count();
    }
}
