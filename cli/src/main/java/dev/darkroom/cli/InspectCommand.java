package dev.darkroom.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import com.fasterxml.jackson.databind.json.JsonMapper;

import dev.darkroom.common.ByteSize;
import dev.darkroom.models.checkpoint.ModelLocation;
import dev.darkroom.runtime.safetensors.Inspection;
import dev.darkroom.runtime.safetensors.SafetensorsHeader;
import dev.darkroom.runtime.safetensors.StoredTensor;

import org.jspecify.annotations.Nullable;

import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** {@code darkroom inspect}: what is in a checkpoint, from the headers of its files. */
@Command(
        name = "inspect",
        description =
                "Lists the tensors of safetensors files from their headers alone, and says what a"
                        + " single file of a checkpoint is.",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class)
final class InspectCommand implements Callable<Integer> {
    /** Some values are whole configs. */
    private static final int LONGEST_VALUE = 1000;

    @Spec private CommandSpec spec;

    @Parameters(
            paramLabel = "FILE|DIR|MODEL",
            description =
                    "A .safetensors file, the .safetensors.index.json of a sharded one, a folder,"
                            + " which stands for all safetensors files in and below it, or the name"
                            + " of a model on a hub, "
                            + CacheFlags.NAME
                            + ", of which only headers are downloaded unless it is in the cache.")
    private String model;

    @Mixin private final HubFlags hub = new HubFlags();

    @Option(names = "--json", description = "Print JSON.")
    private boolean json;

    @Override
    public Integer call() throws IOException, InterruptedException {
        var inspection = inspection();
        var single = SingleFileReport.of(inspection);
        var out = spec.commandLine().getOut();
        if (json) {
            printJson(inspection, single, out);
        } else {
            printTable(inspection, out);
            if (single != null) {
                single.text(out);
            }
        }
        out.flush();
        return 0;
    }

    private Inspection inspection() throws IOException, InterruptedException {
        try {
            Path path = Path.of(model);
            if (Files.exists(path)) {
                return Inspection.of(path);
            }
        } catch (InvalidPathException e) {
            // It is said below what it is instead.
        }
        return switch (ModelLocation.of(model)) {
            case ModelLocation.OnHub named -> named.inspect(hub.options());
            case ModelLocation.Folder folder -> Inspection.of(folder.path());
            case ModelLocation.WeightsFile file -> Inspection.of(file.path());
        };
    }

    private static void printTable(Inspection inspection, PrintWriter out) {
        var tensors =
                inspection.parts().stream()
                        .flatMap(part -> part.files().stream())
                        .flatMap(file -> file.tensors().values().stream())
                        .toList();
        int names = width(tensors.stream().map(tensor -> printable(tensor.name())));
        int shapes = width(tensors.stream().map(tensor -> tensor.shape().toString()));
        var row = String.format(Locale.ROOT, "  %%-%ds  %%-11s  %%-%ds  %%10s%%n", names, shapes);
        for (var part : inspection.parts()) {
            for (var file : part.files()) {
                out.printf(
                        Locale.ROOT,
                        "%s: %s%n",
                        name(inspection, file),
                        summary(file.tensors().size(), file.tensorBytes()));
                file.metadata()
                        .forEach(
                                (key, value) ->
                                        out.printf(
                                                Locale.ROOT,
                                                "  # %s: %s%n",
                                                printable(key),
                                                shortened(printable(value))));
                for (var tensor : file.tensors().values()) {
                    out.printf(
                            Locale.ROOT,
                            row,
                            printable(tensor.name()),
                            tensor.dtype(),
                            tensor.shape(),
                            ByteSize.format(tensor.bytes()));
                }
                out.println();
            }
        }
        for (var part : inspection.parts()) {
            var network = className(inspection, part);
            if (inspection.parts().size() > 1 || network.isPresent()) {
                out.printf(
                        Locale.ROOT,
                        "%s: %s%s%n",
                        part.name().isEmpty() ? "." : printable(part.name()),
                        summary(part.tensorCount(), part.tensorBytes()),
                        network.map(name -> " (" + name + ")").orElse(""));
            }
        }
        out.printf(
                Locale.ROOT,
                "total: %s%s%n",
                summary(inspection.tensorCount(), inspection.tensorBytes()),
                inspection.bytesByDType().entrySet().stream()
                        .map(dtype -> dtype.getKey() + " " + ByteSize.format(dtype.getValue()))
                        .collect(Collectors.joining(", ", " (", ")"))
                        .replace(" ()", ""));
    }

    /** The class of the network, where a config beside the weights of a folder says it. */
    private static Optional<String> className(Inspection inspection, Inspection.Part part) {
        return ModelIndex.partClass(inspection.root().resolve(part.name()));
    }

    private static int width(Stream<String> column) {
        return column.mapToInt(String::length).max().orElse(1);
    }

    private static String summary(int tensors, long bytes) {
        return String.format(
                Locale.ROOT,
                "%d %s, %s",
                tensors,
                tensors == 1 ? "tensor" : "tensors",
                ByteSize.format(bytes));
    }

    /** The file as seen from the folder that was asked for. */
    private static String name(Inspection inspection, SafetensorsHeader file) {
        var path =
                file.file().startsWith(inspection.root()) && !file.file().equals(inspection.root())
                        ? inspection.root().relativize(file.file())
                        : file.file();
        return printable(path.toString());
    }

    /** Names come out of files that nobody vouches for: no control characters to the terminal. */
    static String printable(String name) {
        return name.replaceAll("[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}]", "\ufffd");
    }

    private static String shortened(String value) {
        return value.length() <= LONGEST_VALUE
                ? value
                : value.substring(0, LONGEST_VALUE)
                        + "… ("
                        + value.length()
                        + " characters; --json prints all)";
    }

    private static void printJson(
            Inspection inspection, @Nullable SingleFileReport single, PrintWriter out)
            throws IOException {
        try (var json = new JsonMapper().createGenerator(out)) {
            json.disable(JsonGenerator.Feature.AUTO_CLOSE_TARGET);
            json.setPrettyPrinter(new DefaultPrettyPrinter());
            json.writeStartObject();
            json.writeStringField("path", inspection.root().toString());
            json.writeNumberField("tensors", inspection.tensorCount());
            json.writeNumberField("bytes", inspection.tensorBytes());
            json.writeObjectFieldStart("bytes_by_dtype");
            for (var dtype : inspection.bytesByDType().entrySet()) {
                json.writeNumberField(dtype.getKey().name(), dtype.getValue());
            }
            json.writeEndObject();
            json.writeArrayFieldStart("parts");
            for (var part : inspection.parts()) {
                json.writeStartObject();
                json.writeStringField("name", part.name());
                var network = className(inspection, part);
                if (network.isPresent()) {
                    json.writeStringField("class", network.get());
                }
                json.writeNumberField("tensors", part.tensorCount());
                json.writeNumberField("bytes", part.tensorBytes());
                json.writeArrayFieldStart("files");
                for (var file : part.files()) {
                    writeFile(json, file);
                }
                json.writeEndArray();
                json.writeEndObject();
            }
            json.writeEndArray();
            if (single != null) {
                json.writeObjectField("single_file", single.json());
            }
            json.writeEndObject();
        }
        out.println();
    }

    private static void writeFile(JsonGenerator json, SafetensorsHeader file) throws IOException {
        json.writeStartObject();
        json.writeStringField("file", file.file().toString());
        json.writeNumberField("bytes", file.tensorBytes());
        json.writeObjectFieldStart("metadata");
        for (Map.Entry<String, String> entry : file.metadata().entrySet()) {
            json.writeStringField(entry.getKey(), entry.getValue());
        }
        json.writeEndObject();
        json.writeArrayFieldStart("tensors");
        for (StoredTensor tensor : file.tensors().values()) {
            json.writeStartObject();
            json.writeStringField("name", tensor.name());
            json.writeStringField("dtype", tensor.dtype().name());
            json.writeFieldName("shape");
            json.writeArray(tensor.shape().toArray(), 0, tensor.shape().rank());
            json.writeNumberField("begin", tensor.begin());
            json.writeNumberField("end", tensor.end());
            json.writeEndObject();
        }
        json.writeEndArray();
        json.writeEndObject();
    }
}
