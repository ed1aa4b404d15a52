package dev.darkroom.training.stage;

import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.pipeline.Families;
import dev.darkroom.training.data.CacheListener;
import dev.darkroom.training.run.RunListener;
import dev.darkroom.training.run.Trainer.End;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.function.BiFunction;
import java.util.stream.Collectors;

/** A stage of making a model, as a config describes it. */
public interface Stage {
    /** What there is to train. */
    enum Kind {
        /** A unigram tokenizer, of the data's captions. */
        TOKENIZER(TokenizerStage::read),
        /** An autoencoder of pictures. */
        VAE(AutoencoderStage::read),
        /** A network that denoises latents, conditioned on captions or classes. */
        DIFFUSION(DiffusionStage::read),
        /** A student of few steps, by latent consistency distillation. */
        DISTILL(DistillationStage::read),
        /** Low-rank adapters of a checkpoint's network. */
        LORA(LoraStage::read);

        private final BiFunction<ConfigReader, StageContext, Stage> reader;

        Kind(BiFunction<ConfigReader, StageContext, Stage> reader) {
            this.reader = reader;
        }

        /**
         * Returns the kind of a name, such as {@code vae}.
         *
         * @throws IllegalArgumentException if there is none
         */
        public static Kind of(String name) {
            return Arrays.stream(values())
                    .filter(kind -> kind.toString().equals(name))
                    .findFirst()
                    .orElseThrow(
                            () ->
                                    new IllegalArgumentException(
                                            "nothing to train is called "
                                                    + name
                                                    + "; there are "
                                                    + names()));
        }

        private static String names() {
            return Arrays.stream(values()).map(Kind::toString).collect(Collectors.joining(", "));
        }

        /** Returns the name in small letters. */
        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /**
     * Reads a stage's config.
     *
     * @param config JSON; paths in it are seen from its folder
     * @param data the folder of training pictures; null for the one that the config names
     * @throws IOException if the config can't be read, or has an unknown option or a value that is
     *     not supported
     */
    static Stage read(Kind kind, Path config, @Nullable Path data) throws IOException {
        return read(kind, config, data, Families.BUILT_IN);
    }

    /**
     * Reads a stage's config as {@link #read(Kind, Path, Path)} does.
     *
     * @param families whose networks can be trained
     */
    static Stage read(Kind kind, Path config, @Nullable Path data, Families families)
            throws IOException {
        var context = new StageContext(config, data, families);
        try {
            return ConfigReader.read(config, json -> kind.reader.apply(json, context));
        } catch (UncheckedIOException e) {
            throw e.getCause(); // of a file that the config names
        }
    }

    /**
     * Trains, from where the folder's last run stopped.
     *
     * @param out the folder of the run; made if it is missing
     * @throws dev.darkroom.training.run.TrainingException if the run can't begin or go on
     * @throws dev.darkroom.models.pipeline.CancelledException if the listener stops it before the
     *     first step
     * @throws IOException if data can't be read or results can't be written
     */
    End run(Path out, RunListener listener) throws IOException;

    /**
     * Reads all pictures and captions as a run would, and neither trains nor writes.
     *
     * @param listener is told how many pictures are read
     * @throws dev.darkroom.models.pipeline.CancelledException if the listener asked for it
     * @throws IOException if there is no data at all, or a tokenizer can't be read
     */
    DryRun dryRun(CacheListener listener) throws IOException;
}
