package dev.darkroom.cli;

import dev.darkroom.common.ByteSize;
import dev.darkroom.models.convert.Conversion;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Memory;

import org.jspecify.annotations.Nullable;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;

/** {@code darkroom convert}: a checkpoint in the other layout. */
@Command(
        name = "convert",
        description =
                "Writes a single file of Stable Diffusion 1, 2 or XL as a folder in the layout of"
                        + " hubs, or such a folder as a single file in its authors' layout. Both"
                        + " give the same pictures.",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        sortOptions = false,
        footer = {
            "",
            "Tensors are read and written one by one, in their types, so that little memory is"
                    + " taken. What configs of a folder say beyond the tensors is kept in the"
                    + " file's metadata, where Darkroom alone looks for it.",
            "TO appears when all of it is written, and nothing is replaced."
        })
final class ConvertCommand implements Callable<Integer> {
    @Spec private CommandSpec spec;

    @Parameters(
            index = "0",
            paramLabel = "FROM",
            description =
                    "A .safetensors file, or a folder that holds model_index.json. 'darkroom"
                            + " download' prints the folder of a model of a hub.")
    private Path from = Path.of("");

    @Parameters(
            index = "1",
            paramLabel = "TO",
            description = "A new folder for a file, a new .safetensors file for a folder.")
    private Path to = Path.of("");

    @Option(
            names = "--dtype",
            paramLabel = "TYPE",
            converter = Names.DTypes.class,
            completionCandidates = Names.DTypes.class,
            description =
                    "What floating-point weights are cast to: ${COMPLETION-CANDIDATES}; without it"
                            + " they keep their types.")
    private @Nullable DType dtype;

    @Option(
            names = "--variant",
            paramLabel = "NAME",
            description =
                    "Variant of a folder's weights, such as fp16 for model.fp16.safetensors; parts"
                            + " without it are taken from their plain weights.")
    private @Nullable String variant;

    @Option(
            names = "--strict",
            description =
                    "Refuse a checkpoint with tensors or options that are not known, instead of"
                            + " warning of them.")
    private boolean strict;

    @Override
    public Integer call() throws IOException {
        Memory.returnLargeBlocks(); // else twice as much of them stays with the process
        var made = Conversion.of(from, to, new Conversion.Options(dtype, variant, strict));
        var err = spec.commandLine().getErr();
        made.warnings().forEach(warning -> err.println("warning: " + warning + "."));
        var out = spec.commandLine().getOut();
        out.printf(
                Locale.ROOT,
                "%s: %s (%s), %d tensors, %s%n",
                made.target(),
                made.kind(),
                made.pipeline(),
                made.tensors(),
                ByteSize.format(made.bytes()));
        out.flush();
        return 0;
    }
}
