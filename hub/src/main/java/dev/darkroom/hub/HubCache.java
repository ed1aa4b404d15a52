package dev.darkroom.hub;

import dev.darkroom.hub.FileSelection.Selected;
import dev.darkroom.hub.HubException.Kind;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;

/**
 * The models on this machine, in the cache that is shared with {@code huggingface_hub}: what one of
 * them downloaded, the other finds.
 */
public final class HubCache {
    private static final Pattern FOLDER = Pattern.compile("models--([\\w.-]+?)--([\\w.-]+)");

    private final Path folder;
    private final boolean linking;

    /** The cache in a folder, which need not be there. */
    public HubCache(Path folder) {
        this(folder, true);
    }

    /** The cache, which makes no symbolic links where {@code linking} is false. */
    HubCache(Path folder, boolean linking) {
        this.folder = folder;
        this.linking = linking;
    }

    /** The folder that holds {@code models--ORG--NAME}. */
    public Path folder() {
        return folder;
    }

    RepositoryFolder repository(String repository) throws HubException {
        Path real = folder.toAbsolutePath();
        try {
            if (Files.exists(real)) {
                real = real.toRealPath();
            }
        } catch (IOException e) {
            throw unreadable(folder, e);
        }
        return new RepositoryFolder(real, repository, linking);
    }

    /**
     * Finds a model of which the needed files are all there. A branch means the commit that it
     * meant when it was last downloaded; the hub is not asked.
     *
     * @return empty if it is not there, or not all of it
     * @throws HubException if the cache can't be read
     */
    public Optional<Snapshot> find(ModelId id, FileSelection selection) throws HubException {
        return found(id, selection).map(Found::snapshot);
    }

    /**
     * A model of the cache.
     *
     * @param isCertain whether a hub would give the same: plain weights in place of a variant may
     *     be there only because the variant never came
     */
    record Found(Snapshot snapshot, boolean isCertain) {}

    /** As {@link #find}, and says whether the choice is certain. */
    Optional<Found> found(ModelId id, FileSelection selection) throws HubException {
        var model = repository(id.repository());
        var commit = model.commit(id.revisionOrMain());
        if (commit.isEmpty()) {
            return Optional.empty();
        }
        Path snapshot = model.snapshot(commit.get());
        try {
            Selected selected = selected(snapshot, selection);
            boolean isCertain = true;
            for (String missing : selected.missing()) {
                isCertain &= model.isMissing(commit.get(), RepoPath.names(missing));
            }
            return Optional.of(
                    new Found(
                            new Snapshot(id, commit.get(), snapshot, selected.warnings()),
                            isCertain));
        } catch (NoSuchFileException | HubException e) {
            return Optional.empty();
        } catch (IOException e) {
            throw unreadable(snapshot, e);
        }
    }

    /** Whether anything of a model's revision is there. */
    boolean hasSome(ModelId id) throws HubException {
        var model = repository(id.repository());
        var commit = model.commit(id.revisionOrMain());
        return commit.isPresent() && Files.isDirectory(model.snapshot(commit.get()));
    }

    private static Selected selected(Path snapshot, FileSelection selection) throws IOException {
        var files = files(snapshot);
        try {
            return selection.select(files, file -> snapshot.resolve(file.path()));
        } catch (InterruptedException e) { // Nothing is waited for.
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while the cache was read", e);
        }
    }

    /** The files of a snapshot that are really there. */
    private static List<RemoteFile> files(Path snapshot) throws IOException {
        var files = new ArrayList<RemoteFile>();
        Files.walkFileTree(
                snapshot,
                new SimpleFileVisitor<>() {
                    @Override
                    public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
                            throws IOException {
                        if (Files.isRegularFile(file)) {
                            String path = snapshot.relativize(file).toString().replace('\\', '/');
                            files.add(new RemoteFile(path, Files.size(file), ""));
                        }
                        return FileVisitResult.CONTINUE;
                    }
                });
        return files;
    }

    /**
     * What is in the cache, by name and commit. Datasets and folders of other forms are passed
     * over.
     *
     * @throws HubException if the cache can't be read
     */
    public List<CachedModel> list() throws HubException {
        var models = new ArrayList<CachedModel>();
        for (Path each : folders(folder)) {
            var name = FOLDER.matcher(each.getFileName().toString());
            if (name.matches()) {
                models.addAll(commits(name.group(1) + "/" + name.group(2)));
            }
        }
        models.sort(
                Comparator.comparing(CachedModel::repository).thenComparing(CachedModel::commit));
        return models;
    }

    private List<CachedModel> commits(String name) throws HubException {
        var model = repository(name);
        var revisions = revisions(model);
        var models = new ArrayList<CachedModel>();
        for (Path snapshot : folders(model.snapshots())) {
            String commit = snapshot.getFileName().toString();
            if (!ModelId.isCommit(commit)) {
                continue;
            }
            try {
                var files = files(snapshot);
                long size = files.stream().mapToLong(RemoteFile::size).sum();
                models.add(
                        new CachedModel(
                                name,
                                commit,
                                revisions.getOrDefault(commit, List.of()),
                                size,
                                isComplete(name, snapshot, files),
                                snapshot));
            } catch (IOException e) {
                throw unreadable(snapshot, e);
            }
        }
        return models;
    }

    private static boolean isComplete(String name, Path snapshot, List<RemoteFile> files)
            throws IOException {
        var variants = new ArrayList<Optional<String>>();
        variants.add(Optional.empty());
        CheckpointFiles.variantsAmong(files).forEach(each -> variants.add(Optional.of(each)));
        for (var variant : variants) {
            try {
                selected(snapshot, new CheckpointFiles(name, variant.orElse(null), false));
                return true;
            } catch (HubException e) {
                // Perhaps another variant.
            }
        }
        return false;
    }

    /** The names of refs by the commit that they mean. */
    private static Map<String, List<String>> revisions(RepositoryFolder model) throws HubException {
        var revisions = new TreeMap<String, List<String>>();
        Path refs = model.refs();
        if (!Files.isDirectory(refs)) {
            return revisions;
        }
        try (var files = Files.walk(refs, 8)) {
            for (Path file : files.filter(Files::isRegularFile).sorted().toList()) {
                String revision = refs.relativize(file).toString().replace('\\', '/');
                if (RepoPath.problem(revision) == null && !ModelId.isCommit(revision)) {
                    model.commit(revision)
                            .ifPresent(
                                    commit ->
                                            revisions
                                                    .computeIfAbsent(
                                                            commit, key -> new ArrayList<>())
                                                    .add(revision));
                }
            }
        } catch (IOException e) {
            throw unreadable(refs, e);
        }
        return revisions;
    }

    private static List<Path> folders(Path parent) throws HubException {
        var folders = new ArrayList<Path>();
        try (var entries = Files.newDirectoryStream(parent, Files::isDirectory)) {
            entries.forEach(folders::add);
        } catch (NoSuchFileException | NotDirectoryException e) {
            return List.of();
        } catch (DirectoryIteratorException e) {
            throw unreadable(parent, new IOException(e.getMessage(), e));
        } catch (IOException e) {
            throw unreadable(parent, e);
        }
        return folders;
    }

    // ---- Removing ----

    /**
     * Removes a commit: its names, and the contents that no other commit of the model uses. With
     * the last commit the model's whole folder goes. Nothing behind a link is removed but the link.
     *
     * @return bytes that are free now
     * @throws HubException if something can't be removed; what is left is then incomplete
     */
    public long remove(CachedModel cached) throws HubException {
        var model = repository(cached.repository());
        Path root = model.root();
        try {
            requireOwn(root);
            requireOwn(model.snapshots());
            var others = new ArrayList<>(folders(model.snapshots()));
            others.removeIf(each -> each.getFileName().toString().equals(cached.commit()));
            if (others.isEmpty()) {
                long size = removeAll(root);
                removeAll(root.resolveSibling(RepositoryFolder.LOCKS).resolve(root.getFileName()));
                return size;
            }
            for (String revision : cached.revisions()) {
                Files.deleteIfExists(model.refs().resolve(revision));
            }
            Set<Path> mine = contents(cached.folder());
            for (Path other : others) {
                mine.removeAll(contents(other));
            }
            long size = removeAll(model.snapshot(cached.commit()));
            Path blobs = model.blobs().toRealPath();
            for (Path blob : mine) {
                if (blob.startsWith(blobs)) {
                    size += removeAll(blob);
                }
            }
            return size;
        } catch (HubException e) {
            throw e;
        } catch (IOException e) {
            throw new HubException(
                    Kind.CACHE,
                    root + " can't be removed: " + e + "; check its permissions and try again",
                    e);
        }
    }

    private static void requireOwn(Path folder) throws HubException {
        if (!Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)) {
            throw new HubException(
                    Kind.CACHE,
                    folder
                            + " is a link or no folder, and nothing is removed through it; remove"
                            + " it yourself");
        }
    }

    /** The files that a snapshot's names lead to. */
    private static Set<Path> contents(Path snapshot) throws IOException {
        var contents = new HashSet<Path>();
        for (RemoteFile file : files(snapshot)) {
            contents.add(snapshot.resolve(file.path()).toRealPath());
        }
        return contents;
    }

    /** Removes a file or folder, not following links; bytes of the files that were removed. */
    private static long removeAll(Path start) throws IOException {
        if (!Files.exists(start, LinkOption.NOFOLLOW_LINKS)) {
            return 0;
        }
        var size = new long[1];
        Files.walkFileTree(
                start,
                new SimpleFileVisitor<>() {
                    @Override
                    public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
                            throws IOException {
                        size[0] += attributes.isRegularFile() ? attributes.size() : 0;
                        Files.deleteIfExists(file);
                        return FileVisitResult.CONTINUE;
                    }

                    @Override
                    public FileVisitResult postVisitDirectory(Path folder, @Nullable IOException e)
                            throws IOException {
                        if (e != null) {
                            throw e;
                        }
                        Files.delete(folder);
                        return FileVisitResult.CONTINUE;
                    }
                });
        return size[0];
    }

    private static HubException unreadable(Path file, IOException e) {
        return e instanceof HubException known
                ? known
                : new HubException(
                        Kind.CACHE,
                        file
                                + " can't be read: "
                                + e
                                + "; check its permissions, or name another cache with"
                                + " HF_HUB_CACHE",
                        e);
    }
}
