package dev.darkroom.training.run;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Kernels;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.optim.LearningRate;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

class TrainerTest {
    private static final Map<String, String> CONFIG = Map.of("learningRate", "0.01", "seed", "1");

    @TempDir private Path folder;

    /** Notes what it is told, and stops a run after a step. */
    private static final class Notes implements RunListener {
        private final long stopAfter;
        private final List<String> warnings = new ArrayList<>();
        private final List<Long> resumed = new ArrayList<>();
        private final List<Long> saved = new ArrayList<>();
        private StepReport last = new StepReport(0, 0, null, 0, null, 0, 0, 0);

        Notes(long stopAfter) {
            this.stopAfter = stopAfter;
        }

        @Override
        public void stepped(StepReport report) {
            last = report;
        }

        @Override
        public void resumed(long step) {
            resumed.add(step);
        }

        @Override
        public void saved(long step) {
            saved.add(step);
        }

        @Override
        public void warned(String warning) {
            warnings.add(warning);
        }

        @Override
        public boolean isStopping() {
            return last.step() == stopAfter;
        }
    }

    private static RunOptions options(long steps) {
        return new RunOptions(1, steps, 1, 1, LearningRate.constant(0), 10, 20, 3);
    }

    private Trainer.End train(Path run, Notes notes) throws IOException {
        try (var task = new TinyTask(DType.FLOAT32)) {
            return new Trainer(run, CONFIG, options(40), notes).run(task);
        }
    }

    @Test
    void learnsAndTellsHowItGoes() throws IOException {
        long live = Memory.liveTensors();
        var notes = new Notes(-1);
        var losses = new ArrayList<Double>();
        try (var task = new TinyTask(DType.FLOAT32)) {
            var listener =
                    new RunListener() {
                        @Override
                        public void stepped(StepReport report) {
                            notes.stepped(report);
                            losses.add(report.loss());
                        }
                    };
            assertEquals(
                    Trainer.End.FINISHED,
                    new Trainer(folder, CONFIG, options(400), listener).run(task));
            assertEquals(20, task.shown);
        }
        double first = losses.subList(0, 50).stream().mapToDouble(x -> x).average().orElseThrow();
        double last = losses.subList(350, 400).stream().mapToDouble(x -> x).average().orElseThrow();
        assertTrue(last < first / 4, first + " → " + last);
        assertEquals(400, notes.last.step());
        assertEquals(0, notes.last.secondsLeft());
        assertTrue(notes.last.samplesPerSecond() > 0);
        assertEquals(live, Memory.liveTensors());
    }

    @Test
    void whatAListenerLeavesIsUndone() throws IOException {
        long live = Memory.liveTensors();
        var leaving =
                new RunListener() {
                    @Override
                    public void stepped(StepReport report) {
                        TensorScope.open();
                        Mode.INFERENCE.enter();
                        Tensor.ones(DType.FLOAT32, 2);
                    }

                    @Override
                    public boolean isStopping() {
                        TensorScope.open();
                        Tensor.ones(DType.FLOAT32, 2);
                        return false;
                    }
                };
        try (var task = new TinyTask(DType.FLOAT32)) {
            assertEquals(
                    Trainer.End.FINISHED,
                    new Trainer(folder, CONFIG, options(5), leaving).run(task));
        }
        assertEquals(live, Memory.liveTensors());
        assertEquals(Mode.NO_GRAD, Mode.current());
    }

    @Test
    void aStoppedRunGoesOnBitForBit() throws IOException {
        Path whole = folder.resolve("whole");
        assertEquals(Trainer.End.FINISHED, train(whole, new Notes(-1)));
        Path parts = folder.resolve("parts");
        var first = new Notes(17);
        assertEquals(Trainer.End.STOPPED, train(parts, first));
        assertEquals(List.of(10L, 17L), first.saved);
        var second = new Notes(-1);
        assertEquals(Trainer.End.FINISHED, train(parts, second));
        assertEquals(List.of(17L), second.resumed);
        assertSame(whole, parts);
    }

    @Test
    void aRunThatComputesSixteenBitsInAnotherWaySaysSo() throws IOException {
        Kernels before = Kernels.current();
        try {
            Kernels.use(Kernels.parse("own"));
            train(folder, new Notes(5));
            var same = new Notes(15);
            train(folder, same);
            assertEquals(List.of(), same.warnings);
            Kernels.use(Kernels.parse("own,bfloat16.attention=float32"));
            var other = new Notes(25);
            train(folder, other);
            assertEquals(1, other.warnings.size(), other.warnings::toString);
            String warning = other.warnings.getFirst();
            assertTrue(warning.contains("-Ddarkroom.kernels=" + Kernels.parse("own")), warning);
            assertTrue(warning.contains("by " + Kernels.current() + " now"), warning);
        } finally {
            Kernels.use(before);
        }
    }

    private static void assertSame(Path expected, Path actual) throws IOException {
        for (String file : List.of("result.safetensors", "average.safetensors")) {
            assertArrayEquals(
                    Files.readAllBytes(expected.resolve(file)),
                    Files.readAllBytes(actual.resolve(file)),
                    file);
        }
    }

    @Test
    void aDamagedCheckpointIsSkippedForTheOneBefore() throws IOException {
        Path whole = folder.resolve("whole");
        train(whole, new Notes(-1));
        Path damaged = folder.resolve("damaged");
        train(damaged, new Notes(25));
        Path newest = damaged.resolve("training/checkpoints/step-25/optimizer.safetensors");
        byte[] bytes = Files.readAllBytes(newest);
        bytes[bytes.length / 2] ^= 1;
        Files.write(newest, bytes);
        var notes = new Notes(-1);
        train(damaged, notes);
        assertEquals(List.of(20L), notes.resumed);
        assertEquals(1, notes.warnings.size());
        assertTrue(notes.warnings.getFirst().contains("step-25"), notes.warnings.getFirst());
        assertTrue(
                notes.warnings.getFirst().contains("optimizer.safetensors is not what was written"),
                notes.warnings.getFirst());
        assertSame(whole, damaged);
    }

    @Test
    void aRunWithoutASoundCheckpointIsNotBegunAnewInSilence() throws IOException {
        train(folder, new Notes(10));
        Files.delete(folder.resolve("training/checkpoints/step-10/manifest.json"));
        var refusal = assertThrows(TrainingException.class, () -> train(folder, new Notes(-1)));
        assertTrue(refusal.getMessage().contains("no checkpoint can be resumed"));
        assertTrue(refusal.getMessage().contains("To begin anew, delete"));
    }

    @Test
    void anotherConfigIsRefusedByTheNameOfTheField() throws IOException {
        train(folder, new Notes(10));
        var changed = new TreeMap<>(CONFIG);
        changed.put("learningRate", "0.02");
        try (var task = new TinyTask(DType.FLOAT32)) {
            var refusal =
                    assertThrows(
                            TrainingException.class,
                            () ->
                                    new Trainer(folder, changed, options(40), RunListener.NONE)
                                            .run(task));
            assertTrue(
                    refusal.getMessage().contains("learningRate was 0.01 and is 0.02"),
                    refusal.getMessage());
        }
    }

    @Test
    void twoRunsDontShareAFolder() throws IOException {
        try (var outer =
                        new TinyTask(DType.FLOAT32) {
                            @Override
                            public void start(long step) {
                                var refusal =
                                        assertThrows(
                                                TrainingException.class,
                                                () -> train(folder, new Notes(-1)));
                                assertTrue(refusal.getMessage().contains("another run"));
                            }
                        };
                var inner = new TinyTask(DType.FLOAT32)) {
            new Trainer(folder, CONFIG, options(1), RunListener.NONE).run(outer);
        }
    }

    /** A task whose loss is not finite at some steps. */
    private static final class Faulty extends TinyTask {
        private final long from;
        private final long to;

        Faulty(long from, long to) {
            super(DType.FLOAT32);
            this.from = from;
            this.to = to;
        }

        @Override
        public Tensor loss(long step, int part, Generator noise) {
            Tensor loss = super.loss(step, part, noise);
            // √0 has an infinite slope: a finite loss whose gradient is not.
            return step >= from && step < to ? loss.times(0).sqrt() : loss;
        }
    }

    @Test
    void stepsWithoutAFiniteGradientAreSkippedAndCounted() throws IOException {
        var notes = new Notes(-1);
        try (var task = new Faulty(7, 9)) {
            new Trainer(folder, CONFIG, options(12), notes).run(task);
            for (var weight : task.learner().weights().values()) {
                assertEquals(1, weight.isFinite().all().item());
            }
        }
        assertEquals(2, notes.last.skipped());
        List<String> log = Files.readAllLines(Trainer.log(folder));
        assertTrue(log.get(7).contains("\"loss\":null"), log.get(7));
        assertTrue(!log.get(9).contains("\"loss\":null"), log.get(9));
    }

    @Test
    void tooManyInARowEndTheRunWithAdvice() throws IOException {
        try (var task = new Faulty(15, 30)) {
            var failure =
                    assertThrows(
                            TrainingException.class,
                            () ->
                                    new Trainer(folder, CONFIG, options(40), RunListener.NONE)
                                            .run(task));
            assertTrue(failure.getMessage().startsWith("3 steps in a row"), failure.getMessage());
            assertTrue(failure.getMessage().contains("Lower the learning rate"));
            assertTrue(failure.getMessage().contains("the last checkpoint is of step 10"));
        }
    }

    @Test
    void seedsDifferInAllBits() {
        long flips = 0;
        for (int i = 0; i < 1000; i++) {
            flips += Long.bitCount(Seeds.of(1, i, 0) ^ Seeds.of(1, i + 1, 0));
            flips += Long.bitCount(Seeds.of(1, i, 0) ^ Seeds.of(1, i, 1));
        }
        assertEquals(32, flips / 2000.0, 0.5);
        assertEquals(
                10_000,
                java.util.stream.LongStream.range(0, 10_000)
                        .map(i -> Seeds.of(9, i))
                        .distinct()
                        .count());
    }
}
