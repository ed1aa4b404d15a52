package dev.darkroom.hub;

import dev.darkroom.common.ByteSize;
import dev.darkroom.common.UntrustedFile;
import dev.darkroom.common.WholeFile;
import dev.darkroom.hub.HubException.Kind;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.List;
import java.util.Optional;

/**
 * The folder of one model in the cache, {@code models--ORG--NAME}: {@code blobs/HASH} are the
 * files' contents, {@code snapshots/COMMIT/PATH} links to them, {@code refs/REVISION} holds a
 * commit's hash. What is read may lie behind links; what is written never does.
 */
final class RepositoryFolder {
    static final String PREFIX = "models--";
    static final String SEPARATOR = "--";
    static final String INCOMPLETE = ".incomplete";
    static final String LOCKS = ".locks";

    private static final String BLOBS = "blobs";
    private static final String REFS = "refs";
    private static final String SNAPSHOTS = "snapshots";
    private static final String MISSING = ".no_exist";
    private static final long LARGEST_REF = 4096;

    private final Path cache;
    private final String name;
    private final boolean linking;

    /**
     * The folder of a model, which need not be there.
     *
     * @param linking whether to try symbolic links; where there are none, files are moved or copied
     */
    RepositoryFolder(Path cache, String repository, boolean linking) {
        this.cache = cache;
        this.linking = linking;
        name = PREFIX + repository.replace("/", SEPARATOR);
    }

    Path root() {
        return cache.resolve(name);
    }

    Path blobs() {
        return root().resolve(BLOBS);
    }

    Path refs() {
        return root().resolve(REFS);
    }

    Path snapshots() {
        return root().resolve(SNAPSHOTS);
    }

    Path snapshot(String commit) {
        return snapshots().resolve(commit);
    }

    /** The commit that a revision meant when it was last downloaded. */
    Optional<String> commit(String revision) throws HubException {
        if (ModelId.isCommit(revision)) {
            return Optional.of(revision);
        }
        Path ref = resolved(refs(), List.of(revision.split("/")));
        try {
            String commit =
                    new String(UntrustedFile.read(ref, LARGEST_REF, 1), StandardCharsets.UTF_8)
                            .strip();
            return ModelId.isCommit(commit) ? Optional.of(commit) : Optional.empty();
        } catch (NoSuchFileException e) {
            return Optional.empty();
        } catch (IOException e) {
            throw new HubException(
                    Kind.CACHE,
                    ref + ": " + UntrustedFile.problem(e) + "; remove it, it is written anew",
                    e);
        }
    }

    /** Where a file of a commit is, whether or not it is there. */
    Path pointer(String commit, List<String> names) throws HubException {
        return resolved(snapshot(commit), names);
    }

    /** Whether a file of a commit is there, with the size that it should have. */
    boolean has(String commit, List<String> names, long size) throws HubException {
        return isWhole(pointer(commit, names), size);
    }

    /** Whether a file is there with a size, behind links or not. */
    static boolean isWhole(Path file, long size) {
        try {
            return Files.isRegularFile(file) && Files.size(file) == size;
        } catch (IOException e) {
            return false;
        }
    }

    Path blob(String hash) {
        return blobs().resolve(hash);
    }

    /** The bytes that came so far of a blob. */
    Path incomplete(String hash) {
        return blobs().resolve(hash + INCOMPLETE);
    }

    // ---- Writing ----

    /** Makes the folders that a download of a commit writes to. */
    void prepare(String commit) throws HubException {
        try {
            Files.createDirectories(cache);
        } catch (IOException e) {
            throw unwritable(cache, e);
        }
        folder(cache, List.of(name, BLOBS));
        folder(cache, List.of(name, REFS));
        folder(cache, List.of(name, SNAPSHOTS, commit));
    }

    /** The file that is locked while a blob is downloaded. */
    Path lock(String hash) throws HubException {
        return folder(cache, List.of(LOCKS, name)).resolve(hash + ".lock");
    }

    /** Opens the file of the bytes that came so far, which is never another's behind a link. */
    FileChannel open(Path incomplete) throws HubException {
        try {
            folder(cache, List.of(name, BLOBS));
            removeForeign(incomplete);
            return FileChannel.open(
                    incomplete,
                    StandardOpenOption.CREATE,
                    StandardOpenOption.READ,
                    StandardOpenOption.WRITE,
                    LinkOption.NOFOLLOW_LINKS);
        } catch (IOException e) {
            throw unwritable(incomplete, e);
        }
    }

    /** Removes what is no file of its own: a link of either kind, whose target would be written. */
    private static void removeForeign(Path file) throws IOException {
        try {
            var attributes =
                    Files.readAttributes(
                            file, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
            boolean isShared =
                    attributes.isRegularFile()
                            && file.getFileSystem().supportedFileAttributeViews().contains("unix")
                            && (Integer)
                                            Files.getAttribute(
                                                    file, "unix:nlink", LinkOption.NOFOLLOW_LINKS)
                                    > 1;
            if (!attributes.isRegularFile() || isShared) {
                Files.delete(file);
            }
        } catch (NoSuchFileException e) {
            // Nothing is there yet.
        }
    }

    /** Gives a whole, checked file its name. */
    void finish(Path incomplete, Path blob) throws HubException {
        try {
            Files.move(incomplete, blob, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw unwritable(blob, e);
        }
    }

    /**
     * Lets a path of a commit lead to a blob: a relative link, or where the file system has none
     * the blob itself if it is new, else a copy.
     */
    void link(Path blob, String commit, List<String> names, boolean isNew) throws HubException {
        var folders = names.subList(0, names.size() - 1);
        Path folder = folder(folder(cache, List.of(name, SNAPSHOTS, commit)), folders);
        Path pointer = resolved(folder, List.of(names.getLast()));
        try {
            if (linking
                    && linked(
                            pointer,
                            up(names.size() + 1).resolve(BLOBS).resolve(blob.getFileName()))) {
                return;
            }
            if (isNew) {
                Files.move(blob, pointer, StandardCopyOption.ATOMIC_MOVE);
                return;
            }
            WholeFile.write(
                    pointer,
                    blobs(),
                    copy -> Files.copy(blob, copy, StandardCopyOption.REPLACE_EXISTING));
        } catch (IOException e) {
            throw unwritable(pointer, e);
        }
    }

    private static Path up(int folders) {
        return Path.of("../".repeat(folders));
    }

    /** Whether a link could be made. */
    private static boolean linked(Path pointer, Path target) throws IOException {
        for (int tries = 0; ; tries++) {
            try {
                Files.createSymbolicLink(pointer, target);
                return true;
            } catch (FileAlreadyExistsException e) {
                boolean isRight =
                        Files.isSymbolicLink(pointer)
                                && Files.readSymbolicLink(pointer).equals(target);
                if (isRight) {
                    return true;
                }
                if (tries > 2) {
                    throw e;
                }
                Files.delete(pointer);
            } catch (UnsupportedOperationException | FileSystemException e) {
                return false;
            }
        }
    }

    /** Notes which commit a revision means. */
    void writeRef(String revision, String commit) throws HubException {
        if (ModelId.isCommit(revision)) {
            return;
        }
        var names = List.of(revision.split("/"));
        Path folder =
                folder(folder(cache, List.of(name, REFS)), names.subList(0, names.size() - 1));
        Path ref = resolved(folder, List.of(names.getLast()));
        try {
            // Python takes every file in refs for one, so it is not written beside its final name.
            WholeFile.write(ref, root(), temporary -> Files.writeString(temporary, commit));
        } catch (IOException e) {
            throw unwritable(ref, e);
        }
    }

    /** Notes that a commit has no such file, so that nobody asks for it again. */
    void writeMissing(String commit, List<String> names) throws HubException {
        var folders = names.subList(0, names.size() - 1);
        Path folder = folder(folder(cache, List.of(name, MISSING, commit)), folders);
        Path marker = resolved(folder, List.of(names.getLast()));
        try {
            Files.createFile(marker);
        } catch (FileAlreadyExistsException e) {
            // It was known.
        } catch (IOException e) {
            throw unwritable(marker, e);
        }
    }

    /** Whether it is known that a commit has no such file. */
    boolean isMissing(String commit, List<String> names) throws HubException {
        return Files.exists(resolved(root().resolve(MISSING).resolve(commit), names));
    }

    /**
     * Makes folders within one, one by one, and refuses to go through links.
     *
     * @param parent a folder that is known to be the cache's own, or the cache itself
     */
    private static Path folder(Path parent, List<String> names) throws HubException {
        Path folder = parent;
        for (String each : names) {
            folder = resolved(folder, List.of(each));
            try {
                Files.createDirectory(folder);
            } catch (FileAlreadyExistsException e) {
                requireOwn(folder);
            } catch (IOException e) {
                throw unwritable(folder, e);
            }
        }
        return folder;
    }

    private static void requireOwn(Path folder) throws HubException {
        try {
            var attributes =
                    Files.readAttributes(
                            folder, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
            if (!attributes.isDirectory()) {
                throw new HubException(
                        Kind.CACHE,
                        folder
                                + " is "
                                + (attributes.isSymbolicLink() ? "a link" : "no folder")
                                + ", and nothing is written through it; put a folder in its place,"
                                + " or name another cache with HF_HUB_CACHE");
            }
        } catch (HubException e) {
            throw e;
        } catch (IOException e) {
            throw unwritable(folder, e);
        }
    }

    private static Path resolved(Path folder, List<String> names) throws HubException {
        Path path = folder;
        try {
            for (String each : names) {
                path = path.resolve(each);
            }
        } catch (InvalidPathException e) {
            throw new HubException(
                    Kind.HOSTILE_NAME,
                    "\""
                            + RepoPath.printable(String.join("/", names))
                            + "\" can't be the name of a file here: "
                            + e.getReason()
                            + "; set the locale to one of UTF-8",
                    e);
        }
        return path;
    }

    /** Says that something can't be written, and whether the disk is full. */
    static HubException unwritable(Path file, IOException e) {
        if (e instanceof HubException known) {
            return known;
        }
        if (isFull(e)) {
            return new HubException(
                    Kind.NO_SPACE,
                    "the disk of "
                            + file
                            + " is full; free some space and try again, what came so far is kept,"
                            + " or name a cache on another disk with HF_HUB_CACHE",
                    e);
        }
        return new HubException(
                Kind.CACHE,
                file
                        + " can't be written: "
                        + reason(e)
                        + "; check its permissions, or name another cache with HF_HUB_CACHE",
                e);
    }

    private static @Nullable String reason(IOException e) {
        return e instanceof FileSystemException system && system.getReason() != null
                ? system.getReason()
                : e.getClass().getSimpleName()
                        + (e.getMessage() == null ? "" : " " + e.getMessage());
    }

    private static boolean isFull(IOException e) {
        String message = String.valueOf(e.getMessage());
        return message.contains("No space left")
                || message.contains("not enough space")
                || message.contains("quota exceeded");
    }

    /** Refuses a download that has no room. */
    void requireSpace(long bytes) throws HubException {
        long free;
        try {
            free = Files.getFileStore(cache).getUsableSpace();
        } catch (IOException e) {
            return; // It shows while writing.
        }
        if (free < bytes) {
            throw new HubException(
                    Kind.NO_SPACE,
                    "the download takes "
                            + ByteSize.format(bytes)
                            + ", and the disk of "
                            + cache
                            + " has "
                            + ByteSize.format(free)
                            + " free; free some, or name a cache on another disk with"
                            + " HF_HUB_CACHE");
        }
    }
}
