package dev.darkroom.models.diffusion.diffusers;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.diffusion.Denoised;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.SamplingPlan;
import dev.darkroom.models.diffusion.StepListener;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/** Noise levels that a call chooses, with every sampler. */
class LevelChoiceTest {
    private static final String SD =
            "{'_class_name': 'DDIMScheduler', 'beta_start': 0.00085, 'beta_end': 0.012,"
                    + " 'beta_schedule': 'scaled_linear', 'clip_sample': false}";
    private static final String FLOW =
            "{'_class_name': 'FlowMatchEulerDiscreteScheduler', 'shift': 3.0}";

    @TempDir private Path folder;

    private Scheduler read(String json, String sampler) throws IOException {
        Path file = folder.resolve("scheduler_config.json");
        Files.writeString(file, json.replace('\'', '"'));
        return Scheduler.read(file, sampler);
    }

    private static SamplingPlan plan(Scheduler scheduler, int steps, LevelChoice levels) {
        return scheduler.plan(steps, SchedulerArguments.NONE.withLevels(levels));
    }

    private static double[] sigmas(SamplingPlan plan) {
        return plan.levels().stream().mapToDouble(NoiseLevel::noiseToSignal).toArray();
    }

    private static double[] timesteps(SamplingPlan plan) {
        return plan.levels().subList(0, plan.steps()).stream()
                .mapToDouble(NoiseLevel::timestep)
                .toArray();
    }

    private static List<String> samplers() {
        return Scheduler.names().stream().filter(name -> !name.startsWith("flow")).toList();
    }

    /** All samplers on a model of betas take the same ones, each in its own form. */
    @Test
    void everySamplerTakesGivenLevels() throws IOException {
        var sigmas = LevelChoice.ofSigmas(List.of(14.0, 3.0, 0.7, 0.1, 0.0));
        var timesteps = LevelChoice.ofTimesteps(List.of(999.0, 600.0, 300.0, 20.0));
        for (String name : samplers()) {
            Scheduler scheduler = read(SD, name);
            double[] given = sigmas(plan(scheduler, 4, sigmas));
            double[] first = {given[0], given[1], given[2], given[3]};
            assertArrayEquals(new double[] {14, 3, 0.7, 0.1}, first, 1e-6, name);
            assertTrue(given[4] < 0.1, name);
            double[] times = {999, 600, 300, 20};
            assertArrayEquals(times, timesteps(plan(scheduler, 4, timesteps)), 0, name);
            var refused =
                    assertThrows(IllegalArgumentException.class, () -> plan(scheduler, 5, sigmas));
            assertTrue(
                    refused.getMessage().startsWith("4 noise levels are given for 5 steps"),
                    refused.getMessage());
        }
    }

    /** Each spacing ends in a picture with each sampler. */
    @Test
    void everySpacingServesEverySampler() throws IOException {
        for (LevelSpacing spacing : LevelSpacing.values()) {
            boolean table = spacing.name().startsWith("AYS");
            for (String json : List.of(SD, FLOW)) {
                for (String name : samplers()) {
                    if (json.equals(FLOW) && (table || name.matches("deis|langevin|.*karras"))) {
                        continue;
                    }
                    SamplingPlan plan = plan(read(json, name), 8, LevelChoice.of(spacing));
                    assertEquals(8, plan.steps(), name + " " + spacing);
                    assertFalling(plan, name + " " + spacing);
                    try (var scope = TensorScope.open()) {
                        Tensor sampled =
                                plan.sample(
                                        (x, at) -> new Denoised(x.times(0.3)),
                                        Tensor.ones(DType.FLOAT32, 1, 2),
                                        (shape, type, on) -> Tensor.zeros(type, shape.toArray()),
                                        StepListener.NONE);
                        assertEquals(1, sampled.isFinite().all().item(), name + " " + spacing);
                    }
                }
            }
            if (table) {
                var choice = LevelChoice.of(spacing);
                Scheduler flow = read(FLOW, "euler");
                assertThrows(IllegalArgumentException.class, () -> plan(flow, 8, choice));
            }
        }
    }

    private static void assertFalling(SamplingPlan plan, String what) {
        for (int i = 1; i < plan.levels().size(); i++) {
            NoiseLevel before = plan.levels().get(i - 1);
            assertTrue(before.lambda() <= plan.levels().get(i).lambda(), what);
        }
    }

    private static double[] steps(LevelSpacing spacing, int steps) {
        var model = new ModelSigmas(0, 1000, t -> 0.01 * (t + 1), false); // 0.01 to 10
        return spacing.sigmas(steps, model);
    }

    @Test
    void simpleNormalAndUniformDifferInTheLastSteps() {
        double[] simple = {10, 7.5, 5, 2.5};
        assertArrayEquals(simple, steps(LevelSpacing.SIMPLE, 4), 1e-9);
        double[] normal = {10, 6.67, 3.34, 0.01};
        assertArrayEquals(normal, steps(LevelSpacing.NORMAL, 4), 1e-9);
        double[] uniform = {10, 7.5025, 5.005, 2.5075};
        assertArrayEquals(uniform, steps(LevelSpacing.UNIFORM, 4), 1e-9);
        for (LevelSpacing spacing : LevelSpacing.values()) {
            assertEquals(1, steps(spacing, 1).length);
            assertTrue(steps(spacing, 1)[0] >= 9.99, spacing.id());
        }
    }

    /** diffusers 0.35.2, pipelines.mochi: linear_quadratic_schedule(8, 0.025) and of 5. */
    @Test
    void theLinearQuadraticSpacingIsMochis() {
        double[] eight = {
            1, 0.99375, 0.9875, 0.98125, 0.975, 0.9093750000, 0.7250000000, 0.4218750000
        };
        double[] five = {1, 0.9875, 0.975, 0.8583333333, 0.5333333333};
        for (double[] expected : List.of(eight, five)) {
            double[] scaled = steps(LevelSpacing.LINEAR_QUADRATIC, expected.length);
            for (int i = 0; i < scaled.length; i++) {
                assertEquals(expected[i], scaled[i] / 10, 1e-9, "at " + i);
            }
        }
    }

    /** diffusers 0.35.2's {@code AysSchedules}, which are rounded. */
    @Test
    void theTablesAreThoseOfAlignYourSteps() {
        double[] sd = {14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152};
        assertArrayEquals(sd, steps(LevelSpacing.AYS_SD15, 10), 0.004);
        double[] xl = {14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113};
        assertArrayEquals(xl, steps(LevelSpacing.AYS_SDXL, 10), 0.004);
        double[] twice = steps(LevelSpacing.AYS_SD15, 20);
        assertEquals(steps(LevelSpacing.AYS_SD15, 10)[3], twice[6], 1e-12);
        assertEquals(Math.sqrt(twice[0] * twice[2]), twice[1], 1e-12);
    }

    /** Sigmas that are given are shifted, timesteps are what the network sees. */
    @Test
    void aFlowShiftsSigmasAndNotTimesteps() throws IOException {
        Scheduler flow = read(FLOW, "heun");
        SamplingPlan sigmas = plan(flow, 2, LevelChoice.ofSigmas(List.of(1.0, 0.5)));
        assertEquals(0.75, sigmas.levels().get(1).sigma(), 1e-7);
        SamplingPlan times = plan(flow, 2, LevelChoice.ofTimesteps(List.of(1000.0, 500.0)));
        assertEquals(0.5, times.levels().get(1).sigma(), 1e-7);
        assertEquals(500, times.levels().get(1).timestep());
        SamplingPlan simple = plan(flow, 2, LevelChoice.of(LevelSpacing.SIMPLE));
        assertEquals(0.75, simple.levels().get(1).sigma(), 1e-7);
        for (double sigma : new double[] {1.5, 14}) {
            var above = LevelChoice.ofSigmas(List.of(sigma));
            var refused = assertThrows(IllegalArgumentException.class, () -> plan(flow, 1, above));
            assertTrue(refused.getMessage().contains("at most 1"), refused.getMessage());
        }
    }

    @Test
    void levelsFallAndAreOfOneKind() throws IOException {
        for (List<Double> wrong :
                List.of(
                        List.of(3.0, 3.0),
                        List.of(1.0, 2.0),
                        List.of(0.0),
                        List.of(-1.0),
                        List.of(Double.NaN),
                        List.of(2.0, 0.0, 0.0),
                        List.of(Double.POSITIVE_INFINITY))) {
            assertThrows(IllegalArgumentException.class, () -> LevelChoice.ofSigmas(wrong));
        }
        assertThrows(
                IllegalArgumentException.class, () -> LevelChoice.ofTimesteps(List.of(1.0, 5.0)));
        List<Double> one = List.of(1.0);
        assertThrows(IllegalArgumentException.class, () -> new LevelChoice(null, one, one));
        assertThrows(
                IllegalArgumentException.class,
                () -> new LevelChoice(LevelSpacing.BETA, one, List.of()));
        assertThrows(
                IllegalArgumentException.class, () -> new LevelChoice(null, List.of(), List.of()));
        var late = LevelChoice.ofTimesteps(List.of(1000.0));
        Scheduler scheduler = read(SD, "euler");
        var refused = assertThrows(IllegalArgumentException.class, () -> plan(scheduler, 1, late));
        assertTrue(refused.getMessage().contains("the last of which is 999"));
        var unknown =
                assertThrows(IllegalArgumentException.class, () -> LevelSpacing.named("cosine"));
        assertTrue(unknown.getMessage().contains("there are simple, normal"));
        assertEquals(
                LevelSpacing.ids(),
                Stream.of(LevelSpacing.values())
                        .map(each -> LevelSpacing.named(each.id()).id())
                        .toList());
        assertEquals(Set.copyOf(LevelSpacing.ids()).size(), LevelSpacing.values().length);
    }

    // ---- Settings with a sampler's name ----

    private static List<NoiseLevel> levels(Scheduler scheduler) {
        return scheduler.plan(5).levels();
    }

    @Test
    void aSamplerTakesItsClassesOptionsAndItsStepsArguments() throws IOException {
        Scheduler karras = read(SD, "dpm++2m:use_karras_sigmas=true");
        assertEquals(levels(read(SD, "dpm++2m-karras")), levels(karras));
        Scheduler singlestep = read(SD, "unipc:solver_order=3,final_sigmas_type=sigma_min");
        assertTrue(singlestep.plan(5).end().sigma() > 0);
        Scheduler heun = read(SD, "heun:s_churn=10,s_tmin=1");
        double greatest = heun.plan(5).levels().getFirst().sigma();
        assertEquals(
                (float) (greatest * Math.sqrt(2)),
                heun.plan(5).evaluations().getFirst().sigma(),
                1e-5);
        Scheduler flow = read(FLOW, "heun:shift=1");
        assertEquals(levels(read(FLOW.replace("3.0", "1.0"), "heun")), levels(flow));
        assertEquals(3, read(SD, "lms:order=2").plan(3).evaluations().size());
        // What a call says counts more.
        Scheduler ddim = read(SD, "ddim:eta=1");
        try (var scope = TensorScope.open()) {
            Tensor x = Tensor.ones(DType.FLOAT32, 1, 2);
            assertThrows(
                    UnsupportedOperationException.class,
                    () -> sample(ddim.plan(2), x),
                    "draws noise");
            sample(ddim.plan(2, SchedulerArguments.NONE.withEta(0.0)), x);
        }
    }

    private static Tensor sample(SamplingPlan plan, Tensor x) {
        return plan.sample(
                (latents, at) -> new Denoised(latents.times(0.5)),
                x,
                (shape, type, device) -> {
                    throw new UnsupportedOperationException();
                },
                StepListener.NONE);
    }

    @Test
    void aSettingThatHasNoEffectIsAnError() {
        for (String wrong :
                List.of(
                        "ddim:solver_order=2",
                        "ddim:s_churn=2",
                        "ddim:order=2",
                        "heun:s_tmin=1",
                        "heun:s_churn=-1",
                        "heun:s_churn=x",
                        "lms:order=5",
                        "lms:order=1.5",
                        "unipc:solver_order=4",
                        "unipc:solver_order=two",
                        "unipc:solver_order=1.5",
                        "unipc:use_karras_sigmas=yes",
                        "unipc:solver=3",
                        "unipc:solver_order",
                        "unipc:solver_order=2,solver_order=3",
                        "uniqc:solver_order=2")) {
            assertThrows(
                    Exception.class,
                    () -> {
                        try (var scope = TensorScope.open()) {
                            Tensor x = Tensor.ones(DType.FLOAT32, 1, 2);
                            sample(read(SD, wrong).plan(5), x);
                        }
                    },
                    wrong);
        }
        var unknown =
                assertThrows(
                        IllegalArgumentException.class,
                        () -> Scheduler.requireSampler("unipc:solver=3"));
        assertTrue(unknown.getMessage().contains("has no setting 'solver'"));
    }
}
