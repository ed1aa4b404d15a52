package dev.darkroom.training.run;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.optim.LearningRate;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;

/** A run in a process of its own, which {@link KillTest} kills. */
final class TrainingProcess {
    static final int SAVE_EVERY = 3;

    /** Each life gains a few; a multiple of the above. */
    static final int STEPS =
            Math.ceilDiv(4 * Integer.getInteger("darkroom.attack.kills", 30), SAVE_EVERY)
                    * SAVE_EVERY;

    private final long killAt;
    private long events;

    private TrainingProcess(long killAt) {
        this.killAt = killAt;
    }

    /**
     * Trains.
     *
     * @param args the folder, and the event at which the process is killed: a step, or a moment
     *     between two writes of a checkpoint; 0 for never
     */
    public static void main(String[] args) throws IOException {
        new TrainingProcess(Long.parseLong(args[1])).train(Path.of(args[0]));
    }

    static RunOptions options() {
        return new RunOptions(5, STEPS, 2, 1, LearningRate.cosine(5, STEPS, 0), SAVE_EVERY, 0, 3);
    }

    private void train(Path folder) throws IOException {
        var listener =
                new RunListener() {
                    @Override
                    public void resumed(long step) {
                        System.out.println("resumed " + step);
                    }

                    @Override
                    public void finished(long steps) {
                        resumed(steps);
                    }

                    @Override
                    public void saved(long step) {
                        System.out.println("saved " + step);
                    }

                    @Override
                    public void stepped(StepReport report) {
                        System.out.println("stepped " + report.step());
                        event();
                    }
                };
        try (var task = new TinyTask(DType.BFLOAT16)) {
            new Trainer(folder, Map.of("seed", "5"), options(), listener, this::event).run(task);
        }
    }

    /** A real SIGKILL: nothing of the JVM gets to tidy up. */
    private void event() {
        events++;
        if (events == killAt) {
            try {
                new ProcessBuilder("kill", "-9", Long.toString(ProcessHandle.current().pid()))
                        .start()
                        .waitFor();
                Thread.sleep(60_000);
            } catch (IOException | InterruptedException e) {
                throw new AssertionError(e);
            }
        }
    }
}
