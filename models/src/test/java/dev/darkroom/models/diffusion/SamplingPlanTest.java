package dev.darkroom.models.diffusion;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.IntFunction;

/**
 * Processes, levels and solvers compose: every solver goes along the levels of every process to the
 * exact distribution of Gaussian data, or says why it does not, and a plan may start midway.
 */
class SamplingPlanTest {
    private static final Gaussian DATA = new Gaussian(0.7, 0.6);

    /** Levels of the processes. */
    enum Form {
        EXPLODING(Gaussian::exploding),
        PRESERVING(Gaussian::preserving),
        FLOW(Gaussian::flow);

        private final IntFunction<List<NoiseLevel>> levels;

        Form(IntFunction<List<NoiseLevel>> levels) {
            this.levels = levels;
        }

        SamplingPlan plan(int steps, Solver solver) {
            return new SamplingPlan(levels.apply(steps), 1, solver, Clipping.NONE);
        }
    }

    private static Map<String, Solver> solvers() {
        var solvers = new TreeMap<String, Solver>();
        solvers.put("euler", Solver.euler());
        solvers.put("euler-a", Solver.eulerAncestral());
        solvers.put("heun", Solver.heun());
        solvers.put("ddim", Solver.ddim(0));
        solvers.put("ddim, eta 1", Solver.ddim(1));
        solvers.put("plms", Solver.plms(Prediction.EPSILON));
        solvers.put("PN_DM", Solver.pndm(Prediction.EPSILON));
        solvers.put("I_PNDM", Solver.improvedPndm());
        solvers.put("L_MS", Solver.lms(4));
        solvers.put("dpm2", Solver.midpoint(false, null));
        solvers.put("dpm2-a", Solver.midpoint(true, null));
        solvers.put("tcd", Solver.tcd(0, null));
        solvers.put("churned", Solver.churned(Solver.heun(), new Churn(80), null, null));
        solvers.put("UNI_PC", Solver.uniPc(false, 2, ExponentialSolver.Slope.HALF, true, Set.of()));
        solvers.put(
                "UNI_PC 3", Solver.uniPc(false, 3, ExponentialSolver.Slope.HALF, true, Set.of()));
        solvers.put("DE_IS 3", Solver.deis(3, false));
        solvers.put("R_ES", Solver.res(2));
        solvers.put("ER_SDE", Solver.erSde(3));
        solvers.put("SA_SOLVER", Solver.saSolver(false, 2, 2, true, at -> 1));
        solvers.put("SA_SOLVER by ε", Solver.saSolver(true, 2, 2, true, at -> 0.5));
        for (int order = 2; order <= 3; order++) {
            solvers.put(
                    "SINGLE_STEP " + order,
                    Solver.singlestep(
                            DpmSolver.Algorithm.DATA_ODE, order, DpmSolver.Kind.HEUN, true));
        }
        solvers.put("ddpm", Solver.ddpm(ReverseVariance.FIXED_SMALL));
        for (DpmSolver.Algorithm algorithm : DpmSolver.Algorithm.values()) {
            for (int order = 1; order <= (algorithm.isStochastic() ? 2 : 3); order++) {
                solvers.put(
                        algorithm + " " + order,
                        Solver.multistep(
                                new DpmSolver.Options(
                                        algorithm, order, DpmSolver.Kind.MIDPOINT, false, false)));
            }
        }
        return solvers;
    }

    /** Mean and deviation of the result are those of the data at the last level. */
    @ParameterizedTest
    @EnumSource
    void everySolverEndsInTheDistribution(Form form) {
        solvers()
                .forEach(
                        (name, solver) -> {
                            try (var scope = TensorScope.open();
                                    var generator = new Generator(5)) {
                                SamplingPlan plan = form.plan(200, solver);
                                Tensor noise = Tensor.randn(generator, 1, 20_000);
                                Tensor x = DATA.marginal(noise, plan.levels().getFirst());
                                Tensor sampled =
                                        plan.sample(
                                                DATA.denoiser(),
                                                x,
                                                (shape, type, on) ->
                                                        Tensor.randn(shape, generator, type, on),
                                                StepListener.NONE);
                                Tensor exact = DATA.marginal(noise, plan.end());
                                String what = form + ", " + name;
                                assertEquals(
                                        exact.mean().item(), sampled.mean().item(), 0.02, what);
                                assertEquals(
                                        Math.sqrt(exact.variance(1, false, 0, 1).item()),
                                        Math.sqrt(sampled.variance(1, false, 0, 1).item()),
                                        0.02,
                                        what);
                            }
                        });
    }

    /** Only a solver that samples consistency models needs levels of one form. */
    @ParameterizedTest
    @EnumSource
    void whatASolverDoesNotTakeItRefusesWithAReason(Form form) {
        SamplingPlan plan = form.plan(5, Solver.consistency(0.002));
        try (var scope = TensorScope.open();
                var generator = new Generator(5)) {
            Tensor x = Tensor.randn(generator, 1, 4);
            if (form == Form.EXPLODING) {
                assertTrue(
                        plan.sample(
                                                DATA.denoiser(),
                                                x,
                                                (shape, type, on) ->
                                                        Tensor.randn(shape, generator, type, on),
                                                StepListener.NONE)
                                        .isFinite()
                                        .all()
                                        .item()
                                != 0);
            } else {
                var refused =
                        assertThrows(
                                IllegalArgumentException.class,
                                () ->
                                        plan.sample(
                                                DATA.denoiser(),
                                                x,
                                                NoiseSource.NONE,
                                                StepListener.NONE));
                assertTrue(refused.getMessage().contains("needs levels with alpha = 1"));
            }
        }
    }

    /**
     * From where a full run stood, the tail ends as the full run did, bit for bit. A multistep
     * solver starts anew there, so its tail is a run of its own.
     */
    @ParameterizedTest
    @EnumSource
    void startingMidwayIsTheTailOfAFullRun(Form form) {
        solvers()
                .forEach(
                        (name, solver) -> {
                            boolean multistep = name.contains("_") || name.equals("plms");
                            boolean oneStep = !multistep || name.endsWith(" 1");
                            for (double strength : new double[] {0.1, 0.35, 0.8, 1}) {
                                if (oneStep) {
                                    assertTail(form.plan(20, solver), strength, name);
                                } else {
                                    assertRestart(form.plan(20, solver), strength, name);
                                }
                            }
                        });
    }

    /** A step's first guess too: Heun's method goes on from what replaces it. */
    @Test
    void latentsAreReplacedAfterEveryEvaluation() {
        SamplingPlan plan = Form.PRESERVING.plan(3, Solver.heun());
        List<Integer> replaced = new ArrayList<>();
        List<Double> seen = new ArrayList<>();
        var listener =
                new StepListener() {
                    @Override
                    public Tensor after(int evaluation, Tensor latents) {
                        replaced.add(evaluation);
                        return latents.times(0).plus(evaluation + 1);
                    }

                    @Override
                    public void onStep(Step step) {
                        seen.add(step.latents().item());
                    }
                };
        try (var scope = TensorScope.open()) {
            List<Double> asked = new ArrayList<>();
            Denoiser denoiser =
                    (x, at) -> {
                        asked.add(x.item());
                        return new Denoised(x.times(0.5));
                    };
            plan.sample(denoiser, Tensor.zeros(DType.FLOAT32, 1, 1), NoiseSource.NONE, listener);
            assertEquals(plan.evaluations().size(), replaced.size());
            assertEquals(replaced.stream().map(evaluation -> evaluation + 1.0).toList(), seen);
            assertEquals(seen.subList(0, seen.size() - 1), asked.subList(1, asked.size()));
        }
    }

    private static void assertTail(SamplingPlan full, double strength, String name) {
        SamplingPlan tail = full.tail(strength);
        assertEquals((int) (20 * strength), tail.steps());
        try (var scope = TensorScope.open();
                var generator = new Generator(9)) {
            var noise = new Recorded(generator);
            Tensor x = Tensor.randn(generator, 1, 8);
            List<double[]> latents = new ArrayList<>(); // after each evaluation
            latents.add(x.toDoubleArray());
            Tensor end =
                    full.sample(
                            DATA.denoiser(),
                            x,
                            noise,
                            step -> latents.add(step.latents().toDoubleArray()));
            int evaluations = full.evaluations().size() - tail.evaluations().size();
            float[] start = floats(latents.get(evaluations));
            int draws = noise.draws.size() * evaluations / full.evaluations().size();
            Tensor sampled =
                    tail.sample(
                            DATA.denoiser(),
                            Tensor.copyOf(start, 1, start.length),
                            noise.from(draws),
                            StepListener.NONE);
            assertTrue(end.contentEquals(sampled), name + " from " + strength);
        }
    }

    private static void assertRestart(SamplingPlan full, double strength, String name) {
        SamplingPlan tail = full.tail(strength);
        var alone =
                new SamplingPlan(
                        full.levels().subList(20 - tail.steps(), 21),
                        1,
                        full.solver(),
                        Clipping.NONE);
        try (var scope = TensorScope.open();
                var generator = new Generator(9)) {
            Tensor data = DATA.marginal(Tensor.randn(generator, 1, 8), NoiseLevel.CLEAN);
            Tensor x = tail.start(data, Tensor.randn(generator, 1, 8));
            var noise = new Recorded(generator);
            Tensor sampled = alone.sample(DATA.denoiser(), x, noise, StepListener.NONE);
            Tensor again = tail.sample(DATA.denoiser(), x, noise.from(0), StepListener.NONE);
            assertTrue(sampled.contentEquals(again), name + " from " + strength);
        }
    }

    private static float[] floats(double... values) {
        var floats = new float[values.length];
        for (int i = 0; i < floats.length; i++) {
            floats[i] = (float) values[i];
        }
        return floats;
    }

    /** Noise that can be had again. */
    private static final class Recorded implements NoiseSource {
        private final Generator generator;
        private final List<double[]> draws = new ArrayList<>();

        Recorded(Generator generator) {
            this.generator = generator;
        }

        @Override
        public Tensor draw(Shape shape, DType dtype, Device device) {
            Tensor noise = Tensor.randn(shape, generator, dtype, device);
            draws.add(noise.toDoubleArray());
            return noise;
        }

        NoiseSource from(int first) {
            var rest = new ArrayList<>(draws.subList(first, draws.size()));
            return (shape, dtype, device) ->
                    Tensor.copyOf(floats(rest.removeFirst()), shape.toArray());
        }
    }

    @Test
    void aStartHasTheNoiseOfItsLevel() {
        SamplingPlan plan = Form.PRESERVING.plan(10, Solver.euler()).tail(0.5);
        try (var scope = TensorScope.open()) {
            Tensor one = Tensor.ones(DType.FLOAT32, 1, 1);
            NoiseLevel at = plan.levels().getFirst();
            double start = plan.start(one, one.times(2)).item();
            assertEquals(at.alpha() + 2 * at.sigma(), start, 1e-6);
        }
        for (double strength : new double[] {0, 0.05, -1, 1.5, Double.NaN}) {
            assertThrows(
                    IllegalArgumentException.class,
                    () -> Form.FLOW.plan(10, Solver.euler()).tail(strength),
                    String.valueOf(strength));
        }
    }

    /** Sampling may end before the noise is gone, for another network to go on. */
    @Test
    void aPlanMayEndMidway() {
        SamplingPlan plan = Form.PRESERVING.plan(10, Solver.euler());
        SamplingPlan head = plan.downTo(699.5);
        assertEquals(4, head.steps()); // from 1000, 900, 800 and 700
        assertEquals(plan.levels().subList(0, 5), head.levels());
        assertEquals(plan.steps(), plan.downTo(0).steps());
        var refused = assertThrows(IllegalArgumentException.class, () -> plan.downTo(1001));
        assertTrue(refused.getMessage().contains("no step begins"), refused.getMessage());
    }
}
