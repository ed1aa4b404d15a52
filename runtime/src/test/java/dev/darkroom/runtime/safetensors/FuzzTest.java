package dev.darkroom.runtime.safetensors;

import static dev.darkroom.runtime.safetensors.RawFile.entry;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;

import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.safetensors.SafetensorsException.Kind;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.logging.Level;
import java.util.logging.Logger;

/**
 * Damaged files are refused with a {@link SafetensorsException} or read correctly; nothing else
 * happens. {@code -Ddarkroom.fuzz.seconds=3600} makes it an hour; a failure names the seed, and
 * {@code -Ddarkroom.fuzz.seed=SEED} runs that case first.
 */
class FuzzTest {
    private static final long SECONDS = Long.getLong("darkroom.fuzz.seconds", 10);
    private static final long SEED = Long.getLong("darkroom.fuzz.seed", System.nanoTime());

    /** What may go wrong with a tensor whose header is right. */
    private static final Set<Kind> OF_VALUES =
            EnumSet.of(Kind.UNSUPPORTED_DTYPE, Kind.INVALID_BOOL);

    /** Damaged indexes have wrong sizes by the thousand: their warnings would drown the output. */
    private static final Logger LOG = Logger.getLogger("dev.darkroom.safetensors");

    private static final ObjectMapper JSON = new ObjectMapper();

    private final Map<Kind, Integer> refused = new EnumMap<>(Kind.class);
    private final List<byte[]> seeds = new ArrayList<>();
    private final List<byte[]> donors = new ArrayList<>();
    private int accepted;

    @TempDir Path folder;

    @BeforeEach
    void collect() throws IOException {
        try (var files =
                Files.list(Path.of("src/test/resources/dev/darkroom/runtime/safetensors"))) {
            for (var file : files.sorted().toList()) {
                seeds.add(Files.readAllBytes(file));
            }
        }
        seeds.add(
                RawFile.of(
                        "{\"__metadata__\":{\"format\":\"pt\"},"
                                + entry("four", "F4", "[4]", 0, 2)
                                + ","
                                + entry("six", "F6_E3M2", "[4]", 2, 5)
                                + ","
                                + entry("w", "F32", "[2,1]", 5, 13)
                                + ","
                                + entry("b", "BOOL", "[3]", 13, 16)
                                + "}",
                        16));
        seeds.add(RawFile.of("{" + entry("w", "F32", "[1]", 0, 4) + "}", 4));
        donors.addAll(seeds);
        MalformedFiles.all().stream()
                .map(MalformedFiles.Case::bytes)
                .filter(bytes -> bytes.length < 4096)
                .forEach(donors::add);
    }

    @Test
    void damagedFilesAreRefusedOrReadCorrectly() throws IOException {
        System.out.printf("fuzzing safetensors for %d s from seed %d%n", SECONDS, SEED);
        long live = Memory.liveTensors();
        var file = folder.resolve("fuzz.safetensors");
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);
        long seed = SEED;
        for (; System.nanoTime() < end; seed++) {
            var random = new SplittableRandom(seed);
            byte[] bytes =
                    new Mutations(random)
                            .mutate(
                                    seeds.get(random.nextInt(seeds.size())),
                                    donors.get(random.nextInt(donors.size())));
            try (var scope = TensorScope.open()) {
                check(Files.write(file, bytes), bytes, LoadMode.values()[random.nextInt(2)]);
            } catch (Throwable e) {
                throw new AssertionError("-Ddarkroom.fuzz.seed=" + seed + " fails", e);
            }
        }
        int refusals = refused.values().stream().mapToInt(Integer::intValue).sum();
        System.out.printf(
                "%d files: %d read, %d refused: %s%n", seed - SEED, accepted, refusals, refused);
        assertEquals(live, Memory.liveTensors());
        assertTrue(accepted > 0 && refusals > 0, "the fuzzer makes only one sort of file");
        assertTrue(refused.size() > Math.min(SECONDS, 20), "the fuzzer reaches few of the rules");
    }

    private void check(Path file, byte[] bytes, LoadMode mode) throws IOException {
        try (var checkpoint = Safetensors.open(file, mode)) {
            accepted++;
            checkHeader(checkpoint.headers().getFirst(), bytes);
            for (var name : checkpoint.names()) {
                checkTensor(checkpoint, checkpoint.info(name), bytes);
            }
        } catch (SafetensorsException e) {
            checkRefusal(e, file);
        }
    }

    private void checkRefusal(SafetensorsException e, Path file) {
        refused.merge(e.kind(), 1, Integer::sum);
        assertEquals(file, e.file());
        assertEquals(1, e.getMessage().lines().count(), e.getMessage());
    }

    /** The header agrees with the bytes, and with another reading of the JSON. */
    private static void checkHeader(SafetensorsHeader header, byte[] bytes) throws IOException {
        long length = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong();
        assertEquals(length, header.headerBytes());
        long position = 8 + length;
        for (var tensor : header.tensors().values()) {
            assertEquals(position, tensor.begin());
            position = tensor.end();
            assertTrue(tensor.shape().rank() <= SafetensorsHeader.MAX_RANK);
            assertEquals(tensor.bytes() * 8, tensor.shape().elements() * tensor.dtype().bits());
        }
        assertEquals(bytes.length, position);

        var json = new String(bytes, 8, (int) length, StandardCharsets.UTF_8);
        var tree = JSON.readTree(json);
        var names = new HashSet<String>();
        tree.fieldNames().forEachRemaining(names::add);
        names.remove("__metadata__");
        assertEquals(names, header.tensors().keySet());
        for (var name : names) {
            checkEntry(tree.get(name), header.tensors().get(name), 8 + length);
        }
        assertEquals(tree.path("__metadata__").size(), header.metadata().size());
    }

    private static void checkEntry(JsonNode entry, StoredTensor tensor, long data) {
        assertEquals(entry.get("dtype").textValue(), tensor.dtype().name());
        assertEquals(entry.get("data_offsets").get(0).longValue() + data, tensor.begin());
        assertEquals(entry.get("data_offsets").get(1).longValue() + data, tensor.end());
        var sizes = new ArrayList<Long>();
        entry.get("shape").forEach(size -> sizes.add(size.longValue()));
        assertArrayEquals(
                sizes.stream().mapToLong(Long::longValue).toArray(), tensor.shape().toArray());
    }

    private void checkTensor(Safetensors checkpoint, StoredTensor stored, byte[] bytes)
            throws IOException {
        try {
            var tensor = checkpoint.tensor(stored.name());
            assertEquals(stored.dtype().tensorType().orElseThrow(), tensor.dtype());
            assertEquals(stored.shape(), tensor.shape());
            var loaded = new byte[(int) stored.bytes()];
            tensor.buffer(0, loaded.length).get(loaded);
            assertArrayEquals(
                    Arrays.copyOfRange(bytes, (int) stored.begin(), (int) stored.end()), loaded);
        } catch (SafetensorsException e) {
            assertTrue(OF_VALUES.contains(e.kind()), e.getMessage());
            checkRefusal(e, stored.file());
        }
    }

    @Test
    void damagedIndexesAreRefusedOrReadCorrectly() throws IOException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(Math.ceilDiv(SECONDS, 10));
        var file = folder.resolve("model.safetensors.index.json");
        var shard = folder.resolve("model-1.safetensors");
        Files.write(shard, RawFile.of("{" + entry("a", "U8", "[1]", 0, 1) + "}", 1));
        Files.write(
                folder.resolve("model-2.safetensors"),
                RawFile.of("{" + entry("b", "U8", "[1]", 0, 1) + "}", 1));
        var valid =
                "{\"metadata\":{\"total_size\":2},\"weight_map\":"
                        + "{\"a\":\"model-1.safetensors\",\"b\":\"model-2.safetensors\"}}";
        int read = 0;
        LOG.setLevel(Level.SEVERE);
        for (long seed = SEED; System.nanoTime() < end; seed++) {
            var mutations = new Mutations(new SplittableRandom(seed));
            var text = mutations.mutateText(valid);
            var damaged = seed % 2 == 0 ? text : mutations.mutateText(text);
            Files.write(file, damaged.getBytes(StandardCharsets.UTF_8)); // half a pair becomes "?"
            try (var checkpoint = Safetensors.open(file, LoadMode.MAPPED)) {
                read++;
                var weightMap = new HashSet<String>();
                JSON.readTree(file.toFile())
                        .get("weight_map")
                        .fieldNames()
                        .forEachRemaining(weightMap::add);
                assertEquals(weightMap, checkpoint.names());
            } catch (SafetensorsException e) {
                refused.merge(e.kind(), 1, Integer::sum);
            } catch (Throwable e) {
                throw new AssertionError("-Ddarkroom.fuzz.seed=" + seed + " fails", e);
            }
        }
        LOG.setLevel(null);
        assertTrue(read > 0, "no index was read");
        assertTrue(
                refused.keySet().containsAll(EnumSet.of(Kind.MISSING_SHARD, Kind.MALFORMED_JSON)),
                () -> "few of the rules were reached: " + refused);
    }
}
