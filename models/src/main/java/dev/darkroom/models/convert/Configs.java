package dev.darkroom.models.convert;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.hub.CheckpointFiles;
import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.models.checkpoint.FileLayout;
import dev.darkroom.models.checkpoint.HubLayout;
import dev.darkroom.models.checkpoint.SingleFile;
import dev.darkroom.models.config.ConfigException;
import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.family.Defaults;
import dev.darkroom.models.vae.VaeCodec;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.tokenizers.Tokenizer;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;

/**
 * What a folder's configs say that does not follow from a file's tensors.
 *
 * @param derived what follows from them
 */
record Configs(Checkpoint checkpoint, FileLayout layout, HubLayout derived) {
    private static final String SCHEDULER = "scheduler/scheduler_config.json";

    /** Settings of pipelines that have no part in making pictures. */
    private static final List<String> WITHOUT_EFFECT =
            List.of("requires_safety_checker", "add_watermarker");

    /** The files of tokenizers that are read. */
    private static final List<String> OF_TOKENIZERS =
            List.of(
                    "vocab.json",
                    "merges.txt",
                    "tokenizer.json",
                    "tokenizer_config.json",
                    "special_tokens_map.json",
                    "added_tokens.json");

    /** Texts that two tokenizers of the same vocabulary read differently, if anything is. */
    private static final List<String> PROBES =
            List.of(
                    "",
                    "A Photo  of\ta cat's 3 CAFÉS, naïve; 日本 🐈",
                    "<|startoftext|>a<|endoftext|> b <|endoftext|>!",
                    "! !! <pad> [PAD] </w>");

    /** Returns the metadata of a file; none if it would be read as the folder is. */
    Map<String, String> metadata() throws IOException {
        Map<String, String> kept = new LinkedHashMap<>();
        keepIndex(kept);
        for (var config : layout.configs().entrySet()) {
            if (!isSame(config.getKey(), config.getValue())) {
                keep(config.getKey(), kept);
            }
        }
        if (!plain(own(SCHEDULER)).equals(plain(derived(SCHEDULER)))) {
            keep(SCHEDULER, kept);
        }
        for (var part : checkpoint.parts().entrySet()) {
            if (part.getKey().startsWith("tokenizer")
                    && !isSameTokenizer(part.getKey(), part.getValue())) {
                for (String name : OF_TOKENIZERS) {
                    keep(part.getKey() + "/" + name, kept);
                }
            }
        }
        keep(Defaults.FILE, kept);
        if (kept.isEmpty()) {
            return Map.of();
        }
        ObjectNode texts = JsonNodeFactory.instance.objectNode();
        kept.forEach(texts::put);
        return Map.of(SingleFile.FILES, texts.toString());
    }

    private Path path(String file) {
        return checkpoint.folder().resolve(file);
    }

    private void keep(String file, Map<String, String> kept) throws IOException {
        if (Files.isRegularFile(path(file))) {
            kept.put(file, Files.readString(path(file)));
        }
    }

    private ObjectNode own(String file) throws IOException {
        return ConfigReader.object(path(file));
    }

    private ObjectNode derived(String file) throws IOException {
        String text = derived.files().get(file);
        return text == null
                ? JsonNodeFactory.instance.objectNode()
                : ConfigReader.object(path(file), text);
    }

    private boolean isSame(String file, Function<ConfigReader, ?> reader) throws IOException {
        Object own = read(file, own(file), reader);
        try {
            return own.equals(read(file, derived(file), reader));
        } catch (ConfigException e) {
            return false; // a size that no published checkpoint has
        }
    }

    private <T> T read(String file, ObjectNode json, Function<ConfigReader, T> reader)
            throws IOException {
        return Objects.requireNonNull(
                ConfigReader.read(path(file), json, Warnings.collected(), reader));
    }

    /** The index, without parts that are in no file. */
    private void keepIndex(Map<String, String> kept) throws IOException {
        ObjectNode own = own(Checkpoint.INDEX);
        Set<String> absent = new TreeSet<>(CheckpointFiles.UNUSED_PARTS);
        absent.add(VaeCodec.TINY);
        absent.addAll(checkpoint.networks().keySet()); // such as ControlNets
        absent.removeAll(layout.weights().keySet());
        for (String part : absent) {
            if (own.has(part)) {
                own.putArray(part).addNull().addNull();
            }
        }
        if (!plain(own).equals(plain(derived(Checkpoint.INDEX)))) {
            kept.put(Checkpoint.INDEX, own.toPrettyString());
        }
    }

    /** Without what says nothing: who wrote it, nulls, parts that are left out. */
    private static ObjectNode plain(ObjectNode json) {
        ObjectNode plain = json.deepCopy();
        for (var option : json.properties()) {
            String name = option.getKey();
            JsonNode value = option.getValue();
            boolean isAside = name.startsWith("_") && !name.equals("_class_name");
            boolean isLeftOut = value.isArray() && value.size() == 2 && value.get(0).isNull();
            if (isAside || value.isNull() || isLeftOut || WITHOUT_EFFECT.contains(name)) {
                plain.remove(name);
            }
        }
        return plain;
    }

    private boolean isSameTokenizer(String part, String className) throws IOException {
        String vocabulary = part + "/vocab.json";
        String merges = part + "/merges.txt";
        String expected = derived.files().get(merges);
        if (expected == null
                || !Files.isRegularFile(path(vocabulary))
                || !Files.isRegularFile(path(merges))
                || !own(vocabulary).equals(derived(vocabulary))
                || !Files.readString(path(merges)).strip().equals(expected.strip())) {
            return false;
        }
        Tokenizer own = checkpoint.tokenizer(part, className);
        Tokenizer other = derived.tokenizer(part, className);
        return own.size() == other.size()
                && own.maxLength() == other.maxLength()
                && own.padId() == other.padId()
                && own.eosId() == other.eosId()
                && PROBES.stream()
                        .allMatch(text -> Arrays.equals(own.encode(text), other.encode(text)));
    }
}
