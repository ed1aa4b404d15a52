package dev.darkroom.hub;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.hub.HubException.Kind;
import dev.darkroom.testing.FakeHub;

import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** The cache on disk: what is found, listed and removed in it, and links that others put there. */
class HubCacheTest extends WithFakeHub {
    private HubCache files() {
        return new HubCache(cache());
    }

    /** Where nothing of the cache may go. */
    private Path elsewhere() throws Exception {
        Path mine = folder.resolve("mine");
        Files.createDirectories(mine);
        Files.writeString(mine.resolve("precious"), "precious");
        return mine;
    }

    private void assertUntouched() throws Exception {
        Path mine = folder.resolve("mine");
        assertEquals(List.of("precious"), names(mine));
        assertEquals("precious", Files.readString(mine.resolve("precious")));
    }

    // ---- Links of others ----

    @ParameterizedTest
    @ValueSource(
            strings = {
                "cache/models--org--tiny",
                "cache/models--org--tiny/blobs",
                "cache/models--org--tiny/refs",
                "cache/models--org--tiny/snapshots",
                "cache/models--org--tiny/snapshots/COMMIT",
                "cache/models--org--tiny/snapshots/COMMIT/vae",
                "cache/.locks",
                "cache/.locks/models--org--tiny"
            })
    void nothingIsWrittenThroughALinkInPlaceOfAFolder(String name) throws Exception {
        var model = tiny();
        Path link = folder.resolve(name.replace("COMMIT", model.commit));
        Files.createDirectories(link.getParent());
        Files.createSymbolicLink(link, elsewhere());
        var failure = failure(ID);
        assertEquals(Kind.CACHE, failure.kind(), failure.getMessage());
        assertTrue(failure.getMessage().contains(link.getFileName() + " is a link, and nothing"));
        assertUntouched();
        Files.delete(link);
        Files.writeString(link, "a file");
        assertEquals(Kind.CACHE, failure(ID).kind());
        Files.delete(link);
        assertSame(model, get(ID), NEEDED);
    }

    @Test
    void aLinkInPlaceOfAFileIsReplacedNotFollowed() throws Exception {
        var model = tiny();
        Path precious = elsewhere().resolve("precious");
        String weights = "vae/diffusion_pytorch_model.safetensors";
        String hash = FakeHub.hash(model, weights);
        Path blobs = Files.createDirectories(storage().resolve("blobs"));
        Path snapshot = storage().resolve("snapshots/" + model.commit);
        Files.createDirectories(snapshot.resolve("vae"));
        Files.createDirectories(storage().resolve("refs"));
        Files.createSymbolicLink(blobs.resolve(hash + ".incomplete"), precious);
        Files.createSymbolicLink(blobs.resolve(hash), precious);
        Files.createSymbolicLink(snapshot.resolve(weights), precious);
        Files.createSymbolicLink(storage().resolve("refs/main"), precious);
        Path other = blobs.resolve(FakeHub.hash(model, "vae/config.json") + ".incomplete");
        Files.createLink(other, precious);
        assertSame(model, get(ID), NEEDED);
        assertUntouched();
        assertFalse(Files.isSymbolicLink(blobs.resolve(hash)));
    }

    @Test
    void aLinkInPlaceOfALockIsRefused() throws Exception {
        var model = tiny();
        Path locks = Files.createDirectories(cache().resolve(".locks/models--org--tiny"));
        String hash = FakeHub.hash(model, "vae/config.json");
        Files.createSymbolicLink(
                locks.resolve(hash + ".lock"), elsewhere().resolve("made-by-a-lock"));
        assertEquals(Kind.CACHE, failure(ID).kind());
        assertUntouched();
    }

    @Test
    void aCacheThatIsItselfALinkIsUsed() throws Exception {
        var model = tiny();
        Path mine = Files.createDirectories(folder.resolve("mine"));
        Files.createSymbolicLink(cache(), mine);
        assertSame(model, get(ID), NEEDED);
        assertTrue(Files.isDirectory(mine.resolve("models--org--tiny")));
        assertEquals(1, files().list().size());
    }

    @Test
    void linksOfSeveralHopsAreRead() throws Exception {
        var model = tiny();
        get(ID);
        Path mine = Files.createDirectories(folder.resolve("mine"));
        Path blob = storage().resolve("blobs/" + FakeHub.hash(model, "vae/config.json"));
        Files.move(blob, mine.resolve("moved"));
        Files.createSymbolicLink(mine.resolve("hop"), Path.of("moved"));
        Files.createSymbolicLink(blob, mine.resolve("hop"));
        server.requests.clear();
        assertSame(model, get(ID), NEEDED);
        assertEquals(List.of(), server.requests);
    }

    @Test
    void loopsAndDanglingLinksAreIncomplete() throws Exception {
        var model = tiny();
        var snapshot = get(ID).folder();
        Path config = snapshot.resolve("vae/config.json");
        Path weights = snapshot.resolve("vae/diffusion_pytorch_model.safetensors");
        Files.createSymbolicLink(snapshot.resolve("loop"), Path.of("."));
        assertTrue(files().list().getFirst().isComplete());
        Files.delete(snapshot.resolve("loop"));
        for (String target : List.of("../nowhere", weights.getFileName().toString())) {
            Files.delete(weights);
            Files.createSymbolicLink(weights, Path.of(target));
            assertFalse(files().list().getFirst().isComplete());
            assertSame(model, get(ID), NEEDED);
        }
        Files.delete(config);
        Files.createDirectories(config);
        assertFalse(files().find(ID, CheckpointFiles.of(ID)).isPresent() && !Files.exists(config));
    }

    // ---- Without links ----

    @Test
    void whereThereAreNoLinksThereAreFiles() throws Exception {
        var model = tiny();
        model.add("transformer/copy.json", "{}"); // the same contents as config.json
        var needed = new ArrayList<>(NEEDED);
        needed.add("transformer/copy.json");
        needed.sort(null);
        try (Hub hub = hub(options(), new HubCache(cache(), false))) {
            var snapshot = hub.get(ID, DownloadListener.NONE);
            assertSame(model, snapshot, needed);
            for (String path : needed) {
                assertTrue(
                        Files.isRegularFile(
                                snapshot.folder().resolve(path), LinkOption.NOFOLLOW_LINKS));
            }
            assertEquals(List.of(), names(storage().resolve("blobs")));
            server.requests.clear();
            hub.get(ID, DownloadListener.NONE);
            assertEquals(List.of(), server.requests);
        }
    }

    // ---- What is there ----

    @Test
    void aCacheIsListed() throws Exception {
        assertEquals(List.of(), files().list());
        var model = tiny();
        get(ID);
        get(ID.withRevision("refs/pr/1"));
        Files.createDirectories(cache().resolve("datasets--org--data/snapshots"));
        Files.createDirectories(cache().resolve("models--strange"));
        Files.createDirectories(cache().resolve("models--org--tiny/snapshots/not-a-commit"));
        Files.writeString(cache().resolve("models--org--file"), "");
        Files.writeString(storage().resolve("refs/broken"), "../../..");
        var only = files().list().getFirst();
        assertEquals(1, files().list().size());
        assertEquals("org/tiny", only.repository());
        assertEquals(model.commit, only.commit());
        assertEquals(List.of("main", "refs/pr/1"), only.revisions());
        assertEquals(
                NEEDED.stream().mapToLong(path -> model.bytes(path).length).sum(), only.size());
        assertTrue(only.isComplete());
        Files.delete(only.folder().resolve("vae/diffusion_pytorch_model.safetensors"));
        assertFalse(files().list().getFirst().isComplete());
    }

    @Test
    void aVariantAloneIsComplete() throws Exception {
        var model = tiny();
        model.add("transformer/diffusion_pytorch_model.fp16.safetensors", random(2000, 9));
        get(ID.withVariant("fp16"));
        assertTrue(files().list().getFirst().isComplete());
        assertFalse(files().find(ID, CheckpointFiles.of(ID)).isPresent());
        var fp16 = ID.withVariant("fp16");
        assertTrue(files().find(fp16, CheckpointFiles.of(fp16)).isPresent());
    }

    /** Plain weights that are there do not stand in for a variant that never came. */
    @Test
    void aVariantThatIsNotThereIsAskedFor() throws Exception {
        var model = tiny();
        model.add("transformer/diffusion_pytorch_model.fp16.safetensors", random(2000, 9));
        get(ID);
        Path snapshot = get(ID.withVariant("fp16")).folder();
        Path weights = snapshot.resolve("transformer/diffusion_pytorch_model.fp16.safetensors");
        Files.delete(weights);
        assertEquals(List.of(), get(ID.withVariant("fp16")).warnings());
        assertTrue(Files.exists(weights));
    }

    // ---- Removing ----

    @Test
    void aCommitIsRemovedAndWhatOthersShareStays() throws Exception {
        var old = tiny();
        get(ID);
        server.models.clear();
        var moved = new FakeHub.Model("ab".repeat(20));
        moved.files.putAll(old.files);
        moved.add("vae/diffusion_pytorch_model.safetensors", random(70_000, 70));
        server.models.put(ID.repository(), moved);
        try (Hub hub = hub()) {
            hub.download(ID, CheckpointFiles.of(ID), DownloadListener.NONE);
        }
        var first =
                files().list().stream().filter(each -> each.commit().equals(old.commit)).toList();
        assertEquals(50_000, files().remove(first.getFirst()));
        assertSame(moved, get(ID), NEEDED);
        assertEquals(1, files().list().size());

        long size = files().list().getFirst().size();
        assertTrue(files().remove(files().list().getFirst()) >= size);
        assertEquals(List.of(), names(cache()));
        assertEquals(List.of(), files().list());
    }

    @Test
    void nothingBehindALinkIsRemoved() throws Exception {
        tiny();
        get(ID);
        Path mine = elsewhere();
        var cached = files().list().getFirst();
        Files.createSymbolicLink(cached.folder().resolve("precious"), mine.resolve("precious"));
        Files.createSymbolicLink(cached.folder().resolve("folder"), mine);
        Files.createSymbolicLink(storage().resolve("blobs/folder"), mine);
        files().remove(cached);
        assertUntouched();
        assertFalse(Files.exists(storage()));

        Path real = Files.createDirectories(mine.resolve("moved/snapshots/" + "ab".repeat(20)));
        Files.writeString(real.resolve("config.json"), "{}");
        Files.createSymbolicLink(storage(), mine.resolve("moved"));
        var behind = files().list().getFirst();
        assertEquals("org/tiny", behind.repository());
        var e = assertThrows(HubException.class, () -> files().remove(behind));
        assertEquals(Kind.CACHE, e.kind());
        assertTrue(Files.exists(real.resolve("config.json")));
    }

    // ---- Locks ----

    @Test
    void aBlobIsDownloadedOnceByManyThreads() throws Exception {
        var model = tiny();
        var threads = new ArrayList<CompletableFuture<Snapshot>>();
        for (int i = 0; i < 6; i++) {
            var result = new CompletableFuture<Snapshot>();
            threads.add(result);
            Thread.ofPlatform()
                    .start(
                            () -> {
                                try {
                                    result.complete(get(ID));
                                } catch (Exception e) {
                                    result.completeExceptionally(e);
                                }
                            });
        }
        for (var each : threads) {
            assertSame(model, each.get(), NEEDED);
        }
        long stored = server.requests.stream().filter(each -> !each.toHub()).count();
        assertEquals(NEEDED.stream().filter(model::isLarge).count(), stored);
    }

    @Test
    void aLockIsSeenByFlock() throws Exception {
        Assumptions.assumeTrue(Files.isExecutable(Path.of("/usr/bin/flock")));
        Path file = folder.resolve("mine.lock");
        try (var lock = BlobLock.acquire(file, () -> {})) {
            assertTrue(lock.isSeenByPython());
            assertEquals(1, flock(file));
        }
        assertEquals(0, flock(file));
        var other = new ProcessBuilder("/usr/bin/flock", file.toString(), "sleep", "1").start();
        while (flock(file) == 0) {
            Thread.sleep(10);
        }
        try (var lock = BlobLock.acquire(file, () -> {})) {
            assertFalse(other.isAlive());
        }
    }

    private static int flock(Path file) throws Exception {
        return new ProcessBuilder("/usr/bin/flock", "--nonblock", file.toString(), "true")
                .start()
                .waitFor();
    }

    @Test
    void waitingForALockCanBeCancelled() throws Exception {
        Path file = folder.resolve("mine.lock");
        try (var lock = BlobLock.acquire(file, () -> {})) {
            assertThrows(
                    HubException.class,
                    () ->
                            BlobLock.acquire(
                                    file,
                                    () -> {
                                        throw new HubException(Kind.CANCELLED, "enough");
                                    }));
        }
    }
}
