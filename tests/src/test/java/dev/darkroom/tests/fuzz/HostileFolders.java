package dev.darkroom.tests.fuzz;

import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineException;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.safetensors.Inspection;
import dev.darkroom.runtime.safetensors.SafetensorsException;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;

/**
 * Loads hostile checkpoints and samples from those that load, in a JVM of its own: an error in
 * Java's heap ends it (as its options say), and so does a load that does not return.
 */
final class HostileFolders {
    /** After which a load counts as one that hangs, on a machine that may be busy. */
    private static final long SOON = TimeUnit.SECONDS.toMillis(240);

    private final Path work;
    private final HostileCases cases;
    private final Opened opened;
    private final List<String> faults = new ArrayList<>();
    private int refused;
    private int sampled;

    private HostileFolders(Path work) throws IOException {
        this.work = work;
        Path outside = Files.createDirectories(work.resolve("outside"));
        cases = new HostileCases(work.resolve("bases"), outside);
        opened = new Opened(outside);
        Files.readAllBytes(outside.resolve("model_index.json"));
        Answers.require(!opened.take().isEmpty(), "the watch sees nothing", null);
    }

    /**
     * @param arguments a folder to work in; how many checkpoints, 0 for all; a part of the names of
     *     those that are meant
     */
    public static void main(String[] arguments) throws Exception {
        new HostileFolders(Path.of(arguments[0]).toRealPath())
                .run(Integer.parseInt(arguments[1]), arguments.length > 2 ? arguments[2] : "");
    }

    private void run(int most, String named) throws Exception {
        List<HostileCase> all =
                cases.all().stream().filter(each -> each.name().contains(named)).toList();
        int count = most == 0 ? all.size() : Math.min(most, all.size());
        long slowest = 0;
        for (int i = 0; i < count; i++) {
            HostileCase each = all.get((int) ((long) i * all.size() / count));
            long begin = System.nanoTime();
            check(each);
            slowest = Math.max(slowest, System.nanoTime() - begin);
        }
        faults.forEach(System.out::println);
        System.out.printf(
                "%d hostile checkpoints of %d: %d refused, %d sampled, slowest %d ms, %d faults%n",
                count, all.size(), refused, sampled, slowest / 1_000_000, faults.size());
        System.exit(faults.isEmpty() ? 0 : 1);
    }

    private void check(HostileCase each) throws Exception {
        Path folder = work.resolve("folders/model");
        cases.copy(each.base(), Files.createDirectories(folder));
        Path changed = each.change().apply(folder);
        opened.take();
        var failure = new AtomicReference<@Nullable Throwable>();
        var worker =
                new Thread(
                        () -> {
                            try {
                                use(changed, each);
                            } catch (Throwable e) {
                                failure.set(e);
                            }
                        });
        worker.start();
        worker.join(SOON);
        if (worker.isAlive()) {
            var where = new AssertionError("hangs");
            where.setStackTrace(worker.getStackTrace());
            fault(each, where);
            faults.forEach(System.out::println);
            System.exit(2);
        }
        if (failure.get() != null) {
            fault(each, failure.get());
        }
        var outside = opened.take();
        if (!outside.isEmpty() && !each.follows()) {
            fault(each, new AssertionError("opened outside: " + outside));
        }
        if (Memory.liveTensors() != 0) {
            fault(each, new AssertionError(Memory.liveTensors() + " live tensors"));
        }
        HostileCases.remove(work.resolve("folders"));
    }

    private void fault(HostileCase each, Throwable failure) {
        var text = new StringBuilder(each.name() + ": " + failure);
        Throwable cause = failure.getCause() == null ? failure : failure.getCause();
        text.append(failure == cause ? "" : " <- " + cause);
        for (StackTraceElement at : List.of(cause.getStackTrace()).stream().limit(12).toList()) {
            text.append("\n    ").append(at);
        }
        faults.add(text.toString());
    }

    private void use(Path folder, HostileCase each) throws IOException {
        inspect(folder);
        var options = PipelineOptions.defaults().withLogging(false).withVariant(each.variant());
        try (var pipeline = Pipeline.load(folder, options)) {
            pipeline.warnings().forEach(HostileFolders::requireLine);
            var request = SampleRequest.builder().steps(2).seed(1);
            if (each.base().equals("dit")) {
                request.classes(List.of("1"));
            } else {
                request.prompt("a red aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa </s> cat")
                        .width(16)
                        .height(16);
            }
            pipeline.sample(request.binning(false).maxTokens(24).build());
            sampled++;
        } catch (PipelineException e) {
            refused++;
            requireLine(String.valueOf(e.getMessage()).replace(folder.toString(), ""));
        }
    }

    private static void inspect(Path folder) throws IOException {
        try {
            Inspection.of(folder);
        } catch (SafetensorsException e) {
            requireLine(String.valueOf(e.getMessage()).replace(folder.toString(), ""));
        } catch (FileSystemException e) { // a loop of links, which it names
            Answers.require(e.getFile() != null, "no file is named", e);
        }
    }

    private static void requireLine(String message) {
        Answers.require(
                message.length() > 10 && message.length() < 2000 && message.lines().count() == 1,
                "a message is no line: " + message.substring(0, Math.min(300, message.length())),
                null);
    }
}
