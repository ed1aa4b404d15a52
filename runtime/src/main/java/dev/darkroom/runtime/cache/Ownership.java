package dev.darkroom.runtime.cache;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;

/**
 * Whose a folder of the cache is. Native code is loaded from there, so a folder counts only if it
 * belongs to the user or to root and nobody else may write to it. On file systems without owners,
 * every folder counts.
 */
final class Ownership {
    private static final int ROOT = 0;
    private static final int OTHERS_WRITE = 022;
    private static final Path SELF = Path.of("/proc/self");

    private static @Nullable Integer user;

    private Ownership() {}

    private record Facts(int uid, int mode) {}

    /**
     * Makes a folder, and those above that are missing, for this user alone.
     *
     * @throws IOException if it can't be made, or is not to be trusted
     */
    static void make(Path folder) throws IOException {
        Files.createDirectories(folder, forOwner(folder));
        require(folder);
    }

    private static FileAttribute<?>[] forOwner(Path folder) {
        return exists(folder)
                ? new FileAttribute<?>[] {
                    PosixFilePermissions.asFileAttribute(
                            PosixFilePermissions.fromString("rwx------"))
                }
                : new FileAttribute<?>[0];
    }

    /**
     * Checks a folder. One of the user's own that others may write to is closed to them first.
     *
     * @throws IOException if it belongs to somebody else, or others may write to it
     */
    static void require(Path folder) throws IOException {
        Facts facts = facts(folder);
        if (facts == null) {
            return;
        }
        if (facts.uid != ROOT && !isUser(facts.uid)) {
            throw new IOException(
                    "the folder "
                            + folder
                            + " belongs to another user (id "
                            + facts.uid
                            + "), so what lies in it is not loaded");
        }
        if ((facts.mode & OTHERS_WRITE) != 0) {
            if (!isUser(facts.uid)) {
                throw new IOException(
                        "others may write to the folder "
                                + folder
                                + ", so what lies in it is not loaded");
            }
            Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwx------"));
        }
    }

    /**
     * Returns whether a folder is one, not a link to one, and only the user or root could have put
     * something into it.
     */
    static boolean isTrusted(Path folder) throws IOException {
        if (!Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)) {
            return false;
        }
        Facts facts = facts(folder);
        return facts == null
                || ((facts.mode & OTHERS_WRITE) == 0 && (facts.uid == ROOT || isUser(facts.uid)));
    }

    /** Returns whether the file system has owners. */
    static boolean exists(Path file) {
        return file.getFileSystem().supportedFileAttributeViews().contains("unix");
    }

    private static @Nullable Facts facts(Path folder) throws IOException {
        if (!exists(folder)) {
            return null;
        }
        return new Facts(uid(folder), (Integer) Files.getAttribute(folder, "unix:mode"));
    }

    /**
     * Returns whether this is the process's user. A process that may not be inspected has a /proc
     * of root's, so a "no" is looked into.
     */
    private static synchronized boolean isUser(int uid) throws IOException {
        if (user == null && Files.exists(SELF)) {
            user = uid(SELF);
        }
        if (user == null || user != uid) {
            Path own = Files.createTempFile("darkroom-", ".owner");
            try {
                user = uid(own);
            } finally {
                Files.delete(own);
            }
        }
        return user == uid;
    }

    private static int uid(Path file) throws IOException {
        return (Integer) Files.getAttribute(file, "unix:uid");
    }
}
