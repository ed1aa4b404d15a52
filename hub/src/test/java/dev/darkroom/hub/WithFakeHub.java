package dev.darkroom.hub;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.hub.HubException.Kind;
import dev.darkroom.testing.FakeHub;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;

/** What tests of the client share: a hub, a cache in a folder that is watched, a small model. */
@Timeout(300)
abstract class WithFakeHub {
    static final ModelId ID = new ModelId("org", "tiny", null, null);
    static final String SHARDS = "diffusion_pytorch_model-0000%d-of-00002%s.safetensors";

    @TempDir Path folder;
    FakeHub server;

    @BeforeEach
    void start() throws IOException {
        server = new FakeHub();
    }

    @AfterEach
    void stop() throws IOException {
        server.close();
    }

    Path cache() {
        return folder.resolve("cache");
    }

    HubOptions options() throws HubException {
        return HubOptions.fromEnvironment(Map.of(), folder)
                .withEndpoint(server.endpoint())
                .withCache(cache())
                .withTimeout(Duration.ofSeconds(2))
                .withLongestWait(Duration.ofSeconds(2));
    }

    Hub hub() throws HubException {
        return hub(options());
    }

    /** A client that does not wait long between attempts. */
    static Hub hub(HubOptions options) {
        return hub(options, new HubCache(options.cacheFolder()));
    }

    static Hub hub(HubOptions options, HubCache cache) {
        return new Hub(
                options, cache, new Retries.Policy(Duration.ofMillis(5), options.longestWait()));
    }

    Snapshot get(ModelId id) throws IOException, InterruptedException {
        try (Hub hub = hub()) {
            return hub.get(id, DownloadListener.NONE);
        }
    }

    HubException failure(ModelId id) throws HubException {
        try (Hub hub = hub()) {
            return assertThrows(HubException.class, () -> hub.get(id, DownloadListener.NONE));
        }
    }

    void assertFails(Kind kind, String message) throws IOException {
        var failure = failure(ID);
        assertEquals(kind, failure.kind(), failure.getMessage());
        assertTrue(failure.getMessage().contains(message), failure.getMessage());
        assertEquals(1, failure.getMessage().lines().count());
        assertNoWrongFile();
    }

    static byte[] random(int size, int seed) {
        var bytes = new byte[size];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }

    /** A model with what a checkpoint has, and with what is not needed of it. */
    FakeHub.Model tiny() {
        return server.model(ID.repository())
                .add(
                        "model_index.json",
                        "{\"_class_name\":\"PixArtAlphaPipeline\","
                                + "\"transformer\":[\"diffusers\",\"PixArtTransformer2DModel\"],"
                                + "\"vae\":[\"diffusers\",\"AutoencoderKL\"],"
                                + "\"scheduler\":[\"diffusers\",\"DDIMScheduler\"],"
                                + "\"tokenizer\":[\"transformers\",\"T5Tokenizer\"],"
                                + "\"safety_checker\":[null,null],\"flag\":true}")
                .add("README.md", "# Tiny")
                .add("sample.png", random(5000, 1))
                .add("transformer/config.json", "{}")
                .add("transformer/diffusion_pytorch_model.safetensors", random(300_000, 2))
                .add("transformer/diffusion_pytorch_model.bin", random(300_000, 3))
                .add("vae/config.json", "{ }")
                .add("vae/diffusion_pytorch_model.safetensors", random(50_000, 4))
                .add("vae/diffusion_pytorch_model.fp16.safetensors", random(25_000, 5))
                .add("scheduler/scheduler_config.json", "{\"beta\":1}")
                .add("tokenizer/spiece.model", random(2_000, 6))
                .add("tokenizer/tokenizer_config.json", "{\"a\":1}")
                .add("unused/diffusion_pytorch_model.safetensors", random(2_000, 7));
    }

    static final List<String> NEEDED =
            List.of(
                    "model_index.json",
                    "scheduler/scheduler_config.json",
                    "tokenizer/spiece.model",
                    "tokenizer/tokenizer_config.json",
                    "transformer/config.json",
                    "transformer/diffusion_pytorch_model.safetensors",
                    "vae/config.json",
                    "vae/diffusion_pytorch_model.safetensors");

    /** The names in a folder, of files only. */
    static List<String> names(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        try (var files = Files.walk(folder)) {
            return files.filter(file -> !Files.isDirectory(file))
                    .map(file -> folder.relativize(file).toString().replace('\\', '/'))
                    .sorted()
                    .toList();
        }
    }

    void assertSame(FakeHub.Model model, Snapshot snapshot, List<String> paths) throws IOException {
        assertEquals(paths, names(snapshot.folder()));
        for (String path : paths) {
            assertArrayEquals(
                    model.bytes(path), Files.readAllBytes(snapshot.folder().resolve(path)), path);
        }
        assertNoWrongFile();
    }

    Path storage() {
        return cache().resolve("models--org--tiny");
    }

    /** Every blob that has its final name is whole, and nothing is beside the cache. */
    void assertNoWrongFile() throws IOException {
        Path blobs = storage().resolve("blobs");
        for (String name : names(blobs)) {
            if (!name.endsWith(".incomplete")) {
                byte[] bytes = Files.readAllBytes(blobs.resolve(name));
                String hash =
                        name.length() == 40
                                ? FakeHub.gitHash(bytes)
                                : FakeHub.hex("SHA-256", bytes);
                assertEquals(name, hash);
            }
        }
        try (var beside = Files.list(folder)) {
            for (Path each : beside.toList()) {
                String name = each.getFileName().toString();
                assertTrue(name.equals("cache") || name.startsWith("mine"), name);
            }
        }
    }

    /** Listens and remembers. */
    static final class Record implements DownloadListener {
        final List<Progress> progress = new ArrayList<>();
        final List<String> warnings = new ArrayList<>();
        final Map<String, Long> started = new TreeMap<>();
        long size;

        @Override
        public void starts(List<RemoteFile> files, long bytes) {
            files.forEach(file -> started.put(file.path(), file.size()));
            size = bytes;
        }

        @Override
        public void progresses(Progress now) {
            progress.add(now);
        }

        @Override
        public void warns(String message) {
            warnings.add(message);
        }

        @Override
        public String toString() {
            return Arrays.toString(warnings.toArray());
        }
    }
}
