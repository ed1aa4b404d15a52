package dev.darkroom.models.checkpoint;

import dev.darkroom.common.OneLine;
import dev.darkroom.hub.HubException;
import dev.darkroom.hub.ModelId;
import dev.darkroom.models.checkpoint.ModelLocation.Folder;
import dev.darkroom.models.checkpoint.ModelLocation.OnHub;
import dev.darkroom.models.checkpoint.ModelLocation.WeightsFile;
import dev.darkroom.runtime.safetensors.UnfinishedDownload;

import org.jspecify.annotations.Nullable;

import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.regex.Pattern;

/** Reads what people write for a model, and says what is wrong with what nearly is one. */
final class LocationReader {
    private static final String WEIGHTS = ".safetensors";

    private static final Pattern PICKLE =
            Pattern.compile(".*\\.(ckpt|bin|pt|pth|pkl|pickle)", Pattern.CASE_INSENSITIVE);

    /** What is a file's name and no model's. */
    private static final Pattern FILE =
            Pattern.compile(
                    PICKLE.pattern() + "|.*\\.(safetensors|gguf|onnx|json)",
                    Pattern.CASE_INSENSITIVE);

    private static final Pattern ADDRESS =
            Pattern.compile("(?:https?|hf)://(?:[^/]*\\.[^/]*/)?([\\w.-]+/[\\w.-]+)?.*");

    /** What can only be a path: no name of a model, nor one with a revision or a variant. */
    private static final Pattern PATH = Pattern.compile("[./~].*|.*/|[^/]*/[^/]*/.*");

    private final String model;
    private final String shown;
    private final @Nullable Path path;

    private LocationReader(String model) {
        this.model = model;
        shown = OneLine.of(model);
        path = path(model);
    }

    static ModelLocation read(String model) throws CheckpointException {
        return new LocationReader(model).location();
    }

    private static @Nullable Path path(String text) {
        try {
            return text.isBlank() ? null : Path.of(text);
        } catch (InvalidPathException e) {
            return null;
        }
    }

    private ModelLocation location() throws CheckpointException {
        if (path != null && Files.isDirectory(path)) {
            return new Folder(path);
        }
        if (path != null && Files.exists(path)) {
            return file(path);
        }
        String problem = problem();
        if (problem != null) {
            throw new CheckpointException(problem);
        }
        try {
            return new OnHub(ModelId.parse(model));
        } catch (HubException e) {
            throw new CheckpointException(
                    "there is no folder " + shown + " here, and " + e.getMessage(), e);
        }
    }

    private ModelLocation file(Path file) throws CheckpointException {
        String name = String.valueOf(file.getFileName());
        if (name.toLowerCase(Locale.ROOT).endsWith(WEIGHTS)) {
            return new WeightsFile(file);
        }
        if (name.equals(Checkpoint.INDEX)) {
            throw new CheckpointException(
                    shown
                            + " belongs to a checkpoint; name its folder, "
                            + file.toAbsolutePath().getParent());
        }
        throw new CheckpointException(
                shown
                        + " is no model that can be loaded: "
                        + reason(name)
                        + "; name a folder that holds "
                        + Checkpoint.INDEX
                        + ", a .safetensors file, or a model of a hub as ORG/NAME");
    }

    /** Why a file is not loaded. */
    private static String reason(String name) {
        if (PICKLE.matcher(name).matches()) {
            return "it is a pickle by its name, which can run code where it is read";
        }
        return name.toLowerCase(Locale.ROOT).endsWith(".gguf")
                ? "files of GGUF are not read"
                : "its name does not end in " + WEIGHTS;
    }

    /** What is wrong with what can only be meant as a path or an address; null for others. */
    private @Nullable String problem() {
        if (model.isBlank()) {
            return "the model's name is empty; name a folder, a .safetensors file, or a model of a"
                    + " hub as ORG/NAME";
        }
        var address = ADDRESS.matcher(model);
        if (address.matches()) {
            String name = address.group(1);
            return shown
                    + " is an address; name the model as its hub does, "
                    + (name == null ? "ORG/NAME" : name)
                    + ", and another hub by HF_ENDPOINT";
        }
        if (path == null) {
            return null;
        }
        if (Files.isSymbolicLink(path)) {
            return UnfinishedDownload.of(path).orElse(shown + " is a link that leads nowhere");
        }
        int colon = model.lastIndexOf(':');
        Path folder = colon < 0 ? null : path(model.substring(0, colon));
        if (folder != null && Files.isDirectory(folder)) {
            return "there is no folder "
                    + shown
                    + "; the variant of a folder's weights is an option (--variant "
                    + OneLine.of(model.substring(colon + 1))
                    + ")";
        }
        if (FILE.matcher(model).matches()) {
            return "there is no file " + shown + "; check its name and folder";
        }
        boolean isPath =
                model.contains("\\") || PATH.matcher(model.replaceFirst("[@:].*", "")).matches();
        return isPath ? missingFolder(path) : null;
    }

    private String missingFolder(Path missing) {
        Path there = missing.toAbsolutePath().normalize();
        while (there != null && !Files.exists(there)) {
            there = there.getParent();
        }
        return "there is no model folder "
                + shown
                + (there == null ? "" : " (there is " + OneLine.of(there.toString()) + ")")
                + "; name one that holds "
                + Checkpoint.INDEX
                + ", or a model of a hub as ORG/NAME";
    }
}
