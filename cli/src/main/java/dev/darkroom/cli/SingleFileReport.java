package dev.darkroom.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.models.checkpoint.HubLayout;
import dev.darkroom.models.checkpoint.SingleFile;
import dev.darkroom.models.pipeline.Families;
import dev.darkroom.runtime.safetensors.Inspection;
import dev.darkroom.runtime.safetensors.SafetensorsHeader;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * What a single file is, by its tensors, and what follows from them.
 *
 * @param said the file as a sentence calls it
 * @param layout what it would be as a folder; null if it is none of the kinds that are loaded
 * @param own paths of the files that its metadata holds
 */
record SingleFileReport(String said, @Nullable HubLayout layout, Set<String> own) {
    private static final JsonMapper JSON = new JsonMapper();

    /** What is told of the configs, where they have it. */
    private static final List<String> TOLD =
            List.of(
                    "in_channels",
                    "cross_attention_dim",
                    "sample_size",
                    "hidden_size",
                    "num_hidden_layers",
                    "hidden_act",
                    "latent_channels",
                    "scaling_factor",
                    "prediction_type",
                    "rescale_betas_zero_snr");

    /** Returns what is told of a file; null for a folder, and for what nothing is known of. */
    static @Nullable SingleFileReport of(Inspection inspection) {
        Path path = inspection.root();
        if (!Files.isRegularFile(path) || inspection.parts().size() != 1) {
            return null;
        }
        SafetensorsHeader header = inspection.parts().getFirst().files().getFirst();
        if (!header.file().equals(path)) {
            return null; // an index of shards
        }
        try {
            var family = Families.BUILT_IN.find(header);
            if (family.isEmpty()) {
                return SingleFile.known(header)
                        .map(kind -> new SingleFileReport("It is " + kind + ".", null, Set.of()))
                        .orElse(null);
            }
            var layout = family.get().layout(header);
            if (layout.isEmpty()) {
                return null;
            }
            Map<String, String> files = SingleFile.files(header);
            HubLayout whole = layout.get().with(files);
            return new SingleFileReport(
                    "It is a checkpoint of " + whole.kind(), whole, new TreeSet<>(files.keySet()));
        } catch (IOException e) {
            return new SingleFileReport("It can't be loaded: " + e.getMessage(), null, Set.of());
        }
    }

    /** Prints it for people. */
    void text(PrintWriter out) throws IOException {
        out.println();
        if (layout == null) {
            out.println(InspectCommand.printable(said));
            return;
        }
        ObjectNode index = object(layout.index());
        out.printf(
                Locale.ROOT,
                "%s, as a folder a %s%s:%n",
                said,
                InspectCommand.printable(index.path("_class_name").asText()),
                own.contains(Checkpoint.INDEX) ? ", by its metadata" : "");
        for (var part : index.properties()) {
            String className = part.getValue().path(1).asText();
            if (part.getValue().isArray() && !className.equals("null")) {
                String line =
                        String.format(
                                Locale.ROOT,
                                "  %-16s %-28s %s",
                                part.getKey(),
                                className,
                                told(part.getKey()));
                out.println(InspectCommand.printable(line.stripTrailing()));
            }
        }
    }

    private String told(String part) throws IOException {
        List<String> told = new ArrayList<>();
        for (var config : configs(part).entrySet()) {
            ObjectNode json = object(config.getValue());
            for (String option : TOLD) {
                JsonNode value = json.path(option);
                if (value.isValueNode() && !value.isNull()) {
                    told.add(option + " " + value.asText());
                }
            }
            if (own.contains(config.getKey())) {
                told.add("by its metadata");
            }
        }
        return String.join(", ", told);
    }

    /** The configs of a part; of a tokenizer only the smaller ones. */
    private Map<String, String> configs(String part) {
        var configs = new TreeMap<String, String>();
        if (layout != null) {
            layout.files()
                    .forEach(
                            (path, text) -> {
                                if (path.startsWith(part + "/") && path.endsWith("config.json")) {
                                    configs.put(path, text);
                                }
                            });
        }
        return configs;
    }

    private static ObjectNode object(String text) throws IOException {
        return JSON.readTree(text) instanceof ObjectNode object ? object : JSON.createObjectNode();
    }

    /** Returns it for programs. */
    ObjectNode json() throws IOException {
        ObjectNode json = JSON.createObjectNode();
        json.put("is", said);
        if (layout != null) {
            json.put("kind", layout.kind());
            ObjectNode files = json.putObject("files");
            files.set(Checkpoint.INDEX, object(layout.index()));
            for (var part : object(layout.index()).properties()) {
                for (var config : configs(part.getKey()).entrySet()) {
                    files.set(config.getKey(), object(config.getValue()));
                }
            }
            var metadata = json.putArray("by_metadata");
            own.forEach(metadata::add);
        }
        return json;
    }
}
