package dev.darkroom.training.run;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.common.Sha256;
import dev.darkroom.common.WholeFile;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.optim.Ema;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.SafetensorsWriter;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The checkpoints of a run, each a folder {@code step-N}. One is written under a temporary name,
 * forced to disk with a manifest of its files' hashes, and renamed: whatever happens, a folder of
 * that name is whole, or its manifest tells that it is not. The last two are kept.
 */
final class Checkpoints {
    private static final Pattern NAME = Pattern.compile("step-(\\d+)");
    private static final String TEMPORARY = ".writing-";
    private static final String MANIFEST = "manifest.json";
    private static final String STATE = "state.json";
    private static final String WEIGHTS = "weights.safetensors";
    private static final String OPTIMIZER = "optimizer.safetensors";
    private static final String AVERAGE = "average.safetensors";
    private static final JsonMapper JSON = JsonMapper.builder().build();

    private final Path folder;
    private final Runnable between;

    /** What is kept besides a new one. */
    private @Nullable Path last;

    /**
     * @param between is called between any two writes; for tests
     */
    Checkpoints(Path folder, Runnable between) {
        this.folder = folder;
        this.between = between;
    }

    // ---- Saving ----

    void save(RunState state, Learner learner) throws IOException {
        Files.createDirectories(folder);
        sweep(name -> name.startsWith(TEMPORARY));
        Path temporary = Files.createDirectory(folder.resolve(TEMPORARY + state.step()));
        Path path = folder.resolve("step-" + state.step());
        try {
            between.run();
            write(temporary, state, learner);
            between.run();
            if (Files.exists(path)) {
                delete(path); // one that did not verify, or the run would have gone on from it
            }
            between.run();
            Files.move(temporary, path, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw WholeFile.failed(path, e);
        } finally {
            if (Files.exists(temporary)) {
                delete(temporary);
            }
        }
        force(folder);
        between.run();
        String kept = last == null ? "" : last.getFileName().toString();
        String newest = path.getFileName().toString();
        sweep(name -> NAME.matcher(name).matches() && !name.equals(kept) && !name.equals(newest));
        last = path;
    }

    private void write(Path temporary, RunState state, Learner learner) throws IOException {
        SafetensorsWriter.write(temporary.resolve(WEIGHTS), learner.weights(), Map.of());
        between.run();
        SafetensorsWriter.write(
                temporary.resolve(OPTIMIZER), learner.optimizer().state(), Map.of());
        between.run();
        Ema average = learner.average();
        if (average != null) {
            SafetensorsWriter.write(temporary.resolve(AVERAGE), average.state(), Map.of());
            between.run();
        }
        write(temporary.resolve(STATE), state.toJson());
        between.run();
        write(temporary.resolve(MANIFEST), manifest(temporary));
        force(temporary);
    }

    private static byte[] manifest(Path checkpoint) throws IOException {
        ObjectNode hashes = JSON.createObjectNode();
        for (Path file : list(checkpoint)) {
            hashes.put(file.getFileName().toString(), Sha256.of(file));
        }
        return JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(hashes);
    }

    private static void write(Path file, byte[] content) throws IOException {
        try (var out =
                FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            for (var bytes = ByteBuffer.wrap(content); bytes.hasRemaining(); ) {
                out.write(bytes);
            }
            out.force(true);
        }
    }

    /** Makes the names in a folder safe; a system that can't is one that need not. */
    private static void force(Path folder) throws IOException {
        if (folder.getFileSystem().supportedFileAttributeViews().contains("posix")) {
            try (var names = FileChannel.open(folder, StandardOpenOption.READ)) {
                names.force(true);
            }
        }
    }

    private void sweep(Predicate<String> names) throws IOException {
        for (Path path : list(folder)) {
            if (names.test(path.getFileName().toString())) {
                delete(path);
            }
        }
    }

    /** Renamed first, so that no part of it is ever taken for a checkpoint. */
    private void delete(Path checkpoint) throws IOException {
        Path path = checkpoint;
        if (!path.getFileName().toString().startsWith(TEMPORARY)) {
            path = folder.resolve(TEMPORARY + "old-" + checkpoint.getFileName());
            if (Files.exists(path)) {
                delete(path);
            }
            Files.move(checkpoint, path, StandardCopyOption.ATOMIC_MOVE);
        }
        for (Path file : list(path)) {
            Files.delete(file);
        }
        Files.delete(path);
    }

    private static List<Path> list(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.sorted().toList();
        }
    }

    // ---- Resuming ----

    /**
     * Loads the newest checkpoint that verifies.
     *
     * @param config that it must have been made with
     * @return where the run is; nothing if it has no checkpoint yet
     * @throws TrainingException if there are some and none verifies, or the config differs
     */
    Optional<RunState> resume(Map<String, String> config, Learner learner, RunListener listener)
            throws IOException {
        List<String> problems = new ArrayList<>();
        for (Path checkpoint : newestFirst()) {
            Optional<String> problem = problem(checkpoint);
            if (problem.isPresent()) {
                problems.add(checkpoint + " was skipped: " + problem.get());
                continue;
            }
            problems.forEach(listener::warned);
            RunState state = RunState.read(checkpoint.resolve(STATE));
            state.requireConfig(checkpoint, config);
            load(checkpoint, learner);
            last = checkpoint;
            return Optional.of(state);
        }
        if (!problems.isEmpty()) {
            throw new TrainingException(
                    "no checkpoint can be resumed: "
                            + String.join("; ", problems)
                            + ". To begin anew, delete "
                            + folder);
        }
        return Optional.empty();
    }

    private List<Path> newestFirst() throws IOException {
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        var steps = new LinkedHashMap<Path, Long>();
        for (Path path : list(folder)) {
            Matcher name = NAME.matcher(path.getFileName().toString());
            if (name.matches()) {
                steps.put(path, Long.parseLong(name.group(1)));
            }
        }
        return steps.keySet().stream()
                .sorted(Comparator.comparing(steps::get, Comparator.reverseOrder()))
                .toList();
    }

    /** Returns what is wrong with a checkpoint. */
    private static Optional<String> problem(Path checkpoint) {
        try {
            JsonNode hashes = JSON.readTree(Files.readAllBytes(checkpoint.resolve(MANIFEST)));
            for (String name : List.of(STATE, WEIGHTS, OPTIMIZER)) {
                if (!hashes.has(name)) {
                    return Optional.of(MANIFEST + " does not name " + name);
                }
            }
            for (var each : hashes.properties()) {
                Path file = checkpoint.resolve(each.getKey());
                if (!Files.isRegularFile(file)) {
                    return Optional.of(each.getKey() + " is missing");
                }
                if (!Sha256.of(file).equals(each.getValue().asText())) {
                    return Optional.of(each.getKey() + " is not what was written");
                }
            }
            return Optional.empty();
        } catch (JsonProcessingException e) {
            return Optional.of(MANIFEST + " is no JSON");
        } catch (IOException e) {
            return Optional.of(MANIFEST + " can't be read (" + e.getMessage() + ")");
        }
    }

    private static void load(Path checkpoint, Learner learner) throws IOException {
        try (var scope = TensorScope.open();
                var mode = Mode.NO_GRAD.enter()) {
            learner.load(tensors(checkpoint.resolve(WEIGHTS)));
            learner.optimizer().load(tensors(checkpoint.resolve(OPTIMIZER)));
            Ema average = learner.average();
            if (average != null) {
                average.load(tensors(checkpoint.resolve(AVERAGE)));
            }
        } catch (IllegalArgumentException e) {
            throw new TrainingException(checkpoint + ": " + e.getMessage(), e);
        }
    }

    private static Map<String, Tensor> tensors(Path file) throws IOException {
        var tensors = new LinkedHashMap<String, Tensor>();
        try (var opened = Safetensors.open(file, LoadMode.READ)) {
            for (String name : opened.names()) {
                tensors.put(name, opened.tensor(name));
            }
        }
        return tensors;
    }
}
