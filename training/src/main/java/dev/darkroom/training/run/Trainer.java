package dev.darkroom.training.run;

import dev.darkroom.common.FileLocks;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Kernels;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.Threads;
import dev.darkroom.runtime.optim.Ema;
import dev.darkroom.runtime.optim.GradientNorm;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;

/**
 * Trains a {@link Task} in a folder, from where the folder's checkpoints are. A run that was killed
 * and begun again, however often, ends with the weights of one that was not, bit for bit on the
 * same machine with as many threads.
 *
 * <p>In the folder: {@code training/checkpoints}, {@code training/log.jsonl}, {@code
 * training/samples}, and what the task makes at the end.
 */
public final class Trainer {
    /** How a run ended. */
    public enum End {
        /** All steps were taken and the result is written. */
        FINISHED,
        /** The listener asked to stop; a checkpoint was saved. */
        STOPPED
    }

    private static final String GOES_ON = ": it goes on, but not bit for bit as it would have";

    private final Path folder;
    private final Path training;
    private final Map<String, String> config;
    private final RunOptions options;
    private final RunListener listener;
    private final Checkpoints checkpoints;

    /**
     * Makes a run that has not begun.
     *
     * @param folder of the run; made if it is missing
     * @param config everything that the result depends on, by name; a run can't be resumed with
     *     another
     */
    public Trainer(
            Path folder, Map<String, String> config, RunOptions options, RunListener listener) {
        this(folder, config, options, listener, () -> {});
    }

    /**
     * @param between is called between any two writes of a checkpoint; for tests
     */
    Trainer(
            Path folder,
            Map<String, String> config,
            RunOptions options,
            RunListener listener,
            Runnable between) {
        this.folder = folder;
        this.config = config;
        this.options = options;
        this.listener = new GuardedListener(listener);
        training = folder.resolve("training");
        checkpoints = new Checkpoints(training.resolve("checkpoints"), between);
    }

    /** Returns where a run's log is. */
    public static Path log(Path folder) {
        return folder.resolve("training").resolve("log.jsonl");
    }

    /**
     * Takes the steps that are left.
     *
     * @throws TrainingException if the checkpoints don't fit, another process trains in the folder,
     *     or too many steps in a row have no finite loss and gradient
     * @throws IOException if files can't be read or written
     */
    public End run(Task task) throws IOException {
        Files.createDirectories(training);
        try (var locked =
                        FileChannel.open(
                                training.resolve("lock"),
                                StandardOpenOption.CREATE,
                                StandardOpenOption.WRITE);
                var lock = lock(locked)) {
            RunState start =
                    checkpoints
                            .resume(config, task.learner(), listener)
                            .orElseGet(() -> state(0, 0, 0, 0));
            if (start.step() >= options.steps()) {
                listener.finished(start.step());
            } else if (start.step() > 0) {
                listener.resumed(start.step());
                warnOfAnotherMachine(start);
            }
            try (var log = RunLog.open(log(folder), start.step());
                    var noise = new Generator(options.seed())) {
                return new Loop(task, log, noise, start).run();
            }
        }
    }

    private static FileLock lock(FileChannel file) throws IOException {
        FileLock lock = FileLocks.tryLock(file);
        if (lock == null) {
            throw new TrainingException(
                    "another run is training in this folder; wait for it, or name another");
        }
        return lock;
    }

    private void warnOfAnotherMachine(RunState start) {
        if (start.threads() != Threads.count()) {
            listener.warned(
                    "the run had "
                            + start.threads()
                            + " native threads and has "
                            + Threads.count()
                            + " now"
                            + GOES_ON);
        }
        String now = Kernels.current().toString();
        if (!start.kernels().isEmpty() && !start.kernels().equals(now)) {
            listener.warned(
                    "the network was computed by the kernels "
                            + start.kernels()
                            + " and is by "
                            + now
                            + " now"
                            + GOES_ON
                            + "; -Ddarkroom.kernels="
                            + start.kernels()
                            + " keeps them");
        }
    }

    private RunState state(long step, long samples, long skipped, int skippedInARow) {
        return new RunState(
                step,
                samples,
                skipped,
                skippedInARow,
                Threads.count(),
                Kernels.current().toString(),
                config);
    }

    /** What a step gave; null where it was skipped. */
    private record Outcome(@Nullable Double loss, @Nullable Double gradientNorm) {
        static final Outcome SKIPPED = new Outcome(null, null);
    }

    private final class Loop {
        private final Task task;
        private final RunLog log;
        private final Generator noise;
        private final Pace pace = new Pace();
        private long step;
        private long skipped;
        private int skippedInARow;
        private long saved;

        Loop(Task task, RunLog log, Generator noise, RunState start) {
            this.task = task;
            this.log = log;
            this.noise = noise;
            step = start.step();
            skipped = start.skipped();
            skippedInARow = start.skippedInARow();
            saved = start.step();
        }

        End run() throws IOException {
            task.start(step);
            while (step < options.steps()) {
                if (listener.isStopping()) {
                    save();
                    return End.STOPPED;
                }
                takeStep();
                if (step % options.saveEvery() == 0) {
                    save();
                }
                if (options.showEvery() > 0 && step % options.showEvery() == 0) {
                    task.show(step, Files.createDirectories(training.resolve("samples")));
                }
            }
            save();
            task.finish(folder);
            return End.FINISHED;
        }

        private void takeStep() throws IOException {
            long begin = System.nanoTime();
            double factor = options.learningRate().factor(step);
            Outcome outcome = update(factor);
            count(outcome);
            step++;
            double seconds = (System.nanoTime() - begin) / 1e9;
            long samples = task.samples(step) - task.samples(step - 1);
            double rate = samples / seconds;
            log.add(step, outcome.loss, factor, outcome.gradientNorm, rate);
            pace.add(seconds);
            listener.stepped(
                    new StepReport(
                            step,
                            options.steps(),
                            outcome.loss,
                            factor,
                            outcome.gradientNorm,
                            samples / pace.seconds(),
                            (options.steps() - step) * pace.seconds(),
                            skipped));
        }

        private Outcome update(double factor) throws IOException {
            Learner learner = task.learner();
            try (var scope = TensorScope.open();
                    var mode = Mode.GRAD.enter()) {
                double loss = 0;
                for (int part = 0; part < options.parts(); part++) {
                    loss += gradients(part) / options.parts();
                    if (!Double.isFinite(loss)) {
                        return Outcome.SKIPPED;
                    }
                }
                double norm =
                        options.clip() < Double.POSITIVE_INFINITY
                                ? GradientNorm.clip(learner.optimised().values(), options.clip())
                                : GradientNorm.of(learner.optimised().values());
                if (!Double.isFinite(norm)) {
                    return Outcome.SKIPPED;
                }
                learner.optimizer().step(factor);
                Ema average = learner.average();
                if (average != null) {
                    average.update(step);
                }
                return new Outcome(loss, norm);
            } finally {
                learner.optimizer().zeroGrad();
            }
        }

        /** Collects the gradients of a part, if its loss is finite. */
        private double gradients(int part) throws IOException {
            try (var scope = TensorScope.open()) {
                noise.seed(Seeds.of(options.seed(), step, part));
                Tensor loss = task.loss(step, part, noise);
                double value = loss.item();
                if (Double.isFinite(value)) {
                    task.learner()
                            .backward(
                                    options.parts() == 1 ? loss : loss.dividedBy(options.parts()));
                } else {
                    task.learner().discard();
                }
                return value;
            }
        }

        private void count(Outcome outcome) throws IOException {
            if (outcome.loss != null) {
                skippedInARow = 0;
                return;
            }
            skipped++;
            skippedInARow++;
            if (skippedInARow == options.skipLimit()) {
                throw new TrainingException(
                        skippedInARow
                                + " steps in a row, the last one step "
                                + (step + 1)
                                + ", had a loss or gradient that is not finite. Lower the learning"
                                + " rate or the clipping norm, lengthen the warm-up, or train in"
                                + " float32; the last checkpoint is of step "
                                + saved);
            }
        }

        private void save() throws IOException {
            if (saved == step) {
                return;
            }
            log.force();
            long samples = task.samples(step);
            checkpoints.save(state(step, samples, skipped, skippedInARow), task.learner());
            saved = step;
            listener.saved(step);
        }
    }

    /** The time of a step, averaged over the last ones. */
    private static final class Pace {
        private static final double SHARE = 0.05;

        private double mean;
        private double weight;

        void add(double seconds) {
            mean += SHARE * (seconds - mean);
            weight += SHARE * (1 - weight);
        }

        double seconds() {
            return mean / weight;
        }
    }
}
