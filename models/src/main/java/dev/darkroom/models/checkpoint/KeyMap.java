package dev.darkroom.models.checkpoint;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.WeightSource;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/**
 * How a network's tensors are called and stored in files of another layout than hubs', as rules
 * from names of hubs to those of files.
 */
public final class KeyMap {
    /** How a file stores a tensor. */
    public enum Form {
        /** As hubs do. */
        SAME,
        /** A matrix with rows and columns exchanged. */
        TRANSPOSED,
        /** A matrix as a 1×1 convolution, {@code [A,B,1,1]}. */
        CONVOLUTION,
        /** As the first of three tensors that are joined along the first dimension. */
        FIRST,
        /** As the second of three. */
        SECOND,
        /** As the last of three. */
        THIRD
    }

    /**
     * What a file calls a tensor.
     *
     * @param key its name there
     * @param form how it is stored
     */
    public record Original(String key, Form form) {
        public Original {
            Objects.requireNonNull(key, "key");
            Objects.requireNonNull(form, "form");
        }
    }

    private record Rule(String original, Form form, Map<String, Original> inner) {
        Rule {
            Objects.requireNonNull(original, "original");
            Objects.requireNonNull(form, "form");
        }
    }

    private static final int JOINED = 3;

    private final String prefix;
    private final TreeMap<String, Rule> rules = new TreeMap<>();

    /**
     * Starts a map without rules, in which names are the same but for a prefix.
     *
     * @param prefix of all names in the file
     */
    public KeyMap(String prefix) {
        this.prefix = Objects.requireNonNull(prefix, "prefix");
    }

    /** Whether a tensor of the file has the prefix. */
    boolean isOf(String original) {
        return original.startsWith(prefix);
    }

    /**
     * Adds a rule for a module or a tensor.
     *
     * @param hub its path at hubs
     * @param original its path in the file
     */
    public KeyMap rename(String hub, String original) {
        return rename(hub, original, Map.of());
    }

    /**
     * Adds a rule for a module whose own parts have other names too.
     *
     * @param inner what the file calls these parts, or their tensors, by their paths at hubs; what
     *     is not there has the same name
     */
    public KeyMap rename(String hub, String original, Map<String, Original> inner) {
        return put(hub, new Rule(original, Form.SAME, Map.copyOf(inner)));
    }

    /** Adds a rule for a tensor that is stored in another form. */
    public KeyMap store(String hub, String original, Form form) {
        return put(hub, new Rule(original, form, Map.of()));
    }

    private KeyMap put(String hub, Rule rule) {
        if (rules.put(hub, rule) != null) {
            throw new IllegalArgumentException("there are two rules for " + hub);
        }
        return this;
    }

    /** Returns what a file calls a tensor that hubs call so. */
    public Original original(String hub) {
        for (String path = hub; !path.isEmpty(); path = parent(path)) {
            Rule rule = rules.get(path);
            if (rule != null) {
                Original rest = inside(rule.inner, hub.substring(path.length()));
                Form form = rule.form == Form.SAME ? rest.form : rule.form;
                return new Original(prefix + rule.original + rest.key, form);
            }
        }
        return new Original(prefix + hub, Form.SAME);
    }

    /**
     * @param rest of a name, empty or from a dot on
     */
    private static Original inside(Map<String, Original> inner, String rest) {
        for (String path = rest; !path.isEmpty(); path = parent(path)) {
            Original renamed = inner.get(path.substring(1));
            if (renamed != null) {
                return new Original(
                        "." + renamed.key + rest.substring(path.length()), renamed.form);
            }
        }
        return new Original(rest, Form.SAME);
    }

    private static String parent(String path) {
        return path.substring(0, Math.max(0, path.lastIndexOf('.')));
    }

    /**
     * Returns a file's tensors under the names of hubs, in their form.
     *
     * @param names of hubs, of tensors that the network has; those that the file lacks are left out
     */
    public WeightSource atHubs(WeightSource file, Set<String> names) {
        Set<String> keys = file.keys();
        Map<String, Original> there = new LinkedHashMap<>();
        for (String name : names) {
            Original original = original(name);
            if (keys.contains(original.key)) {
                there.put(name, original);
            }
        }
        return new AtHubs(file, there);
    }

    /**
     * Returns a network's tensors as a file stores them.
     *
     * @throws IllegalArgumentException if two tensors would have one name, or only some are there
     *     of those that are stored together
     */
    public WeightSource inFile(WeightSource hub) {
        return inFile(hub, hub.keys());
    }

    /**
     * Returns some of a network's tensors as a file stores them.
     *
     * @param names of hubs; those that are not there are left out
     * @throws IllegalArgumentException if two tensors would have one name, or only some are there
     *     of those that are stored together
     */
    public WeightSource inFile(WeightSource hub, Set<String> names) {
        Set<String> keys = hub.keys();
        Map<String, List<String>> parts = new LinkedHashMap<>();
        for (String name : names) {
            if (keys.contains(name)) {
                put(parts, name, hub);
            }
        }
        requireAllJoined(parts, hub);
        return new InFile(this, hub, parts);
    }

    private void put(Map<String, List<String>> parts, String name, WeightSource hub) {
        Original original = original(name);
        var together = parts.computeIfAbsent(original.key, key -> new ArrayList<>());
        int at = original.form == Form.SECOND ? 1 : original.form == Form.THIRD ? 2 : 0;
        while (together.size() <= at) {
            together.add("");
        }
        if (!together.set(at, name).isEmpty()) {
            throw new IllegalArgumentException(
                    hub.name() + " has two tensors that a file calls " + original.key);
        }
    }

    private void requireAllJoined(Map<String, List<String>> parts, WeightSource hub) {
        parts.forEach(
                (original, names) -> {
                    boolean joined = form(names.getLast()).compareTo(Form.FIRST) >= 0;
                    if (joined && (names.size() < JOINED || names.contains(""))) {
                        throw new IllegalArgumentException(
                                hub.name()
                                        + " has not all that a file joins to "
                                        + original
                                        + ", only "
                                        + names.stream().filter(name -> !name.isEmpty()).toList());
                    }
                });
    }

    private Form form(String name) {
        return original(name).form;
    }

    private record AtHubs(WeightSource file, Map<String, Original> originals)
            implements WeightSource {
        @Override
        public String name() {
            return file.name();
        }

        @Override
        public Set<String> keys() {
            return Collections.unmodifiableSet(originals.keySet());
        }

        @Override
        public Shape shape(String key) {
            Original original = original(key);
            Shape stored = file.shape(original.key);
            long[] sizes = stored.toArray();
            return switch (original.form) {
                case FIRST, SECOND, THIRD -> {
                    if (sizes.length > 0 && sizes[0] % JOINED == 0) {
                        sizes[0] /= JOINED;
                    }
                    yield Shape.of(sizes);
                }
                case TRANSPOSED ->
                        sizes.length == 2 ? Shape.of(sizes[1], sizes[0]) : Shape.of(sizes);
                case CONVOLUTION -> isConvolution(stored) ? Shape.of(sizes[0], sizes[1]) : stored;
                case SAME -> stored;
            };
        }

        private static boolean isConvolution(Shape shape) {
            return shape.rank() == 4 && shape.size(2) == 1 && shape.size(3) == 1;
        }

        @Override
        public Optional<DType> dtype(String key) {
            return file.dtype(original(key).key);
        }

        @Override
        public Tensor read(String key) throws IOException {
            Original original = original(key);
            Tensor stored = file.read(original.key);
            return switch (original.form) {
                case SAME -> stored;
                case FIRST -> third(stored, 0);
                case SECOND -> third(stored, 1);
                case THIRD -> third(stored, 2);
                case TRANSPOSED -> stored.transpose(0, 1).contiguous();
                case CONVOLUTION -> stored.reshape(shape(key).toArray());
            };
        }

        private static Tensor third(Tensor joined, int index) {
            long rows = joined.size(0) / JOINED;
            return joined.narrow(0, index * rows, rows);
        }

        private Original original(String key) {
            Original original = originals.get(key);
            if (original == null) {
                throw new NoSuchElementException(name() + " has no tensor " + key);
            }
            return original;
        }
    }

    private record InFile(KeyMap map, WeightSource hub, Map<String, List<String>> parts)
            implements WeightSource {
        @Override
        public String name() {
            return hub.name();
        }

        @Override
        public Set<String> keys() {
            return Collections.unmodifiableSet(parts.keySet());
        }

        @Override
        public Shape shape(String key) {
            List<String> names = names(key);
            long[] sizes = hub.shape(names.getFirst()).toArray();
            return switch (map.form(names.getFirst())) {
                case TRANSPOSED -> Shape.of(sizes[1], sizes[0]);
                case CONVOLUTION -> Shape.of(sizes[0], sizes[1], 1, 1);
                default -> {
                    sizes[0] *= names.size();
                    yield Shape.of(sizes);
                }
            };
        }

        @Override
        public Optional<DType> dtype(String key) {
            return hub.dtype(names(key).getFirst());
        }

        @Override
        public Tensor read(String key) throws IOException {
            List<String> names = names(key);
            Tensor first = hub.read(names.getFirst());
            if (names.size() > 1) {
                return Ops.cat(0, first, hub.read(names.get(1)), hub.read(names.get(2)));
            }
            return switch (map.form(names.getFirst())) {
                case TRANSPOSED -> first.transpose(0, 1).contiguous();
                case CONVOLUTION -> first.unsqueeze(2).unsqueeze(3);
                default -> first;
            };
        }

        private List<String> names(String key) {
            List<String> names = parts.get(key);
            if (names == null) {
                throw new NoSuchElementException(name() + " has no tensor " + key);
            }
            return names;
        }
    }
}
