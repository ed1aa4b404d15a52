package dev.darkroom.cli;

import dev.darkroom.models.diffusion.diffusers.Scheduler;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

import java.util.Locale;
import java.util.concurrent.Callable;

/** {@code darkroom samplers}: what {@code sample --sampler} takes. */
@Command(
        name = "samplers",
        description = "Lists the samplers and their papers.",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class)
final class SamplersCommand implements Callable<Integer> {
    @Spec private CommandSpec spec;

    @Override
    public Integer call() {
        var out = spec.commandLine().getOut();
        for (String name : Scheduler.names()) {
            out.printf(Locale.ROOT, "%-15s %s%n", name, Scheduler.description(name));
        }
        out.flush();
        return 0;
    }
}
