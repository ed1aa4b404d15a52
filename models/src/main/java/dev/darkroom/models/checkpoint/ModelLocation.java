package dev.darkroom.models.checkpoint;

import dev.darkroom.hub.CheckpointFiles;
import dev.darkroom.hub.DownloadListener;
import dev.darkroom.hub.Hub;
import dev.darkroom.hub.HubException;
import dev.darkroom.hub.HubException.Kind;
import dev.darkroom.hub.HubOptions;
import dev.darkroom.hub.ModelId;
import dev.darkroom.hub.RemoteFile;
import dev.darkroom.hub.Snapshot;
import dev.darkroom.runtime.safetensors.Inspection;
import dev.darkroom.runtime.safetensors.SafetensorsHeader;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.TreeMap;

/** Where a model is, as people write it: a folder, a single file, or a name on a hub. */
public sealed interface ModelLocation {
    /**
     * A folder of this machine, which should hold a checkpoint.
     *
     * @param path of the folder, which is there
     */
    record Folder(Path path) implements ModelLocation {}

    /**
     * A single file of weights on this machine.
     *
     * @param path of a {@code .safetensors} file, which is there
     */
    record WeightsFile(Path path) implements ModelLocation {}

    /**
     * A model of a hub.
     *
     * @param id its name, which need not be in the cache
     */
    record OnHub(ModelId id) implements ModelLocation {
        /**
         * Finds the model in the cache, or else downloads it. A model that is in the cache is taken
         * as it is: no hub is asked, and no file is hashed.
         *
         * @throws IOException if it can't be had
         * @throws InterruptedException if the thread is interrupted
         */
        public Snapshot snapshot(HubOptions options, DownloadListener listener)
                throws IOException, InterruptedException {
            try (var hub = new Hub(options)) {
                return hub.get(id, listener);
            } catch (HubException e) {
                throw explained(e);
            }
        }

        /**
         * Reads the headers of the model's weights: of the files in the cache where all are there,
         * else at the hub, which takes little however large the files are.
         *
         * @throws IOException if they can't be had
         * @throws InterruptedException if the thread is interrupted
         */
        public Inspection inspect(HubOptions options) throws IOException, InterruptedException {
            var needed = CheckpointFiles.of(id);
            try (var hub = new Hub(options)) {
                var cached = hub.cache().find(id, needed);
                if (cached.isPresent()) {
                    return Inspection.of(cached.get().folder());
                }
                var repository = hub.repository(id);
                Path root = Path.of(id.repository());
                var headers = new TreeMap<String, List<SafetensorsHeader>>();
                for (RemoteFile file : needed.select(repository, hub).files()) {
                    if (file.name().endsWith(".safetensors")) {
                        byte[] header = hub.safetensorsHeader(repository, file);
                        headers.computeIfAbsent(file.folder(), folder -> new ArrayList<>())
                                .add(
                                        SafetensorsHeader.of(
                                                root.resolve(file.path()), header, file.size()));
                    }
                }
                return new Inspection(
                        root,
                        headers.entrySet().stream()
                                .map(part -> new Inspection.Part(part.getKey(), part.getValue()))
                                .toList());
            } catch (HubException e) {
                throw explained(e);
            }
        }

        /** A name that leads nowhere may have been meant as a folder. */
        private IOException explained(HubException e) {
            boolean isNowhere =
                    e.kind() == Kind.NO_MODEL
                            || e.kind() == Kind.OFFLINE
                            || e.kind() == Kind.UNREACHABLE;
            boolean mayBeFolder = id.revision() == null && id.variant() == null;
            return isNowhere && mayBeFolder
                    ? new CheckpointException(
                            "there is no folder " + id + " here, and " + e.getMessage(), e)
                    : e;
        }
    }

    /**
     * Reads what people write for a model: a folder that is there, a {@code .safetensors} file that
     * is there, else {@code ORG/NAME[@REVISION][:VARIANT]}.
     *
     * @throws CheckpointException if it is none of these; the message says what to do
     */
    static ModelLocation of(String model) throws CheckpointException {
        return LocationReader.read(model);
    }

    /**
     * Finds networks: folders with a config and weights, which those of a hub are downloaded into,
     * or single files.
     *
     * @param kind for messages, such as {@code an autoencoder}
     * @param names as {@link #of} reads them
     * @param hub where names are looked up; null for what the environment says
     * @throws IOException if one can't be had,
     * @throws InterruptedException if the thread is interrupted
     */
    static List<Path> foldersOrFiles(
            String kind, List<String> names, @Nullable HubOptions hub, DownloadListener listener)
            throws IOException, InterruptedException {
        Objects.requireNonNull(kind, "kind");
        Objects.requireNonNull(listener, "listener; DownloadListener.NONE listens to nothing");
        List<Path> paths = new ArrayList<>();
        for (String name : names) {
            paths.add(
                    of(name) instanceof WeightsFile file
                            ? file.path()
                            : folder(kind, name, hub, listener));
        }
        return paths;
    }

    /**
     * Finds the folder of one network, as {@link #foldersOrFiles} does.
     *
     * @throws IOException if it can't be had, or is a single file
     * @throws InterruptedException if the thread is interrupted
     */
    static Path folder(
            String kind, String name, @Nullable HubOptions hub, DownloadListener listener)
            throws IOException, InterruptedException {
        Objects.requireNonNull(kind, "kind");
        return switch (of(name)) {
            case Folder folder -> folder.path();
            case OnHub named ->
                    named.snapshot(HubOptions.orFromEnvironment(hub), listener).folder();
            case WeightsFile file ->
                    throw new CheckpointException(
                            kind
                                    + " is a folder with a config.json and weights, not the single"
                                    + " file "
                                    + file.path());
        };
    }
}
