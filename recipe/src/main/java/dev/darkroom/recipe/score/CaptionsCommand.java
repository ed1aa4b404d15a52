package dev.darkroom.recipe.score;

import dev.darkroom.recipe.data.Row;

import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

import java.io.IOException;
import java.util.List;
import java.util.concurrent.Callable;

/** Lists the captions that models are judged by. */
@Command(
        name = "captions",
        description = "Lists the captions that models are judged by, after what each tests.",
        mixinStandardHelpOptions = true)
public final class CaptionsCommand implements Callable<Integer> {
    @Spec private CommandSpec spec;

    @Mixin private final CaptionsOption captions = new CaptionsOption();

    @Override
    public Integer call() throws IOException {
        List<Row> pictures = Row.read(captions.data().resolve(Row.METADATA));
        var out = spec.commandLine().getOut();
        for (Prompt prompt : captions.draw(Prompts.FULL, pictures)) {
            out.println(prompt.kind() + "\t" + prompt.text());
        }
        out.flush();
        return 0;
    }
}
