package dev.darkroom.runtime.cache;

import dev.darkroom.common.Sha256;
import dev.darkroom.common.WholeFile;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.List;

/**
 * SHA-256 of large files that are asked for again and again, such as weights, in hexadecimal
 * digits. They are kept in the {@linkplain Cache cache} with what tells a file from any other and
 * from itself before a change: its path, size, inode, and times to the nanosecond, as far as the
 * file system has them.
 */
public final class FileHashes {
    /** A file this young may be written to once more without a change of its time. */
    private static final Duration SETTLED = Duration.ofSeconds(2);

    private FileHashes() {}

    /**
     * Returns the hash of a file, which is read only if its hash is not known.
     *
     * @throws IOException if it can't be read
     */
    public static String of(Path file) throws IOException {
        String known = known(file);
        return known == null ? compute(file) : known;
    }

    /**
     * Computes the hash of a file from its bytes, whatever is known of it.
     *
     * @throws IOException if it can't be read
     */
    public static String compute(Path file) throws IOException {
        Identity before = Identity.of(file);
        String hash = Sha256.of(file);
        if (before.equals(Identity.of(file)) && before.isSettled()) {
            remember(before, hash);
        }
        return hash;
    }

    /**
     * Returns the hash of a file as the cache has it; null if it has none for the file as it is
     * now.
     *
     * @throws IOException if there is no such file
     */
    public static @Nullable String known(Path file) throws IOException {
        Identity identity = Identity.of(file);
        try {
            Path entry = identity.entry();
            Ownership.require(folder());
            List<String> lines = Files.readAllLines(entry);
            return lines.size() == 2 && lines.getLast().equals(identity.text)
                    ? lines.getFirst()
                    : null;
        } catch (IOException e) {
            return null; // not there, or not to be trusted
        }
    }

    private static Path folder() throws IOException {
        return Cache.root().resolve("hashes");
    }

    private static void remember(Identity identity, String hash) {
        try {
            Path entry = identity.entry();
            Ownership.make(folder());
            WholeFile.write(
                    entry, temporary -> Files.write(temporary, List.of(hash, identity.text)));
        } catch (IOException e) {
            // No cache, or a full one: the file is read again next time.
        }
    }

    /**
     * A file at one time.
     *
     * @param text one line of all that is known
     */
    private record Identity(String path, FileTime changed, String text) {
        private static Identity of(Path file) throws IOException {
            String path = file.toRealPath().toString();
            var basic = Files.readAttributes(file, BasicFileAttributes.class);
            FileTime changed =
                    Ownership.exists(file)
                            ? (FileTime) Files.getAttribute(file, "unix:ctime")
                            : basic.lastModifiedTime();
            List<Object> all =
                    List.of(
                            basic.size(),
                            String.valueOf(basic.fileKey()), // device and inode
                            basic.lastModifiedTime().toInstant(),
                            changed.toInstant(),
                            path.replace('\n', ' '));
            return new Identity(
                    path, changed, String.join(" ", all.stream().map(Object::toString).toList()));
        }

        private boolean isSettled() {
            return changed.toInstant().plus(SETTLED).isBefore(Instant.now());
        }

        private Path entry() throws IOException {
            String name = Sha256.of(path.getBytes(StandardCharsets.UTF_8));
            return folder().resolve(name.substring(0, 32));
        }
    }
}
