package dev.darkroom.models.diffusion.diffusers;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.config.ConfigException;
import dev.darkroom.models.diffusion.Churn;
import dev.darkroom.models.diffusion.Denoised;
import dev.darkroom.models.diffusion.Denoiser;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.NoiseSource;
import dev.darkroom.models.diffusion.Prediction;
import dev.darkroom.models.diffusion.SamplingPlan;
import dev.darkroom.models.diffusion.StepListener;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

class SchedulerTest {
    /** As PixArt's checkpoints have it. */
    private static final String PIXART =
            """
            {"_class_name": "DPMSolverMultistepScheduler", "_diffusers_version": "0.22.0.dev0",
             "algorithm_type": "dpmsolver++", "beta_end": 0.02, "beta_schedule": "linear",
             "beta_start": 0.0001, "dynamic_thresholding_ratio": 0.995, "euler_at_final": false,
             "lambda_min_clipped": -Infinity, "lower_order_final": true,
             "num_train_timesteps": 1000, "prediction_type": "epsilon", "sample_max_value": 1.0,
             "solver_order": 2, "solver_type": "midpoint", "steps_offset": 0,
             "thresholding": false, "timestep_spacing": "linspace", "trained_betas": null,
             "use_karras_sigmas": false, "use_lu_lambdas": false, "variance_type": null}
            """;

    private static final String FLOW =
            "{\"_class_name\": \"FlowMatchEulerDiscreteScheduler\", \"shift\": 3.0}";

    @TempDir Path folder;

    private Path file(String json) throws IOException {
        return Files.writeString(folder.resolve("scheduler_config.json"), json);
    }

    private Scheduler read(String json) throws IOException {
        return Scheduler.read(file(json));
    }

    private static List<Double> timesteps(SamplingPlan plan) {
        return plan.evaluations().stream().map(NoiseLevel::timestep).toList();
    }

    private static List<Double> list(double... values) {
        return Arrays.stream(values).boxed().toList();
    }

    @Test
    void readsPixArts() throws IOException {
        Scheduler spec = read(PIXART);
        assertEquals(Prediction.EPSILON, spec.process().prediction());
        assertEquals(1000, spec.process().trainTimesteps());
        SamplingPlan plan = spec.plan(4);
        assertEquals(list(999, 749, 500, 250), timesteps(plan));
        assertEquals(0, plan.end().sigma());
        assertEquals(1, plan.initialScale());
    }

    /** A model whose own sampler is not supported can be sampled with another. */
    @Test
    void anotherSamplerHelpsWhereTheOwnIsNotSupported() throws IOException {
        String json = "{\"_class_name\": \"SomebodysScheduler\"}";
        assertThrows(ConfigException.class, () -> read(json));
        assertEquals(4, Scheduler.read(file(json), "ddim").plan(4).evaluations().size());
    }

    /** The spacing is the file's, where DDIM's own would be leading; diffusers does the same. */
    @Test
    void anotherSamplerKeepsTheModelsOptions() throws IOException {
        SamplingPlan ddim = Scheduler.read(file(PIXART), "ddim").plan(4);
        assertEquals(list(999, 666, 333, 0), timesteps(ddim));
        SamplingPlan euler = Scheduler.read(file(PIXART), "euler").plan(4);
        assertEquals(list(999, 666, 333, 0), timesteps(euler));
        assertEquals(euler.evaluations().getFirst().sigma(), euler.initialScale());
        SamplingPlan heun = Scheduler.read(file(PIXART), "HeunDiscreteScheduler").plan(3);
        assertEquals(list(999, 499.5, 499.5, 0, 0), timesteps(heun));
    }

    @ParameterizedTest
    @ValueSource(ints = {0, -1, 1001, 10_000})
    void everySamplerRefusesTooManyStepsAndNone(int steps) throws IOException {
        for (String name : Scheduler.names()) {
            Scheduler spec = Scheduler.read(file(name.startsWith("flow") ? FLOW : PIXART), name);
            var refused =
                    assertThrows(IllegalArgumentException.class, () -> spec.plan(steps), name);
            assertTrue(
                    refused.getMessage().matches("the number of steps must be from 1 to .*"),
                    refused.getMessage());
        }
    }

    /**
     * As many steps as timesteps: a timestep may come twice by rounding, and is then taken once. In
     * diffusers 0.35.2 the result is NaN.
     */
    @ParameterizedTest
    @ValueSource(ints = {995, 999, 1000})
    void dpmSolverTakesNoLevelTwice(int steps) throws IOException {
        for (String spacing : List.of("linspace", "trailing", "leading")) {
            for (String end : List.of("zero", "sigma_min")) {
                for (String name : List.of("dpm++2m", "dpm++2m-sde", "dpm++3m", "dpm++2m-karras")) {
                    String json =
                            PIXART.replace("linspace", spacing)
                                    .replace("\"steps_offset\": 0", "\"steps_offset\": 1")
                                    .replace("{", "{\"final_sigmas_type\": \"" + end + "\",");
                    if (spacing.equals("leading") && steps == 1000 && !name.endsWith("karras")) {
                        assertMessage(
                                () -> Scheduler.read(file(json), name).plan(steps),
                                "has room for 999 steps, not 1000; use fewer steps");
                        continue;
                    }
                    List<NoiseLevel> levels =
                            Scheduler.read(file(json), name).plan(steps).evaluations();
                    for (int i = 1; i < levels.size(); i++) {
                        assertTrue(levels.get(i - 1).lambda() < levels.get(i).lambda(), json);
                    }
                    assertTrue(levels.size() >= steps - 1, json);
                }
            }
        }
    }

    /**
     * Leading spacing with an offset reaches beyond the schedule. diffusers 0.35.2: an index error
     * with DDPM and DDIM, the last sigma with the Euler family.
     */
    @Test
    void leadingSpacingWithAnOffsetMayHaveNoRoom() throws IOException {
        String json =
                PIXART.replace("linspace", "leading")
                        .replace("\"steps_offset\": 0", "\"steps_offset\": 1");
        for (String name : List.of("ddpm", "ddim")) {
            assertEquals(999, Scheduler.read(file(json), name).plan(999).evaluations().size());
            assertMessage(
                    () -> Scheduler.read(file(json), name).plan(1000),
                    "use fewer steps or a lower steps_offset");
        }
        for (String name : List.of("euler", "euler-a", "heun")) {
            List<NoiseLevel> levels = Scheduler.read(file(json), name).plan(1000).evaluations();
            assertEquals(1000, levels.getFirst().timestep());
            assertEquals(
                    levels.get(name.equals("heun") ? 2 : 1).sigma(), levels.getFirst().sigma());
        }
    }

    private static void assertMessage(Executable refused, String expected) {
        var error = assertThrows(IllegalArgumentException.class, refused);
        assertTrue(error.getMessage().contains(expected), error.getMessage());
    }

    @Test
    void everyOtherNumberOfStepsHasItsLevels() throws IOException {
        for (String spacing : List.of("leading", "linspace", "trailing")) {
            String json = PIXART.replace("\"linspace\"", "\"" + spacing + "\"");
            for (String name : List.of("ddpm", "ddim", "euler", "dpm++2m", "dpm++2m-karras")) {
                Scheduler spec = Scheduler.read(file(json), name);
                for (int steps = 1; steps < 1000; steps++) {
                    List<NoiseLevel> levels = spec.plan(steps).evaluations();
                    assertEquals(steps, levels.size(), spacing + " " + name);
                    assertTrue(levels.getLast().timestep() >= 0, spacing + " " + name);
                }
            }
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "'' | it has no _class_name",
                "'_class_name': 'SomebodysScheduler' | SomebodysScheduler is not supported;"
                        + " supported are CMStochasticIterativeScheduler, Cog",
                "'_class_name': 'IPNDMScheduler', 'trained_betas': [1, 0] | trained_betas",
                "'_class_name': 'EDMEulerScheduler', 'sigma_schedule': 'beta' | sigma_schedule ="
                        + " beta",
                "'_class_name': 'EDMEulerScheduler', 'prediction_type': 'sample' | use epsilon",
                "'_class_name': 'EDMEulerScheduler', 'sigma_min': 90 | sigma_min = 90",
                "'_class_name': 'EDMEulerScheduler', 'sigma_data': 0 | sigma_data is above 0",
                "'_class_name': 'DDIMInverseScheduler', 'timestep_spacing': 'linspace' | use"
                        + " leading or trailing",
                "'_class_name': 'DPMSolverMultistepInverseScheduler', 'algorithm_type':"
                        + " 'sde-dpmsolver++' | adds no noise",
                "'_class_name': 'DPMSolverMultistepInverseScheduler', 'use_flow_sigmas': true |"
                        + " leave it out",
                "'_class_name': 'UnCLIPScheduler', 'beta_schedule': 'linear' | it must be"
                        + " squaredcos_cap_v2",
                "'_class_name': 'CogVideoXDPMScheduler', 'snr_shift_scale': 0 | snr_shift_scale ="
                        + " 0",
                "'_class_name': 'ScoreSdeVeScheduler', 'sigma_min': 1400 | below sigma_max",
                "'_class_name': 'ScoreSdeVeScheduler', 'snr': 2 | an snr above 0",
                "'_class_name': 'ScoreSdeVeScheduler', 'sampling_eps': 1 | below 1",
                "'_class_name': 'ScoreSdeVpScheduler', 'beta_min': 30 | at most beta_max",
                "'_class_name': 'ScoreSdeVpScheduler', 'num_train_timesteps': 1 | at least 2",
                "'_class_name': 'FlowMatchLCMScheduler', 'scale_factors': [2] | scale_factors",
                "'_class_name': 'DDIMScheduler', 'sigma': 1 | option not supported: sigma (1)",
                "'_class_name': 'DDIMScheduler', 'beta_schedule': 'cosine' | beta_schedule ="
                        + " cosine",
                "'_class_name': 'DDIMScheduler', 'beta_start': 'low' | beta_start must be a number",
                "'_class_name': 'DDIMScheduler', 'beta_end': 1.5 | betas are from 0 to 1",
                "'_class_name': 'DDIMScheduler', 'prediction_type': 'flow' | prediction_type ="
                        + " flow",
                "'_class_name': 'DDIMScheduler', 'trained_betas': [0.1] | num_train_timesteps is"
                        + " 1000",
                "'_class_name': 'DDIMScheduler', 'num_train_timesteps': 0 | num_train_timesteps ="
                        + " 0",
                "'_class_name': 'DDIMScheduler', 'timestep_spacing': 'log' | timestep_spacing ="
                        + " log",
                "'_class_name': 'DDPMScheduler', 'variance_type': 'fixed_large_log' |"
                        + " variance_type",
                "'_class_name': 'DPMSolverMultistepScheduler', 'algorithm_type': 'dpm' | = dpm is",
                "'_class_name': 'DPMSolverMultistepScheduler', 'algorithm_type': 'dpmsolver' |"
                        + " unless final_sigmas_type is sigma_min",
                "'_class_name': 'DPMSolverMultistepScheduler', 'solver_order': 3,"
                        + " 'final_sigmas_type': 'sigma_min', 'algorithm_type': 'sde-dpmsolver' |"
                        + " has no third order",
                "'_class_name': 'DDIMScheduler', 'thresholding': true, 'sample_max_value': 0 |"
                        + " sample_max_value > 0",
                "'_class_name': 'DPMSolverMultistepScheduler', 'solver_order': 4 | solver_order",
                "'_class_name': 'DPMSolverMultistepScheduler', 'solver_type': 'rk' | solver_type",
                "'_class_name': 'DPMSolverMultistepScheduler', 'use_flow_sigmas': true | flow_pred",
                "'_class_name': 'DPMSolverMultistepScheduler', 'final_sigmas_type': 'x' |"
                        + " sigma_min",
                "'_class_name': 'DEISMultistepScheduler', 'solver_order': 4 | solver_order = 4",
                "'_class_name': 'UniPCMultistepScheduler', 'solver_type': 'bh3' | use bh1 or bh2",
                "'_class_name': 'SASolverScheduler', 'tau_func': 'f' | tau_func",
                "'_class_name': 'SASolverScheduler', 'predictor_order': 5 | predictor_order = 5",
                "'_class_name': 'DPMSolverSinglestepScheduler', 'algorithm_type': 'dpmsolver' |"
                        + " unless final_sigmas_type is sigma_min",
                "'_class_name': 'EulerDiscreteScheduler', 'interpolation_type': 'cubic' | cubic",
                "'_class_name': 'EulerDiscreteScheduler', 'timestep_type': 'real' | timestep_type",
                "'_class_name': 'LCMScheduler', 'original_inference_steps': 2000 | 2000",
                "'_class_name': 'FlowMatchEulerDiscreteScheduler', 'shift': 0 | shift = 0",
            })
    void namesWhatItCanNotDo(String options, String expected) {
        var refused =
                assertThrows(
                        ConfigException.class, () -> read("{" + options.replace('\'', '"') + "}"));
        assertTrue(refused.getMessage().contains(expected), refused.getMessage());
        assertTrue(refused.getMessage().contains("scheduler_config.json"), refused.getMessage());
    }

    /** The timesteps are those of diffusers 0.35.2. */
    @Test
    void aStrengthLeavesConsistencySamplingItsStepsButLessNoise() throws IOException {
        Scheduler lcm = read("{\"_class_name\": \"LCMScheduler\"}");
        var half = SchedulerArguments.NONE.withStrength(0.5);
        double[] timesteps =
                lcm.plan(3, half).evaluations().stream()
                        .mapToDouble(NoiseLevel::timestep)
                        .toArray();
        assertArrayEquals(new double[] {499, 339, 179}, timesteps);
        var refused = assertThrows(IllegalArgumentException.class, () -> lcm.plan(26, half));
        assertTrue(refused.getMessage().contains("leaves 25 of the 50"), refused.getMessage());
        Scheduler euler = read("{\"_class_name\": \"EulerDiscreteScheduler\"}");
        assertThrows(IllegalArgumentException.class, () -> euler.plan(3, half));
    }

    /** Two steps on a network that always says 0.4, with noise of 2, by hand. */
    @Test
    void continuousConsistencyModelsMoveOnAngles() throws IOException {
        SamplingPlan plan = read("{\"_class_name\": \"SCMScheduler\"}").plan(2);
        assertEquals(0.5, plan.initialScale());
        assertEquals(list((float) 1.5708, (float) 1.3), timesteps(plan));
        try (var scope = TensorScope.open()) {
            Tensor start = Tensor.ones(DType.FLOAT64, 1, 1);
            NoiseSource noise = (shape, dtype, device) -> start.times(2);
            double first = Math.cos(1.5708) - Math.sin(1.5708) * 0.4;
            double noisy = Math.cos(1.3) * first + Math.sin(1.3) * 0.5 * 2;
            Tensor x0 =
                    plan.sample(
                            (x, at) -> new Denoised(start.times(0.4)),
                            start,
                            noise,
                            StepListener.NONE);
            assertEquals(Math.cos(1.3) * noisy - Math.sin(1.3) * 0.4, x0.item(), 1e-6);
        }
    }

    /** diffusers 0.35.2: NaN in the last step, −∞ times nothing. */
    @Test
    void uniPcWithTheStepItselfAsItsScaleEndsWithoutNoise() throws IOException {
        Scheduler spec =
                read("{\"_class_name\": \"UniPCMultistepScheduler\", \"solver_type\": \"bh1\"}");
        try (var scope = TensorScope.open()) {
            Tensor sampled =
                    spec.plan(5)
                            .sample(
                                    (x, at) -> new Denoised(x.times(0.5)),
                                    Tensor.ones(DType.FLOAT32, 1, 2),
                                    NoiseSource.NONE,
                                    StepListener.NONE);
            assertEquals(1, sampled.isFinite().all().item());
        }
    }

    /** Half of x, wherever a step ends. */
    private record Halving() implements Denoiser {
        @Override
        public Denoised denoise(Tensor x, NoiseLevel at) {
            return new Denoised(x.times(0.5));
        }

        @Override
        public Denoiser towards(NoiseLevel end) {
            return this;
        }
    }

    /** diffusers 0.35.2: NaN where a group of two levels ends without noise, infinitely far. */
    @Test
    void everySamplerEndsWithAnyFewSteps() throws IOException {
        String zeroSnr =
                PIXART.replace("epsilon", "v_prediction")
                        .replace("linspace", "trailing")
                        .replace("{", "{\"rescale_betas_zero_snr\": true, ");
        for (String json : List.of(PIXART, zeroSnr, FLOW)) {
            for (String name : Scheduler.names()) {
                boolean own = json.equals(FLOW) || json.equals(zeroSnr);
                if (own && name.equals("deis") || !json.equals(FLOW) && name.startsWith("flow")) {
                    continue; // DEIS says that it starts from no pure noise
                }
                if (json.equals(FLOW) && name.matches("langevin|.*karras")) {
                    continue; // they have levels of their own
                }
                for (int steps = 1; steps <= 12; steps++) {
                    try (var scope = TensorScope.open()) {
                        Tensor sampled =
                                Scheduler.read(file(json), name)
                                        .plan(steps)
                                        .sample(
                                                new Halving(),
                                                Tensor.ones(DType.FLOAT32, 1, 2),
                                                (shape, type, on) ->
                                                        Tensor.ones(type, shape.toArray()),
                                                StepListener.NONE);
                        assertEquals(1, sampled.isFinite().all().item(), name + " " + steps);
                    }
                }
            }
        }
    }

    @Test
    void refusesTwoSpacingsOfSigmas() {
        String json =
                "{\"_class_name\": \"HeunDiscreteScheduler\", \"use_karras_sigmas\": true,"
                        + " \"use_beta_sigmas\": true}";
        assertThrows(ConfigException.class, () -> read(json));
    }

    @Test
    void refusesSamplersThatAreUnknownOrDoNotFit() throws IOException {
        var unknown =
                assertThrows(
                        IllegalArgumentException.class, () -> Scheduler.read(file(PIXART), "dpm"));
        assertTrue(
                unknown.getMessage().startsWith("no sampler is called dpm; there are ddpm, ddim"),
                unknown.getMessage());
        assertThrows(ConfigException.class, () -> Scheduler.read(file(PIXART), "flow-euler"));
        String flow =
                PIXART.replace("epsilon", "flow_prediction")
                        .replace("{", "{\"use_flow_sigmas\": true, ");
        assertEquals(Prediction.FLOW, Scheduler.read(file(flow), "dpm++3m").process().prediction());
        var karras =
                assertThrows(
                        ConfigException.class, () -> Scheduler.read(file(FLOW), "dpm++2m-karras"));
        assertTrue(
                karras.getMessage().contains("has noise levels of its own"), karras.getMessage());
    }

    /** Any solver goes along the levels of a flow. */
    @Test
    void aFlowKeepsItsLevelsWithAnotherSolver() throws IOException {
        List<NoiseLevel> own = read(FLOW).plan(5).levels();
        for (String name : List.of("ddim", "ddpm", "euler-a", "heun", "dpm++2m", "dpm++2m-sde")) {
            Scheduler other = Scheduler.read(file(FLOW), name);
            assertEquals(own, other.plan(5).levels(), name);
            assertEquals(Prediction.FLOW, other.process().prediction());
        }
        assertEquals(own, Scheduler.read(file(FLOW), "HeunDiscreteScheduler").plan(5).levels());
        assertEquals(9, Scheduler.read(file(FLOW), "heun").plan(5).evaluations().size());
    }

    /** Betas say nothing of a network with EDM's preconditioning, nor of one of a score. */
    @Test
    void networksWithoutBetasKeepTheirLevelsWithAnotherSolver() throws IOException {
        for (String className :
                List.of(
                        "EDMEulerScheduler",
                        "EDMDPMSolverMultistepScheduler",
                        "ScoreSdeVeScheduler",
                        "ScoreSdeVpScheduler")) {
            Path file = file("{\"_class_name\": \"" + className + "\"}");
            Scheduler own = Scheduler.read(file);
            for (String name : List.of("euler", "ddim", "dpm++2m", "heun", "pc", "rk45")) {
                Scheduler other = Scheduler.read(file, name);
                assertEquals(own.plan(5).levels(), other.plan(5).levels(), className + name);
                assertEquals(own.process(), other.process(), className + name);
                assertEquals(own.plan(5).initialScale(), other.plan(5).initialScale());
            }
            assertThrows(ConfigException.class, () -> Scheduler.read(file, "dpm++2m-karras"));
            assertThrows(ConfigException.class, () -> Scheduler.read(file, "flow-euler"));
        }
        Path edm = file("{\"_class_name\": \"EDMEulerScheduler\"}");
        Scheduler multistep = Scheduler.read(edm, "EDMDPMSolverMultistepScheduler");
        assertEquals(Scheduler.read(edm).plan(5).levels(), multistep.plan(5).levels());
    }

    /** FLUX's shift: 256 tokens are shifted by exp(0.5), 4,096 by exp(1.15). */
    @Test
    void theShiftFollowsFromTheTokens() throws IOException {
        Scheduler flow = read(FLOW.replace("}", ", \"use_dynamic_shifting\": true}"));
        for (var each : Map.of(256L, 0.5, 4096L, 1.15, 2176L, 0.825).entrySet()) {
            assertEquals(
                    flow.plan(4, SchedulerArguments.NONE.withMu(each.getValue())).levels(),
                    flow.plan(4, SchedulerArguments.NONE.withTokens(each.getKey())).levels());
        }
    }

    @Test
    void refusesOptionsThatASamplerDoesNotTake() throws IOException {
        Scheduler spec = read(PIXART);
        for (SchedulerArguments options :
                List.of(
                        SchedulerArguments.NONE.withEta(1),
                        SchedulerArguments.NONE.withClippedNoise(true),
                        SchedulerArguments.NONE.withMu(0.5),
                        SchedulerArguments.NONE.withChurn(new Churn(1)),
                        SchedulerArguments.NONE.withOrder(2),
                        SchedulerArguments.NONE.withStrength(0.5))) {
            var refused = assertThrows(IllegalArgumentException.class, () -> spec.plan(4, options));
            assertTrue(refused.getMessage().startsWith("this sampler takes no "));
        }
        Scheduler flow = read(FLOW.replace("}", ", \"use_dynamic_shifting\": true}"));
        assertThrows(IllegalArgumentException.class, () -> flow.plan(4));
        assertThrows(
                IllegalArgumentException.class,
                () -> flow.plan(4, SchedulerArguments.NONE.withMu(1).withSigmas(List.of(1.0))));
        assertThrows(
                IllegalArgumentException.class, () -> SchedulerArguments.NONE.withEta(Double.NaN));
        assertThrows(
                IllegalArgumentException.class, () -> SchedulerArguments.NONE.withMu(Double.NaN));
    }

    @Test
    void samplersByTheScoreHaveSettings() throws IOException {
        Path file = file("{\"_class_name\": \"DDPMScheduler\"}");
        assertEquals(9, Scheduler.read(file, "pc:corrector_steps=2").plan(3).evaluations().size());
        assertEquals(
                13, Scheduler.read(file, "langevin:langevin_steps=4").plan(3).evaluations().size());
        assertEquals(3, Scheduler.read(file, "rk45:rtol=1e-6").plan(3).evaluations().size());
        for (String wrong :
                List.of("rk45:snr=1", "rk45:rtol", "rk45:rtol=x", "pc:corrector_steps=1.5")) {
            var refused = assertThrows(Exception.class, () -> Scheduler.read(file, wrong), wrong);
            assertTrue(
                    refused.getMessage().contains("rtol")
                            || refused.getMessage().contains("corrector_steps"),
                    refused.getMessage());
        }
    }
}
