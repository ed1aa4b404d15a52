package dev.darkroom.recipe;

import dev.darkroom.common.Sha256;
import dev.darkroom.models.family.Defaults;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.stream.Stream;

/** Puts two finished runs where the embedded model lies. */
@Command(
        name = "package",
        description =
                "Puts the checkpoints of two finished runs where the embedded model lies: the"
                        + " teacher whole, of the student what the teacher has not.",
        mixinStandardHelpOptions = true)
final class PackageCommand implements Callable<Integer> {
    private static final String INDEX = "model_index.json";

    @Spec private CommandSpec spec;

    @Option(names = "--teacher", required = true, paramLabel = "FOLDER", description = "Its run.")
    private Path teacher = Path.of("");

    @Option(names = "--student", required = true, paramLabel = "FOLDER", description = "Its run.")
    private Path student = Path.of("");

    @Option(
            names = "--out",
            required = true,
            paramLabel = "FOLDER",
            description = "models/src/main/resources/dev/darkroom/models/embedded of a checkout.")
    private Path out = Path.of("");

    @Override
    public Integer call() throws IOException {
        if (Files.exists(out)) {
            throw new IOException(out + " exists; delete it first");
        }
        for (Path part : parts(teacher)) {
            copy(part, out.resolve("teacher"));
        }
        for (Path part : parts(student)) {
            if (!same(part, teacher.resolve(part.getFileName()))) {
                copy(part, out.resolve("student"));
            }
        }
        long bytes = 0;
        var sums = new StringBuilder();
        for (Path file : files(out)) {
            String name = out.relativize(file).toString().replace('\\', '/');
            sums.append(Sha256.of(file)).append("  ").append(name).append('\n');
            bytes += Files.size(file);
        }
        Files.writeString(out.resolve("SHA256SUMS"), sums);
        spec.commandLine().getOut().printf(Locale.ROOT, "%s%d bytes%n", sums, bytes);
        spec.commandLine().getOut().flush();
        return 0;
    }

    /** The index, the defaults and the folders of the parts; not what else a run leaves. */
    private static List<Path> parts(Path run) throws IOException {
        String index = Files.readString(run.resolve(INDEX));
        try (Stream<Path> all = Files.list(run)) {
            return all.filter(
                            path ->
                                    ofEach(path)
                                            || index.contains("\"" + path.getFileName() + "\""))
                    .sorted()
                    .toList();
        }
    }

    /** Whether a file belongs to each checkpoint, whatever it says. */
    private static boolean ofEach(Path file) {
        return file.endsWith(INDEX) || file.endsWith(Defaults.FILE);
    }

    private static List<Path> files(Path part) throws IOException {
        try (Stream<Path> all = Files.walk(part)) {
            return all.filter(Files::isRegularFile).sorted().toList();
        }
    }

    private static boolean same(Path part, Path other) throws IOException {
        if (ofEach(part) || !Files.exists(other)) {
            return false;
        }
        List<Path> names = files(part).stream().map(part::relativize).toList();
        if (!names.equals(files(other).stream().map(other::relativize).toList())) {
            return false;
        }
        for (Path name : names) {
            if (Files.mismatch(part.resolve(name), other.resolve(name)) >= 0) {
                return false;
            }
        }
        return true;
    }

    private static void copy(Path part, Path into) throws IOException {
        for (Path file : files(part)) {
            Path folder = into.resolve(part.getFileName());
            Path to = file.equals(part) ? folder : folder.resolve(part.relativize(file));
            Files.createDirectories(Objects.requireNonNull(to.getParent()));
            Files.copy(file, to);
        }
    }
}
