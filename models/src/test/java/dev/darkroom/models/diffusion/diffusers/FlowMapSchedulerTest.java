package dev.darkroom.models.diffusion.diffusers;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.config.ConfigException;
import dev.darkroom.models.diffusion.FlowMapNetwork;
import dev.darkroom.models.diffusion.NetworkDenoiser;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.NoiseSource;
import dev.darkroom.models.diffusion.Prediction;
import dev.darkroom.models.diffusion.SamplingPlan;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Numbers of diffusers' {@code FlowMapEulerDiscreteScheduler}, by tests/oracle/flow_map.py. */
class FlowMapSchedulerTest {
    @TempDir private Path folder;

    private Path file(String className, String options) throws IOException {
        String json = "{\"_class_name\": \"%s\"%s}".formatted(className, options);
        return Files.writeString(folder.resolve("scheduler_config.json"), json);
    }

    private Scheduler read(String options) throws IOException {
        return Scheduler.read(file(FlowMapScheduler.CLASS, options));
    }

    /** The oracle's network, whose times are float32 here. */
    private static void assertSteps(
            SamplingPlan plan, double trained, double[] sigmas, double[][] expected) {
        assertArrayEquals(
                sigmas, plan.levels().stream().mapToDouble(NoiseLevel::sigma).toArray(), 1e-7);
        assertArrayEquals(
                sigmas,
                plan.levels().stream().mapToDouble(each -> each.timestep() / trained).toArray(),
                1e-7);
        assertEquals(1, plan.initialScale());
        FlowMapNetwork network =
                (x, t, r) ->
                        x.times(0.35)
                                .plus(-0.2 * t.item() / trained)
                                .plus(0.3 * r.item() / trained);
        List<double[]> actual = new ArrayList<>();
        try (var scope = TensorScope.open()) {
            plan.sample(
                    new NetworkDenoiser(network, Prediction.FLOW),
                    Tensor.copyOf(new double[] {1.5, -0.5}, 1, 2),
                    NoiseSource.NONE,
                    step -> actual.add(step.latents().toDoubleArray()));
        }
        assertEquals(expected.length, actual.size());
        for (int i = 0; i < expected.length; i++) {
            assertArrayEquals(expected[i], actual.get(i), 1e-7);
        }
    }

    @Test
    void levelsAndStepsAreDiffusers() throws IOException {
        assertSteps(read("").plan(1), 1000, new double[] {1, 0}, new double[][] {{1.175, -0.125}});
        assertSteps(
                read("").plan(3),
                1000,
                new double[] {1, 0.6666666666666667, 0.3333333333333333, 0},
                new double[][] {
                    {1.3250000000000002, -0.4416666666666667},
                    {1.181527777777778, -0.3790277777777778},
                    {1.0659050925925928, -0.31258564814814815}
                });
        assertSteps(
                read(", \"shift\": 5.0").plan(4),
                1000,
                new double[] {1, 0.9375, 0.8333333333333334, 0.625, 0},
                new double[][] {
                    {1.462109375, -0.494140625},
                    {1.4022928873697917, -0.482635498046875},
                    {1.2957020865546334, -0.45178360409206814},
                    {1.0903922551208074, -0.27483094069692826}
                });
    }

    @Test
    void givenSigmasAreShifted() throws IOException {
        var given = SchedulerArguments.NONE.withSigmas(List.of(0.9, 0.5, 0.2));
        assertSteps(
                read(", \"shift\": 5.0, \"num_train_timesteps\": 500").plan(3, given),
                500,
                new double[] {0.9782608695652175, 0.8333333333333334, 0.5555555555555556, 0},
                new double[][] {
                    {1.4160365469439193, -0.4825141776937618},
                    {1.2783663271021495, -0.4356030770846461},
                    {1.0915234918940155, -0.28917408370090314}
                });
    }

    /** As with the other schedulers of flows, the network is called at the timesteps given. */
    @Test
    void givenTimestepsAreWhatTheNetworkSees() throws IOException {
        var given = LevelChoice.ofTimesteps(List.of(900.0, 250.0));
        SamplingPlan plan =
                read(", \"shift\": 5.0").plan(2, SchedulerArguments.NONE.withLevels(given));
        assertEquals(
                List.of(900.0, 250.0, 0.0),
                plan.levels().stream().map(NoiseLevel::timestep).toList());
        assertEquals(0.25, plan.levels().get(1).sigma());
    }

    /** Another solver keeps the student's levels, and the student's solver another flow's. */
    @Test
    void solversAndLevelsOfFlowsCompose() throws IOException {
        Path student = file(FlowMapScheduler.CLASS, ", \"shift\": 3.0");
        List<NoiseLevel> own = Scheduler.read(student).plan(4).levels();
        for (String name : List.of("euler", "heun", "dpm++2m", "flow-euler", "flow-map")) {
            assertEquals(own, Scheduler.read(student, name).plan(4).levels(), name);
        }
        Path flow = file("FlowMatchEulerDiscreteScheduler", ", \"shift\": 3.0");
        SamplingPlan plan = Scheduler.read(flow, "flow-map").plan(4);
        assertEquals(Scheduler.read(flow).plan(4).levels(), plan.levels());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"shift\": 0 | shift",
                "\"shift\": -1 | shift",
                "\"shift\": \"much\" | shift",
                "\"num_train_timesteps\": 0 | num_train_timesteps",
                "\"shifted\": 1 | shifted"
            })
    void whatIsNotSupportedIsNamed(String option, String name) {
        var error = assertThrows(ConfigException.class, () -> read(", " + option));
        assertTrue(error.getMessage().contains(name), error.getMessage());
    }

    @Test
    void noOtherModelTakesTheStepsOfAFlowMap() throws IOException {
        Path ddim = file("DDIMScheduler", "");
        var error = assertThrows(ConfigException.class, () -> Scheduler.read(ddim, "flow-map"));
        assertTrue(error.getMessage().contains("flow-map does not fit"), error.getMessage());
    }
}
