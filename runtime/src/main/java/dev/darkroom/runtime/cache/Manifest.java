package dev.darkroom.runtime.cache;

import dev.darkroom.common.Sha256;
import dev.darkroom.common.WholeFile;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * The files of an unpacked folder as they were written: a file of its own among them, written last.
 * Its first line counts the others, of which each has a SHA-256, a size, a time in seconds and a
 * path.
 */
final class Manifest {
    /** The manifest's name in the folder that it describes. */
    static final String NAME = ".manifest";

    private static final String FORMAT = "darkroom 1 ";

    private final Path folder;
    private final List<Entry> entries;

    private Manifest(Path folder, List<Entry> entries) {
        this.folder = folder;
        this.entries = entries;
    }

    private record Entry(String sha256, long size, long seconds, String path) {
        private String line() {
            return sha256 + " " + size + " " + seconds + " " + path;
        }
    }

    /**
     * What the file system says of a file.
     *
     * @param owner null where it has none
     */
    private record State(boolean regular, long size, FileTime time, @Nullable Object owner) {
        private static State of(Path file) throws IOException {
            var all =
                    Files.readAttributes(
                            file, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
            return new State(
                    all.isRegularFile(),
                    all.size(),
                    all.lastModifiedTime(),
                    Ownership.exists(file)
                            ? Files.getAttribute(file, "unix:uid", LinkOption.NOFOLLOW_LINKS)
                            : null);
        }

        private long seconds() {
            return Math.floorDiv(time.toMillis(), 1000L);
        }
    }

    // ---- Writing ----

    /**
     * Describes a folder that is complete, and hands it with all its files to the disk. Files get
     * times of whole seconds, which any copy of them keeps.
     */
    static void write(Path folder) throws IOException {
        List<Path> all;
        try (Stream<Path> walk = Files.walk(folder)) {
            all = walk.sorted().toList();
        }
        var entries = new ArrayList<Entry>();
        for (Path file : all) {
            if (Files.isRegularFile(file)) {
                var state = State.of(file);
                sync(file);
                setSeconds(file, state.seconds());
                entries.add(
                        new Entry(
                                Sha256.of(file),
                                state.size,
                                state.seconds(),
                                folder.relativize(file).toString().replace('\\', '/')));
            }
        }
        for (Path path : all) {
            if (Files.isDirectory(path)) {
                sync(path);
            }
        }
        new Manifest(folder, entries).write();
    }

    private void write() throws IOException {
        var lines = new ArrayList<String>();
        lines.add(FORMAT + entries.size());
        entries.forEach(entry -> lines.add(entry.line()));
        WholeFile.write(
                folder.resolve(NAME),
                temporary -> {
                    Files.write(temporary, lines);
                    sync(temporary);
                });
        sync(folder);
    }

    private static void setSeconds(Path file, long seconds) throws IOException {
        Files.setLastModifiedTime(file, FileTime.fromMillis(seconds * 1000));
    }

    /** Waits until a file, or a folder's list of files, is on the disk. */
    static void sync(Path path) throws IOException {
        boolean isFolder = Files.isDirectory(path);
        try (var channel =
                FileChannel.open(
                        path, isFolder ? StandardOpenOption.READ : StandardOpenOption.WRITE)) {
            channel.force(true);
        } catch (IOException e) {
            if (!isFolder) { // some systems know no such thing for folders
                throw e;
            }
        }
    }

    // ---- Checking ----

    /**
     * Returns whether a folder holds what was written: by sizes and times, and by contents where a
     * file's time or owner is another.
     */
    static boolean isAsWritten(Path folder) throws IOException {
        return holds(folder, false);
    }

    /** Returns whether a folder holds what was written, by the contents of all its files. */
    static boolean isIntact(Path folder) throws IOException {
        return holds(folder, true);
    }

    private static boolean holds(Path folder, boolean readAll) throws IOException {
        if (!Ownership.isTrusted(folder)) {
            return false;
        }
        Manifest manifest = read(folder);
        if (manifest == null) {
            return false;
        }
        Object owner = State.of(folder.resolve(NAME)).owner;
        boolean touched = false;
        for (Entry entry : manifest.entries) {
            Path file = folder.resolve(entry.path).normalize();
            State state = state(file);
            if (state == null || state.size != entry.size || !file.startsWith(folder)) {
                return false;
            }
            boolean same =
                    state.time.equals(FileTime.fromMillis(entry.seconds * 1000))
                            && Objects.equals(state.owner, owner);
            if ((readAll || !same) && !Sha256.of(file).equals(entry.sha256)) {
                return false;
            }
            touched |= !same;
        }
        if (touched) {
            manifest.restoreTimes();
        }
        return true;
    }

    private static @Nullable State state(Path file) throws IOException {
        try {
            State state = State.of(file);
            return state.regular ? state : null;
        } catch (NoSuchFileException e) {
            return null;
        }
    }

    /** Reads the manifest of a folder; null if it has none that can be read. */
    private static @Nullable Manifest read(Path folder) {
        try {
            List<String> lines = Files.readAllLines(folder.resolve(NAME));
            if (lines.isEmpty() || !lines.getFirst().equals(FORMAT + (lines.size() - 1))) {
                return null;
            }
            var entries = new ArrayList<Entry>();
            for (String line : lines.subList(1, lines.size())) {
                String[] part = line.split(" ", 4);
                entries.add(
                        new Entry(
                                part[0],
                                Long.parseLong(part[1]),
                                Long.parseLong(part[2]),
                                part[3]));
            }
            return new Manifest(folder, entries);
        } catch (IOException | RuntimeException e) {
            return null; // it is written anew, with what it describes
        }
    }

    /**
     * Restores the files' times, so that the next start need not read files whose contents are
     * right.
     */
    private void restoreTimes() {
        try {
            for (Entry entry : entries) {
                setSeconds(folder.resolve(entry.path), entry.seconds);
            }
        } catch (IOException e) {
            // Not ours to write, such as root's: they are read again next time.
        }
    }
}
