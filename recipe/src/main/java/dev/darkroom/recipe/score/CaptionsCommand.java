package dev.darkroom.recipe.score;

import dev.darkroom.recipe.data.Row;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;

/** Lists the captions that models are judged by. */
@Command(
        name = "captions",
        description = "Lists the captions that models are judged by, after what each tests.",
        mixinStandardHelpOptions = true)
public final class CaptionsCommand implements Callable<Integer> {
    @Spec private CommandSpec spec;

    @Option(
            names = "--data",
            required = true,
            paramLabel = "FOLDER",
            description = "The training pictures.")
    private Path data = Path.of("");

    @Option(
            names = "--captions-seed",
            paramLabel = "N",
            description = "Decides the captions. Default: ${DEFAULT-VALUE}.")
    private long captionsSeed = 2026;

    @Override
    public Integer call() throws IOException {
        List<Row> pictures = Row.read(data.resolve(Row.METADATA));
        List<Row> held = Row.read(data.resolve(Row.HELD_OUT));
        var out = spec.commandLine().getOut();
        for (Prompt prompt : Prompts.FULL.draw(pictures, held, captionsSeed)) {
            out.println(prompt.kind() + "\t" + prompt.text());
        }
        out.flush();
        return 0;
    }
}
