package dev.darkroom.models.pipeline;

import dev.darkroom.hub.EmbeddingFiles;
import dev.darkroom.hub.Hub;
import dev.darkroom.hub.HubOptions;
import dev.darkroom.hub.ModelId;
import dev.darkroom.models.checkpoint.ModelLocation;
import dev.darkroom.models.text.TextualInversion;
import dev.darkroom.runtime.cache.FileHashes;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/** Finds learned embeddings, which lie in files, folders or on a hub as models do. */
final class EmbeddingLoader {
    private static final String SUFFIX = ".safetensors";

    private static final Pattern PICKLE =
            Pattern.compile(".*\\.(pt|bin|ckpt|pth|pkl)", Pattern.CASE_INSENSITIVE);

    private EmbeddingLoader() {}

    /**
     * Reads what the options name.
     *
     * @throws IOException if one can't be found or read
     * @throws InterruptedException if the thread is interrupted while it is downloaded
     */
    static List<TextualInversion> load(PipelineOptions options)
            throws IOException, InterruptedException {
        var loaded = new ArrayList<TextualInversion>();
        for (Embedding embedding : options.embeddings()) {
            loaded.add(TextualInversion.read(file(embedding, options), embedding.token()));
        }
        return loaded;
    }

    /** Says of each what a picture's recipe needs. */
    static List<Map<String, Object>> describe(List<TextualInversion> embeddings)
            throws IOException {
        var descriptions = new ArrayList<Map<String, Object>>();
        for (TextualInversion embedding : embeddings) {
            var description = new LinkedHashMap<String, Object>();
            description.put("token", embedding.token());
            description.put("file", String.valueOf(embedding.file().getFileName()));
            description.put("sha256", FileHashes.of(embedding.file()));
            descriptions.add(description);
        }
        return descriptions;
    }

    private static Path file(Embedding embedding, PipelineOptions options)
            throws IOException, InterruptedException {
        String location = embedding.location();
        if (PICKLE.matcher(location).matches()) {
            throw new IOException(
                    location
                            + " is a pickle by its name, which can run code where it is read;"
                            + " convert it to a .safetensors file (docs/prompts.md says how)");
        }
        return switch (ModelLocation.of(location)) {
            case ModelLocation.WeightsFile file -> file.path();
            case ModelLocation.Folder folder -> inside(folder.path());
            case ModelLocation.OnHub named -> download(named.id(), options);
        };
    }

    private static Path download(ModelId id, PipelineOptions options)
            throws IOException, InterruptedException {
        var files = new EmbeddingFiles(id.repository());
        try (var hub = new Hub(HubOptions.orFromEnvironment(options.hub()))) {
            return inside(hub.get(id, files, options.listener()).folder());
        }
    }

    private static Path inside(Path folder) throws IOException {
        Path usual = folder.resolve(EmbeddingFiles.DIFFUSERS);
        if (Files.exists(usual)) {
            return usual;
        }
        try (var files = Files.list(folder)) {
            List<Path> found = files.filter(file -> file.toString().endsWith(SUFFIX)).toList();
            if (found.size() != 1) {
                throw new IOException(
                        folder
                                + ": there is no "
                                + EmbeddingFiles.DIFFUSERS
                                + ", and "
                                + (found.isEmpty() ? "no" : String.valueOf(found.size()))
                                + " other .safetensors files; name the embedding's file");
            }
            return found.getFirst();
        }
    }
}
