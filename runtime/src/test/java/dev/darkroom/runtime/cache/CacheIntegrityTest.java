package dev.darkroom.runtime.cache;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;

@Timeout(60)
class CacheIntegrityTest {
    private static final Path NAME = Path.of("kind", "name");

    @TempDir private Path temporary;
    private Path root;
    private final AtomicInteger unpacked = new AtomicInteger();

    @BeforeEach
    void chooseTheFolder() {
        root = temporary.resolve("cache");
        System.setProperty("darkroom.cache", root.toString());
    }

    @AfterEach
    void forgetTheFolder() {
        System.clearProperty("darkroom.cache");
    }

    private Path folder() throws IOException {
        return Cache.folder(NAME, this::unpack);
    }

    private void unpack(Path folder) throws IOException {
        unpacked.incrementAndGet();
        Files.writeString(folder.resolve("a"), "first file");
        Files.createDirectory(folder.resolve("in"));
        Files.writeString(folder.resolve("in/b"), "second file");
    }

    private void assertIntact(Path folder) throws IOException {
        assertEquals("first file", Files.readString(folder.resolve("a")));
        assertEquals("second file", Files.readString(folder.resolve("in/b")));
    }

    /** All that is unfinished below the cache. */
    private List<Path> partial() throws IOException {
        try (Stream<Path> files = Files.walk(root)) {
            return files.filter(file -> file.getFileName().toString().startsWith(".unpacking-"))
                    .toList();
        }
    }

    // ---- Damage ----

    @Test
    void unpacksOnce() throws IOException {
        assertIntact(folder());
        assertIntact(folder());
        assertEquals(1, unpacked.get());
        assertEquals(List.of(), partial());
    }

    /** A change of a file, with the time of before or not. */
    private void damage(String file, String contents, boolean keepTime) throws IOException {
        Path path = folder().resolve(file);
        FileTime time = Files.getLastModifiedTime(path);
        Files.writeString(path, contents);
        if (keepTime) {
            Files.setLastModifiedTime(path, time);
        }
    }

    @Test
    void flippedBytesAreHealed() throws IOException {
        damage("a", "First file", false);
        assertIntact(folder());
        assertEquals(2, unpacked.get());
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "second fil", "second file, and more"})
    void anotherLengthIsHealedWhateverItsTime(String contents) throws IOException {
        damage("in/b", contents, true);
        assertIntact(folder());
        assertEquals(2, unpacked.get());
    }

    @ParameterizedTest
    @ValueSource(strings = {"a", "in/b", ".manifest"})
    void missingFilesAreHealed(String file) throws IOException {
        Files.delete(folder().resolve(file));
        assertIntact(folder());
        assertEquals(2, unpacked.get());
    }

    @Test
    void anEmptyFolderIsHealed() throws IOException {
        Files.createDirectories(root.resolve(NAME));
        assertIntact(folder());
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "nonsense", "darkroom 1 1\nx", "darkroom 1 1\n0 1 2 ../../x"})
    void aBrokenManifestIsHealed(String manifest) throws IOException {
        Files.writeString(folder().resolve(".manifest"), manifest);
        assertIntact(folder());
        assertEquals(2, unpacked.get());
    }

    @Test
    void aFolderInTheWayOfAFileIsHealed() throws IOException {
        Path file = folder().resolve("a");
        Files.delete(file);
        Files.createDirectories(file.resolve("deep"));
        assertIntact(folder());
        assertEquals(List.of(), partial());
    }

    @Test
    void whatIsOnlyTouchedIsReadAndKept() throws IOException {
        Path file = folder().resolve("a");
        FileTime written = Files.getLastModifiedTime(file);
        Files.setLastModifiedTime(file, FileTime.fromMillis(123_456_789_000L));
        assertIntact(folder());
        assertEquals(1, unpacked.get());
        assertEquals(written, Files.getLastModifiedTime(file), "so it need not be read again");
    }

    @Test
    void whatHidesBehindItsTimeIsFoundByReadingAll() throws IOException {
        Path whole = folder();
        assertEquals(List.of(), Cache.verify());
        damage("a", "First file", true);
        assertEquals(List.of(whole), Cache.verify());
        assertIntact(folder());
        assertEquals(2, unpacked.get());
        assertEquals(List.of(), Cache.verify());
    }

    @Test
    void whatIsMappedStaysAsItIs() throws IOException {
        Path file = folder().resolve("a");
        try (var channel = FileChannel.open(file, StandardOpenOption.READ)) {
            var mapped = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size());
            Files.delete(file.resolveSibling("in").resolve("b"));
            assertIntact(folder());
            var bytes = new byte[mapped.remaining()];
            mapped.get(bytes);
            assertArrayEquals("first file".getBytes(), bytes);
        }
    }

    @Test
    void aFailureLeavesNothing() throws IOException {
        var failure =
                assertThrows(
                        IOException.class,
                        () ->
                                Cache.folder(
                                        NAME,
                                        folder -> {
                                            Files.writeString(folder.resolve("a"), "half");
                                            throw new IOException("No space left on device");
                                        }));
        assertEquals(
                NAME + " can't be unpacked into " + root + ": No space left on device",
                failure.getMessage());
        assertEquals(List.of(), partial());
        assertIntact(folder());
    }

    // ---- Others ----

    @Test
    void whatAKilledProcessLeftIsSwept() throws Exception {
        var child =
                new ProcessBuilder(
                                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                                "-cp",
                                System.getProperty("java.class.path"),
                                "-Ddarkroom.cache=" + root,
                                Killed.class.getName())
                        .inheritIO()
                        .start();
        assertEquals(9, child.waitFor());
        assertEquals(1, partial().size());
        assertIntact(folder());
        assertEquals(List.of(), partial());
    }

    /** Unpacks, and dies in the middle. */
    static final class Killed {
        public static void main(String[] args) throws IOException {
            Cache.folder(
                    Path.of("kind", "other"),
                    folder -> {
                        Files.writeString(folder.resolve("half"), "a half");
                        Runtime.getRuntime().halt(9);
                    });
        }
    }

    @Test
    void whoUnpacksIsNotDisturbed() throws Exception {
        var begun = new CountDownLatch(1);
        var go = new CountDownLatch(1);
        try (var threads = Executors.newFixedThreadPool(2)) {
            var slow =
                    threads.submit(
                            () ->
                                    Cache.folder(
                                            Path.of("kind", "slow"),
                                            folder -> {
                                                begun.countDown();
                                                await(go);
                                                unpack(folder);
                                            }));
            begun.await();
            var other = threads.submit(this::folder);
            Thread.sleep(200);
            assertFalse(other.isDone());
            assertEquals(1, partial().size());
            go.countDown();
            assertIntact(slow.get());
            assertIntact(other.get());
        }
    }

    @Test
    void manyThreadsUnpackOnce() throws Exception {
        try (var threads = Executors.newFixedThreadPool(16)) {
            for (var each : threads.invokeAll(Stream.generate(() -> task()).limit(64).toList())) {
                assertIntact(each.get());
            }
        }
        assertEquals(1, unpacked.get());
    }

    private java.util.concurrent.Callable<Path> task() {
        return this::folder;
    }

    @Test
    void anInterruptedThreadUnpacksAllTheSame() throws IOException {
        Thread.currentThread().interrupt();
        Path folder = folder();
        assertTrue(Thread.interrupted());
        assertIntact(folder);
    }

    @Test
    void anInterruptInTheMiddleDoesNotMatter() throws IOException {
        Path folder =
                Cache.folder(
                        NAME,
                        to -> {
                            if (unpacked.get() == 0) {
                                unpacked.incrementAndGet();
                                Thread.currentThread().interrupt();
                            }
                            unpack(to);
                        });
        assertTrue(Thread.interrupted());
        assertIntact(folder);
        assertEquals(List.of(), partial());
    }

    private static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    // ---- Whose it is ----

    private static void permit(Path folder, String permissions) throws IOException {
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString(permissions));
    }

    private static String permissions(Path folder) throws IOException {
        return PosixFilePermissions.toString(Files.getPosixFilePermissions(folder));
    }

    @Test
    void foldersAreTheUsersAlone() throws IOException {
        Path folder = folder();
        for (Path each = folder; each.startsWith(root); each = each.getParent()) {
            assertEquals("rwx------", permissions(each), each.toString());
        }
    }

    @Test
    void aCacheThatOthersMayWriteToIsClosed() throws IOException {
        Files.createDirectories(root);
        permit(root, "rwxrwxrwx");
        assertIntact(folder());
        assertEquals("rwx------", permissions(root));
        permit(root.resolve("kind"), "rwxrwxr-x");
        folder();
        assertEquals("rwx------", permissions(root.resolve("kind")));
    }

    @Test
    void filesInAFolderThatOthersMayWriteToDontCount() throws IOException {
        permit(folder(), "rwxrwxrwx");
        Path folder = folder();
        assertEquals(2, unpacked.get());
        assertEquals("rwx------", permissions(folder));
        assertIntact(folder);
    }

    @Test
    void aLinkInPlaceOfAFolderDoesNotCount() throws IOException {
        Path elsewhere = temporary.resolve("elsewhere");
        Files.move(folder(), elsewhere);
        Files.createSymbolicLink(root.resolve(NAME), elsewhere);
        assertIntact(folder());
        assertFalse(Files.isSymbolicLink(root.resolve(NAME)));

        Files.move(root.resolve("kind"), temporary.resolve("other"));
        Files.createSymbolicLink(root.resolve("kind"), temporary.resolve("other"));
        var refusal = assertThrows(IOException.class, this::folder);
        assertTrue(refusal.getMessage().contains("is a link"), refusal.getMessage());
    }

    @Test
    void somebodyElsesFolderIsRefused() throws IOException {
        folder();
        assumeTrue(Files.getAttribute(root, "unix:uid").equals(0), "only root gives folders away");
        Files.setAttribute(root, "unix:uid", 12_345);
        var refusal = assertThrows(IOException.class, this::folder);
        assertTrue(
                refusal.getMessage().contains("belongs to another user (id 12345)"),
                refusal.getMessage());
        Files.setAttribute(root, "unix:uid", 0);
        Files.setAttribute(root.resolve(NAME), "unix:uid", 12_345);
        assertIntact(folder());
        assertEquals(2, unpacked.get());
        assertEquals(0, Files.getAttribute(root.resolve(NAME), "unix:uid"));
    }

    // ---- Where it is ----

    @Test
    void aRelativePathIsMeantFromTheWorkingFolder() throws IOException {
        assertEquals(
                Path.of("").toAbsolutePath().resolve("some/cache"),
                Cache.root("some/cache", "/c", "/home/me"));
    }

    @Test
    void onlyAbsolutePathsOfTheEnvironmentCount() throws IOException {
        assertEquals(Path.of("/c/darkroom"), Cache.root(null, "/c", "/home/me"));
        assertEquals(Path.of("/c/darkroom"), Cache.root(" ", "/c", "/home/me"));
        var home = Path.of("/home/me/.cache/darkroom");
        assertEquals(home, Cache.root(null, null, "/home/me", "/other"));
        assertEquals(home, Cache.root(null, "relative", "/home/me"));
        assertEquals(home, Cache.root(null, "", "", "/home/me"));
        assertEquals(home, Cache.root(null, null, null, "/home/me"));
    }

    @Test
    void withoutAnyFolderItSaysWhatToDo() {
        var refusal = assertThrows(IOException.class, () -> Cache.root(null, ".", null, "?"));
        assertTrue(refusal.getMessage().contains("-Ddarkroom.cache"), refusal.getMessage());
    }

    @ParameterizedTest
    @ValueSource(strings = {"/absolute", "..", "../up", "a/../../up"})
    void aNameStaysBelowTheCache(String name) {
        assertThrows(
                IllegalArgumentException.class, () -> Cache.folder(Path.of(name), this::unpack));
    }

    // ---- Hashes ----

    private static final String HASH_OF_A =
            "cb8379ac2098aa165029e3938a51da0bcecfc008fd6795f401178647f96c5b34";

    private Path aged(String contents, long seconds) throws IOException {
        Path file = temporary.resolve("weights");
        Files.writeString(file, contents);
        Files.setLastModifiedTime(file, FileTime.fromMillis(seconds * 1000));
        return file;
    }

    @Test
    void aHashIsKeptUntilTheFileChanges() throws Exception {
        Path file = aged("def", 1_000_000);
        assertNull(FileHashes.known(file));
        assertEquals(HASH_OF_A, FileHashes.of(file));
        assertNull(FileHashes.known(file), "the file is too young");
        Thread.sleep(2_100);
        assertEquals(HASH_OF_A, FileHashes.of(file));
        assertEquals(HASH_OF_A, FileHashes.known(file));
        aged("DEF", 1_000_000);
        assertNull(FileHashes.known(file), "though size and time of writing are the same");
        assertNotEquals(HASH_OF_A, FileHashes.of(file));
    }

    @Test
    void aHashNeedsNoCache() throws IOException {
        Path file = aged("def", 1_000_000);
        Files.writeString(root, "a file where the cache should be");
        assertEquals(HASH_OF_A, FileHashes.of(file));
        assertNull(FileHashes.known(file));
    }
}
