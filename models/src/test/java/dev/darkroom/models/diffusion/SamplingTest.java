package dev.darkroom.models.diffusion;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.diffusion.diffusers.Scheduler;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;

/** What all solvers owe their caller: steps, memory, noise and cancellation. */
class SamplingTest {
    private static final Gaussian DATA = new Gaussian(0, 0.5);

    @TempDir Path folder;

    static List<String> vpSamplers() {
        return Scheduler.names().stream().filter(name -> !name.startsWith("flow")).toList();
    }

    private SamplingPlan plan(String sampler, int steps) throws IOException {
        Path file = folder.resolve("scheduler_config.json");
        Files.writeString(file, "{\"_class_name\": \"DDPMScheduler\", \"clip_sample\": false}");
        return Scheduler.read(file, sampler).plan(steps);
    }

    /** Those that say beforehand where they evaluate: all but the adaptive one. */
    static List<String> plannedSamplers() {
        return vpSamplers().stream().filter(name -> !name.equals("rk45")).toList();
    }

    @ParameterizedTest
    @MethodSource("plannedSamplers")
    void tellsOfEveryEvaluationAndKeepsOnlyTheResult(String sampler) throws IOException {
        SamplingPlan plan = plan(sampler, 6);
        List<NoiseLevel> asked = new ArrayList<>();
        List<Step> steps = new ArrayList<>();
        try (var scope = TensorScope.open();
                var noise = new SeededNoise(1, 2)) {
            Tensor x = noise.draw(Shape.of(2, 4), DType.FLOAT32, Device.CPU);
            double[] before = x.toDoubleArray();
            long live = Memory.liveTensors();
            AtomicInteger most = new AtomicInteger();
            Tensor result =
                    plan.sample(
                            (latents, at) -> {
                                asked.add(at);
                                return DATA.denoiser().denoise(latents, at);
                            },
                            x,
                            noise,
                            step -> {
                                steps.add(step);
                                assertEquals(x.shape(), step.latents().shape());
                                assertEquals(x.shape(), step.denoised().shape());
                                most.accumulateAndGet(
                                        (int) (Memory.liveTensors() - live), Math::max);
                            });
            assertEquals(live + 1, Memory.liveTensors(), "only the result is left");
            assertTrue(most.get() < 40, () -> most + " tensors were alive");
            assertArrayEquals(before, x.toDoubleArray(), "the start is left as it is");
            assertTrue(result.isFinite().all().item() != 0);
        }
        assertEquals(plan.evaluations(), asked);
        assertEquals(asked, steps.stream().map(Step::level).toList());
        for (int i = 0; i < steps.size(); i++) {
            assertEquals(i, steps.get(i).index());
            assertEquals(steps.size(), steps.get(i).of());
            assertTrue(steps.get(i).latents().isClosed());
        }
    }

    /**
     * As many steps as there are timesteps: where two of them are equal, nothing is divided by 0.
     */
    @ParameterizedTest
    @MethodSource("vpSamplers")
    void aThousandStepsEndNearTheData(String sampler) throws IOException {
        boolean student = sampler.equals("lcm") || sampler.equals("tcd");
        int steps = student ? 50 : 1000;
        try (var scope = TensorScope.open();
                var noise = new SeededNoise(1, 1)) {
            SamplingPlan plan = plan(sampler, steps);
            Tensor x = noise.draw(Shape.of(1, 256), DType.FLOAT32, Device.CPU);
            Tensor start = x.times(plan.initialScale());
            Tensor sampled = plan.sample(DATA.denoiser(), start, noise, StepListener.NONE);
            double deviation = Math.sqrt(sampled.variance(1, false, 0, 1).item());
            // The exact denoiser is no consistency function, as LCM and TCD want.
            assertEquals(0.5, deviation, student ? 0.2 : 0.1);
        }
    }

    @ParameterizedTest
    @MethodSource("plannedSamplers")
    void stopsWithinOneEvaluationAndLeavesNothing(String sampler) throws IOException {
        SamplingPlan plan = plan(sampler, 6);
        var asked = new AtomicBoolean();
        var evaluations = new AtomicInteger();
        long live = Memory.liveTensors();
        try (var scope = TensorScope.open();
                var noise = new SeededNoise(1, 1)) {
            Tensor x = noise.draw(Shape.of(1, 4), DType.FLOAT32, Device.CPU);
            Denoiser denoiser =
                    (latents, at) -> {
                        asked.set(evaluations.incrementAndGet() == 3);
                        return DATA.denoiser().denoise(latents, at);
                    };
            StepListener listener = StepListener.NONE.then(StepListener.cancelledWhen(asked::get));
            var cancelled =
                    assertThrows(
                            CancellationException.class,
                            () -> plan.sample(denoiser, x, noise, listener));
            assertTrue(cancelled.getMessage().startsWith("cancelled after step 3 of"));
            assertEquals(3, evaluations.get());
            assertEquals(live + 1, Memory.liveTensors());
        }
        assertEquals(live, Memory.liveTensors());
    }

    @Test
    void anImageIsTheSameInABatch() throws IOException {
        SamplingPlan plan = plan("ddpm", 5);
        try (var scope = TensorScope.open()) {
            Tensor batch = sample(plan, 40, 3);
            for (int i = 0; i < 3; i++) {
                Tensor alone = sample(plan, 40 + i, 1);
                assertTrue(alone.contentEquals(batch.narrow(0, i, 1)), "image " + i);
            }
            assertFalse(batch.narrow(0, 0, 1).contentEquals(batch.narrow(0, 1, 1)));
        }
    }

    private static Tensor sample(SamplingPlan plan, long seed, int images) {
        try (var noise = new SeededNoise(seed, images)) {
            Tensor x = noise.draw(Shape.of(images, 4, 2, 2), DType.FLOAT32, Device.CPU);
            return plan.sample(DATA.denoiser(), x, noise, StepListener.NONE);
        }
    }

    @Test
    void noiseIsPyTorchsForEachSeed() {
        try (var scope = TensorScope.open();
                var noise = new SeededNoise(7, 2);
                var first = new Generator(7);
                var second = new Generator(8)) {
            for (int draw = 0; draw < 2; draw++) {
                Tensor random = noise.draw(Shape.of(2, 3, 5), DType.FLOAT32, Device.CPU);
                assertTrue(random.narrow(0, 0, 1).contentEquals(Tensor.randn(first, 1, 3, 5)));
                assertTrue(random.narrow(0, 1, 1).contentEquals(Tensor.randn(second, 1, 3, 5)));
            }
            assertThrows(
                    IllegalArgumentException.class,
                    () -> noise.draw(Shape.of(3, 3), DType.FLOAT32, Device.CPU));
        }
        assertThrows(IllegalArgumentException.class, () -> new SeededNoise(7, 0));
    }

    @Test
    void aLearnedVarianceMustBeThere() {
        List<NoiseLevel> levels = Gaussian.preserving(3);
        try (var scope = TensorScope.open();
                var noise = new SeededNoise(1, 1)) {
            Tensor x = noise.draw(Shape.of(1, 4), DType.FLOAT32, Device.CPU);
            assertThrows(
                    IllegalStateException.class,
                    () ->
                            Solvers.ddpm(
                                    DATA.denoiser(),
                                    x,
                                    levels,
                                    ReverseVariance.LEARNED_RANGE,
                                    noise,
                                    StepListener.NONE));
        }
    }

    private interface Along {
        Tensor sample(Tensor x, List<NoiseLevel> levels);
    }

    /** Every solver with what its levels may be: variance exploding, flow's, or preserving. */
    static Stream<Arguments> forms() {
        Denoiser d = DATA.denoiser();
        var noise = new SeededNoise(1, 1);
        StepListener on = StepListener.NONE;
        return Stream.of(
                Arguments.of("euler", "ve flow vp", (Along) (x, l) -> Solvers.euler(d, x, l, on)),
                Arguments.of("heun", "ve flow vp", (Along) (x, l) -> Solvers.heun(d, x, l, on)),
                Arguments.of(
                        "ancestral",
                        "ve flow vp",
                        (Along) (x, l) -> Solvers.eulerAncestral(d, x, l, noise, on)),
                Arguments.of(
                        "consistency",
                        "ve",
                        (Along) (x, l) -> Solvers.consistency(d, x, l, 0.002, noise, on)),
                Arguments.of(
                        "langevin",
                        "ve",
                        (Along) (x, l) -> Langevin.annealed(d, x, l, 2, 1e-5, noise, on)),
                Arguments.of(
                        "ddim",
                        "ve flow vp",
                        (Along) (x, l) -> Solvers.ddim(d, x, l, 0.5, noise, on)),
                Arguments.of(
                        "ddpm",
                        "ve flow vp",
                        (Along)
                                (x, l) ->
                                        Solvers.ddpm(
                                                d, x, l, ReverseVariance.FIXED_SMALL, noise, on)),
                Arguments.of(
                        "lcm", "ve flow vp", (Along) (x, l) -> Solvers.lcm(d, x, l, noise, on)),
                Arguments.of(
                        "tcd",
                        "ve flow vp",
                        (Along) (x, l) -> Solvers.tcd(d, x, l, 0.3, null, noise, on)),
                Arguments.of("lms", "ve flow vp", along(Solver.lms(4), noise)),
                Arguments.of("ipndm", "ve flow vp", along(Solver.improvedPndm(), noise)),
                Arguments.of("pndm", "ve flow vp", along(Solver.pndm(Prediction.EPSILON), noise)),
                Arguments.of("dpm2", "ve flow vp", along(Solver.midpoint(false, null), noise)),
                Arguments.of("dpm2-a", "ve flow vp", along(Solver.midpoint(true, null), noise)),
                Arguments.of("dpm", "ve flow vp", dpm(DpmSolver.Algorithm.NOISE_SDE, noise)),
                Arguments.of("dpm++", "ve flow vp", dpm(DpmSolver.Algorithm.DATA_SDE, noise)));
    }

    private static Along along(Solver solver, NoiseSource noise) {
        return (x, levels) -> solver.solve(DATA.denoiser(), x, levels, noise, StepListener.NONE);
    }

    private static Along dpm(DpmSolver.Algorithm algorithm, NoiseSource noise) {
        var options = new DpmSolver.Options(algorithm, 2, DpmSolver.Kind.MIDPOINT, true, false);
        return (x, levels) ->
                DpmSolver.multistep(DATA.denoiser(), x, levels, options, noise, StepListener.NONE);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("forms")
    void refusesLevelsOfAFormThatItDoesNotSolve(String name, String forms, Along sampler) {
        Map<String, List<NoiseLevel>> levels =
                Map.of(
                        "ve", Gaussian.exploding(5),
                        "vp", Gaussian.preserving(5),
                        "flow", Gaussian.flow(5));
        try (var scope = TensorScope.open()) {
            Tensor x = Tensor.full(Shape.of(1, 4), 0.5, DType.FLOAT32, Device.CPU);
            levels.forEach(
                    (form, each) -> {
                        if (List.of(forms.split(" ")).contains(form)) {
                            assertTrue(sampler.sample(x, each).isFinite().all().item() != 0, form);
                        } else {
                            var refused =
                                    assertThrows(
                                            IllegalArgumentException.class,
                                            () -> sampler.sample(x, each),
                                            form);
                            assertTrue(
                                    refused.getMessage().contains("needs levels with alpha = 1"),
                                    refused.getMessage());
                        }
                    });
        }
    }

    /** Where there is no noise, there is no direction: each of these would divide by zero. */
    @ParameterizedTest(name = "{0}")
    @MethodSource("forms")
    void refusesToEvaluateWithoutNoise(String name, String forms, Along sampler) {
        List<NoiseLevel> levels =
                List.of(NoiseLevel.varianceExploding(2, 9), NoiseLevel.CLEAN, NoiseLevel.CLEAN);
        try (var scope = TensorScope.open()) {
            Tensor x = Tensor.full(Shape.of(1, 4), 0.5, DType.FLOAT32, Device.CPU);
            if (name.equals("lcm") || name.equals("consistency")) {
                assertTrue(sampler.sample(x, levels).isFinite().all().item() != 0);
            } else {
                assertThrows(IllegalArgumentException.class, () -> sampler.sample(x, levels));
            }
        }
    }

    /** Pure noise has no finite noise-to-signal ratio, which Heun's method goes along. */
    @Test
    void heunRefusesToStartFromPureNoiseUnlessOnAFlow() {
        List<NoiseLevel> levels =
                List.of(new NoiseLevel(0, 1, 999), NoiseLevel.variancePreserving(0.5, 500));
        List<NoiseLevel> flow = List.of(NoiseLevel.flow(1, 1000), NoiseLevel.flow(0.5, 500));
        try (var scope = TensorScope.open()) {
            Tensor x = Tensor.full(Shape.of(1, 4), 0.5, DType.FLOAT32, Device.CPU);
            var refused =
                    assertThrows(
                            IllegalArgumentException.class,
                            () -> Solvers.heun(DATA.denoiser(), x, levels, StepListener.NONE));
            assertTrue(refused.getMessage().contains("alpha > 0"), refused.getMessage());
            Tensor moved = Solvers.heun(DATA.denoiser(), x, flow, StepListener.NONE);
            assertTrue(moved.isFinite().all().item() != 0);
            moved = Solvers.euler(DATA.denoiser(), x, levels, StepListener.NONE);
            assertTrue(moved.isFinite().all().item() != 0);
        }
    }

    @Test
    void dpmSolverRefusesTwoLevelsOfTheSameNoise() {
        NoiseLevel twice = NoiseLevel.variancePreserving(0.5, 500);
        List<NoiseLevel> levels = List.of(twice, twice, NoiseLevel.variancePreserving(0.9, 100));
        try (var scope = TensorScope.open()) {
            Tensor x = Tensor.full(Shape.of(1, 4), 0.5, DType.FLOAT32, Device.CPU);
            for (DpmSolver.Algorithm algorithm : DpmSolver.Algorithm.values()) {
                Along sampler = dpm(algorithm, new SeededNoise(1, 1));
                var refused =
                        assertThrows(
                                IllegalArgumentException.class, () -> sampler.sample(x, levels));
                assertTrue(refused.getMessage().contains("is followed by"), refused.getMessage());
            }
        }
    }

    @Test
    void oneLevelIsNoWay() {
        List<NoiseLevel> one = List.of(NoiseLevel.CLEAN);
        try (var scope = TensorScope.open()) {
            Tensor x = Tensor.zeros(DType.FLOAT32, 1, 4);
            assertThrows(
                    IllegalArgumentException.class,
                    () -> Solvers.euler(DATA.denoiser(), x, one, StepListener.NONE));
        }
    }
}
