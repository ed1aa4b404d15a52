package dev.darkroom.models.plan;

import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.models.checkpoint.CheckpointException;
import dev.darkroom.models.checkpoint.HubLayout;
import dev.darkroom.models.checkpoint.LoadOptions;
import dev.darkroom.models.checkpoint.SingleFile;
import dev.darkroom.models.family.Defaults;
import dev.darkroom.models.family.Family;
import dev.darkroom.models.pipeline.Families;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Where the checkpoint is that is planned for.
 *
 * @param path of a folder or a single file
 * @param layout what the file would be as a folder; null for a folder
 * @param pipeline the class in {@code model_index.json}
 * @param family the family that reads it; null if none does
 * @param defaults how it is sampled
 * @param parts that have weights
 */
record Source(
        Path path,
        @Nullable HubLayout layout,
        String pipeline,
        @Nullable Family family,
        Defaults defaults,
        List<Part> parts) {
    /**
     * Reads a checkpoint's index and the headers of its weights.
     *
     * @throws IOException if it is no checkpoint, or one whose parts are missing or malformed
     */
    static Source of(Path path, LoadOptions options, Families families) throws IOException {
        return Files.isRegularFile(path)
                ? ofFile(path, options, families)
                : ofFolder(path, options, families);
    }

    private static Source ofFolder(Path folder, LoadOptions options, Families families)
            throws IOException {
        try (var checkpoint = Checkpoint.open(folder, options)) {
            String pipeline = checkpoint.className();
            Family family = families.find(pipeline).orElse(null);
            List<Part> parts = Part.of(checkpoint, family == null);
            if (parts.isEmpty()) {
                throw new CheckpointException(
                        folder + " has no part with weights; download the whole checkpoint");
            }
            // Without a family there is no run that asks for them.
            Defaults defaults = family == null ? Defaults.NONE : Defaults.read(folder);
            return new Source(folder, null, pipeline, family, defaults, parts);
        }
    }

    private static Source ofFile(Path path, LoadOptions options, Families families)
            throws IOException {
        try (var file = SingleFile.open(path, options)) {
            Family family = families.find(file.header()).orElseThrow(file::unknown);
            HubLayout layout =
                    family.layout(file.header())
                            .orElseThrow(
                                    () ->
                                            new CheckpointException(
                                                    path
                                                            + ": single files of the family "
                                                            + family.name()
                                                            + " are not planned"));
            var checkpoint = file.checkpoint(layout);
            return new Source(
                    path,
                    layout,
                    checkpoint.className(),
                    family,
                    Defaults.read(file),
                    Part.of(checkpoint, layout, file.header()));
        }
    }

    /** Opens it. */
    Checkpoint open(LoadOptions options) throws IOException {
        return layout == null
                ? Checkpoint.open(path, options)
                : SingleFile.open(path, options).checkpoint(layout);
    }
}
