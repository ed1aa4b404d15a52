package dev.darkroom.cli;

import dev.darkroom.models.diffusion.guidance.Autoguided;
import dev.darkroom.models.diffusion.guidance.GuidanceKind;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;

/** {@code darkroom guidance}: what {@code sample --guidance-kind} takes. */
@Command(
        name = "guidance",
        description = "Lists the kinds of guidance, their settings and their papers.",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class)
final class GuidanceCommand implements Callable<Integer> {
    @Spec private CommandSpec spec;

    @Override
    public Integer call() {
        var out = spec.commandLine().getOut();
        for (GuidanceKind kind : GuidanceKind.values()) {
            out.printf(Locale.ROOT, "%-10s %s (%s)%n", kind.id(), kind.title(), kind.paper());
            out.printf(Locale.ROOT, "%-10s %s%n", "", settings(kind));
        }
        out.printf(
                Locale.ROOT,
                "--auto-guidance MODEL, beside any but perp-neg: %s (%s)%n",
                Autoguided.TITLE,
                Autoguided.PAPER);
        out.flush();
        return 0;
    }

    private static String settings(GuidanceKind kind) {
        return kind.defaults().entrySet().stream()
                .map(each -> each.getKey() + "=" + each.getValue())
                .collect(Collectors.joining(","));
    }
}
