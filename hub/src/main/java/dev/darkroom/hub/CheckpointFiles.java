package dev.darkroom.hub;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;

import dev.darkroom.common.OneLine;
import dev.darkroom.common.UntrustedFile;
import dev.darkroom.hub.HubException.Kind;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/**
 * What a checkpoint in the layout of diffusers needs: {@code model_index.json} and {@code
 * darkroom.json}, and of each part that the former names the configs, the tokenizer's files and the
 * safetensors of the variant, by their index where they are in shards. A model without {@code
 * model_index.json} is one part. Never a pickle, which can run code where it is read.
 *
 * <p>A part without the variant is taken with its plain weights, with a warning; it is an error
 * only if no part has the variant.
 *
 * @param repository {@code ORG/NAME}, for messages
 * @param variant such as {@code fp16}; null for the plain weights
 * @param everyPart whether the {@linkplain #UNUSED_PARTS parts that nothing uses} are taken too
 */
public record CheckpointFiles(String repository, @Nullable String variant, boolean everyPart)
        implements FileSelection {
    /** Parts of checkpoints that pictures are made without, and which other programs may want. */
    public static final Set<String> UNUSED_PARTS = Set.of("safety_checker", "feature_extractor");

    private static final String MODEL_INDEX = "model_index.json";
    private static final String CONFIG = "config.json";

    /** The class of a part that is several ControlNets, all but the first in folders beside it. */
    private static final String SEVERAL = "MultiControlNetModel";

    private static final Set<String> BESIDE_PARTS = Set.of(MODEL_INDEX, "darkroom.json");

    /** How diffusers, transformers and adapters name weights. */
    private static final List<String> OF_PARTS = List.of("diffusion_pytorch_model", "model");

    private static final List<String> OF_ADAPTERS =
            List.of("pytorch_lora_weights", "adapter_model");

    private static final Pattern TEXT = Pattern.compile(".*\\.(json|txt|model)");
    private static final Pattern WEIGHTS_INDEX = Pattern.compile(".*\\.index(\\.[^/]*)?\\.json");
    private static final Pattern SHARD = Pattern.compile(".*-\\d{5}-of-\\d{5}(\\..*)?");
    private static final Pattern PICKLE =
            Pattern.compile(".*\\.(bin|pt|pth|ckpt|pkl|pickle|msgpack|h5)");
    private static final int LARGEST_INDEX = 64 << 20;
    private static final ObjectMapper MAPPER = new ObjectMapper();

    /** The files that a name means, with its variant. */
    public static CheckpointFiles of(ModelId id) {
        return new CheckpointFiles(id.repository(), id.variant(), false);
    }

    /** These files and those of the parts that nothing uses. */
    public CheckpointFiles withEveryPart() {
        return new CheckpointFiles(repository, variant, true);
    }

    @Override
    public Selected select(List<RemoteFile> files, Contents contents)
            throws IOException, InterruptedException {
        return new Choice(files, contents).make();
    }

    /**
     * Chooses among a hub's files. Those that the choice depends on come into the cache, which are
     * small.
     *
     * @throws HubException if the model lacks what is needed
     * @throws InterruptedException if the thread is interrupted
     */
    public Selected select(Repository model, Hub hub) throws IOException, InterruptedException {
        return select(model.files(), file -> hub.file(model, file.path()).orElseThrow());
    }

    /** One choice among the files of one commit. */
    private final class Choice {
        private final Map<String, Map<String, RemoteFile>> folders = new TreeMap<>();
        private final Contents contents;
        private final Set<RemoteFile> chosen = new LinkedHashSet<>();
        private final List<String> withoutVariant = new ArrayList<>();
        private final List<String> missing = new ArrayList<>();
        private final Set<String> variants = new TreeSet<>();
        private boolean hasVariant;

        Choice(List<RemoteFile> files, Contents contents) {
            this.contents = contents;
            for (RemoteFile file : files) {
                folders.computeIfAbsent(file.folder(), name -> new TreeMap<>())
                        .put(file.name(), file);
            }
        }

        Selected make() throws IOException, InterruptedException {
            var top = folders.getOrDefault("", Map.of());
            var index = top.get(MODEL_INDEX);
            if (index == null) {
                part("", top, true);
            } else {
                BESIDE_PARTS.stream().filter(top::containsKey).map(top::get).forEach(chosen::add);
                for (String part : parts(index)) {
                    var inside = folders.get(part);
                    if (inside == null && top.containsKey(CONFIG)) {
                        part("", top, true); // the oldest checkpoints have all files at the top
                        continue;
                    }
                    if (inside == null) {
                        throw new HubException(
                                Kind.NO_FILE,
                                repository
                                        + ": "
                                        + MODEL_INDEX
                                        + " names the part "
                                        + part
                                        + ", and there is no such folder; choose another revision");
                    }
                    part(part, inside, inside.containsKey(CONFIG));
                }
            }
            if (variant != null && !hasVariant) {
                throw new HubException(
                        Kind.NO_WEIGHTS,
                        repository
                                + ": no part has the variant "
                                + variant
                                + (variants.isEmpty()
                                        ? ", nor another; leave it out"
                                        : "; there is " + String.join(" and ", variants)));
            }
            var warnings = new ArrayList<String>();
            for (String part : withoutVariant) {
                warnings.add(
                        repository
                                + ": "
                                + part
                                + " does not have the variant "
                                + variant
                                + "; its plain weights are taken");
            }
            return new Selected(List.copyOf(chosen), warnings, missing);
        }

        /** The parts that are a class of a library; others are null or settings. */
        private Set<String> parts(RemoteFile index) throws IOException, InterruptedException {
            var parts = new TreeSet<String>();
            for (var field : json(index).properties()) {
                JsonNode type = field.getValue();
                boolean isPart =
                        !field.getKey().startsWith("_")
                                && type.isArray()
                                && type.size() == 2
                                && type.path(0).isTextual()
                                && type.path(1).isTextual();
                if (isPart) {
                    requireBareName(field.getKey(), index);
                    if (everyPart || !UNUSED_PARTS.contains(field.getKey())) {
                        parts.add(field.getKey());
                    }
                    if (type.path(1).asText().equals(SEVERAL)) {
                        parts.addAll(numbered(field.getKey()));
                    }
                }
            }
            return parts;
        }

        /** The folders of more networks of a part: {@code controlnet_1} and so on. */
        private List<String> numbered(String part) {
            return IntStream.iterate(1, i -> i + 1)
                    .mapToObj(i -> part + "_" + i)
                    .takeWhile(folders::containsKey)
                    .toList();
        }

        private void part(String part, Map<String, RemoteFile> inside, boolean needsWeights)
                throws IOException, InterruptedException {
            for (RemoteFile file : inside.values()) {
                String name = file.name();
                if (TEXT.matcher(name).matches() && !WEIGHTS_INDEX.matcher(name).matches()) {
                    chosen.add(file);
                }
            }
            var stems = new ArrayList<>(OF_PARTS);
            if (part.isEmpty()) {
                stems.addAll(OF_ADAPTERS);
            }
            boolean isThere = false;
            for (String stem : stems) {
                isThere |= weights(part, stem, inside);
            }
            if (!isThere && (needsWeights || inside.keySet().stream().anyMatch(this::isWeights))) {
                throw missing(part, inside);
            }
        }

        /** Chooses the weights of a stem; false if there are none. */
        private boolean weights(String part, String stem, Map<String, RemoteFile> inside)
                throws IOException, InterruptedException {
            variants.addAll(variants(stem, inside.keySet()));
            var ofVariant =
                    variant == null
                            ? List.<String>of()
                            : List.of(
                                    stem + "." + variant + ".safetensors",
                                    stem + ".safetensors.index." + variant + ".json",
                                    stem + ".safetensors." + variant + ".index.json");
            RemoteFile weights = first(inside, ofVariant);
            hasVariant |= weights != null;
            if (weights == null) {
                weights =
                        first(
                                inside,
                                List.of(stem + ".safetensors", stem + ".safetensors.index.json"));
                if (weights != null && variant != null) {
                    withoutVariant.add(part.isEmpty() ? "it" : part);
                    ofVariant.forEach(
                            name -> missing.add(part.isEmpty() ? name : part + "/" + name));
                }
            }
            if (weights == null) {
                return false;
            }
            chosen.add(weights);
            if (weights.name().endsWith(".json")) {
                for (String shard : shards(weights)) {
                    RemoteFile file = inside.get(shard);
                    if (file == null) {
                        throw new HubException(
                                Kind.NO_WEIGHTS,
                                repository
                                        + ": "
                                        + weights.path()
                                        + " names "
                                        + RepoPath.printable(shard)
                                        + ", which is not there; choose another revision");
                    }
                    chosen.add(file);
                }
            }
            return true;
        }

        private Set<String> shards(RemoteFile index) throws IOException, InterruptedException {
            var shards = new TreeSet<String>();
            for (JsonNode shard : json(index).path("weight_map")) {
                if (shards.add(shard.asText())) {
                    requireBareName(shard.asText(), index);
                    if (!shard.asText().endsWith(".safetensors")) {
                        throw malformed(
                                index,
                                "it names "
                                        + RepoPath.printable(shard.asText())
                                        + ", which is no safetensors file");
                    }
                }
            }
            if (shards.isEmpty()) {
                throw malformed(index, "it names no files in \"weight_map\"");
            }
            return shards;
        }

        private void requireBareName(String name, RemoteFile in) throws HubException {
            if (name.contains("/") || RepoPath.problem(name) != null) {
                throw malformed(
                        in, "\"" + RepoPath.printable(name) + "\" is no name of a file or folder");
            }
        }

        private JsonNode json(RemoteFile file) throws IOException, InterruptedException {
            JsonNode json;
            try {
                json =
                        MAPPER.readTree(
                                UntrustedFile.read(
                                        contents.of(file), LARGEST_INDEX, UntrustedFile.JSON_TREE));
            } catch (HubException e) {
                throw e;
            } catch (JsonProcessingException e) {
                throw malformed(file, OneLine.ofJsonProblem(e.getOriginalMessage()));
            } catch (IOException e) {
                throw malformed(file, UntrustedFile.problem(e));
            }
            if (!json.isObject()) {
                throw malformed(file, "it should hold a JSON object");
            }
            return json;
        }

        private HubException malformed(RemoteFile file, String problem) {
            return new HubException(
                    Kind.NO_WEIGHTS,
                    repository
                            + ": "
                            + file.path()
                            + " can't be used: "
                            + problem
                            + "; choose another revision, or tell its owner");
        }

        private boolean isWeights(String name) {
            return name.endsWith(".safetensors") || PICKLE.matcher(name).matches();
        }

        private HubException missing(String part, Map<String, RemoteFile> inside) {
            String where = repository + (part.isEmpty() ? "" : ": the part " + part);
            var names = inside.keySet();
            var others = new TreeSet<String>();
            OF_PARTS.forEach(stem -> others.addAll(variants(stem, names)));
            var pickle = names.stream().filter(PICKLE.asMatchPredicate()).findFirst();
            String why;
            if (!others.isEmpty()) {
                why =
                        "has weights only as the variant "
                                + String.join(" and ", others)
                                + "; ask for "
                                + repository
                                + ":"
                                + others.first();
            } else if (names.stream().anyMatch(name -> name.endsWith(".safetensors"))) {
                why =
                        "has safetensors, but none of the names that diffusers and transformers"
                                + " give them, nor their index";
            } else if (pickle.isPresent()) {
                why =
                        "has its weights as pickles only, such as "
                                + pickle.get()
                                + ", which can run code and are not downloaded; choose a revision"
                                + " with safetensors";
            } else {
                why = "has no weights; check the name and the revision";
            }
            return new HubException(Kind.NO_WEIGHTS, where + " " + why);
        }
    }

    private static @Nullable RemoteFile first(Map<String, RemoteFile> inside, List<String> names) {
        for (String name : names) {
            RemoteFile file = inside.get(name);
            if (file != null) {
                return file;
            }
        }
        return null;
    }

    /** The variants of a stem among names of files. */
    private static Set<String> variants(String stem, Set<String> names) {
        var variants = new TreeSet<String>();
        String quoted = Pattern.quote(stem);
        var forms =
                List.of(
                        Pattern.compile(quoted + "\\.([^/]+)\\.safetensors"),
                        Pattern.compile(quoted + "\\.safetensors\\.index\\.([^/]+)\\.json"),
                        Pattern.compile(quoted + "\\.safetensors\\.([^/]+)\\.index\\.json"));
        for (String name : names) {
            for (Pattern form : forms) {
                var matcher = form.matcher(name);
                if (matcher.matches() && !SHARD.matcher(matcher.group(1)).matches()) {
                    variants.add(matcher.group(1));
                }
            }
        }
        return variants;
    }

    /** The variants that a folder's weights have, by the names of its files. */
    static Set<String> variantsAmong(List<RemoteFile> files) {
        var variants = new TreeSet<String>();
        var names = new TreeSet<String>();
        files.forEach(file -> names.add(file.name()));
        OF_PARTS.forEach(stem -> variants.addAll(variants(stem, names)));
        return variants;
    }
}
