package dev.darkroom.models.diffusion;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.diffusion.guidance.Autoguided;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Steps of a flow map with networks of two times, in closed form for Gaussian data. */
class FlowMapTest {
    private static final Gaussian DATA = new Gaussian(0.7, 0.6);

    private final TensorScope scope = TensorScope.open();
    private final Generator generator = new Generator(3);
    private final Tensor x = Tensor.randn(generator, 2, 3).to(DType.FLOAT64);

    @AfterEach
    void close() {
        generator.close();
        scope.close();
    }

    private static NoiseLevel level(double t) {
        return NoiseLevel.flow(t, 1000 * t);
    }

    private static List<NoiseLevel> levels(int steps) {
        return Gaussian.levels(steps, u -> level(1 - u));
    }

    /** The exact average velocity between two times; where they are the same, the velocity. */
    private static Tensor velocity(Tensor x, Tensor timestep, Tensor end) {
        NoiseLevel at = level(timestep.item() / 1000);
        NoiseLevel to = level(end.item() / 1000);
        return at.equals(to)
                ? DATA.denoiser().denoise(x, at).slope(x, at)
                : x.minus(DATA.transport(x, at, to)).dividedBy(at.sigma() - to.sigma());
    }

    private static Tensor time(double timestep) {
        return Tensor.copyOf(new double[] {timestep}, 1);
    }

    private static Denoiser denoiser(FlowMapNetwork network) {
        return new NetworkDenoiser(network, Prediction.FLOW);
    }

    private Tensor solve(Denoiser denoiser, int steps) {
        return Solvers.flowMap(denoiser, x, levels(steps), StepListener.NONE);
    }

    private static void assertClose(Tensor expected, Tensor actual, double bound) {
        assertEquals(0, expected.minus(actual).abs().max().item(), bound);
    }

    /** Networks see times in float32, in which thirds are rounded. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 7, 8})
    void theAverageVelocityIsExactInAnyNumberOfSteps(int steps) {
        Tensor exact = DATA.transport(x, level(1), NoiseLevel.CLEAN);
        boolean representable = Integer.bitCount(steps) == 1;
        assertClose(
                exact, solve(denoiser(FlowMapTest::velocity), steps), representable ? 1e-14 : 1e-6);
        double euler =
                Solvers.euler(DATA.denoiser(), x, levels(steps), StepListener.NONE)
                        .minus(exact)
                        .abs()
                        .max()
                        .item();
        assertTrue(euler > 0.01, "" + euler);
    }

    @Test
    void startsMidway() {
        var plan = new SamplingPlan(levels(8), 1, Solver.flowMap(), Clipping.NONE).tail(0.5);
        assertEquals(0.5, plan.levels().getFirst().sigma());
        Tensor there = DATA.transport(x, level(1), level(0.5));
        Tensor exact = DATA.transport(x, level(1), NoiseLevel.CLEAN);
        Denoiser map = denoiser(FlowMapTest::velocity);
        assertClose(exact, plan.sample(map, there, NoiseSource.NONE, StepListener.NONE), 1e-14);
    }

    /** With the velocity at t for the average one it is Euler's method, and of order 1 as that. */
    @Test
    void theVelocityAtTheBeginningIsEulers() {
        Denoiser instantaneous = denoiser((in, t, r) -> velocity(in, t, t));
        for (int steps : new int[] {1, 4, 8}) {
            Tensor euler = Solvers.euler(DATA.denoiser(), x, levels(steps), StepListener.NONE);
            assertClose(euler, solve(instantaneous, steps), 1e-14);
        }
    }

    @Test
    void otherSolversSeeTheVelocityAtTheTime() {
        Denoiser map = denoiser(FlowMapTest::velocity);
        for (Solver solver : List.of(Solver.euler(), Solver.heun(), Solver.ddim(0))) {
            Tensor expected =
                    solver.solve(
                            DATA.denoiser(), x, levels(4), NoiseSource.NONE, StepListener.NONE);
            Tensor actual = solver.solve(map, x, levels(4), NoiseSource.NONE, StepListener.NONE);
            assertClose(expected, actual, 1e-14);
        }
    }

    /** Each step tells the network where it begins and ends, and the listener where it is. */
    @Test
    void networksAndListenersSeeEachStep() {
        var seen = new ArrayList<String>();
        Solvers.flowMap(
                denoiser(
                        (in, t, r) -> {
                            seen.add(t.item() + " to " + r.item());
                            return in;
                        }),
                x,
                levels(2),
                step ->
                        seen.add(
                                step.index() + " of " + step.of() + " at " + step.level().sigma()));
        assertEquals(
                List.of("1000.0 to 500.0", "0 of 2 at 1.0", "500.0 to 0.0", "1 of 2 at 0.5"), seen);
    }

    /** Classifier-free guidance of average velocities, in one batch or from a weaker model. */
    @Test
    void guidanceAndClippingAreToldTheEnd() {
        var guidance = new ClassifierFree(3);
        ConditionedNetwork network =
                condition ->
                        (FlowMapNetwork)
                                (in, t, r) ->
                                        velocity(in, t, r)
                                                .times(condition.get("factor").reshape(-1, 1));
        var conditions =
                Map.of(
                        Evaluator.CONDITIONAL, factor(1),
                        Evaluator.UNCONDITIONAL, factor(0.5));
        var evaluator = new NetworkEvaluator(network, Prediction.FLOW, conditions, guidance);
        Tensor velocity = velocity(x, time(1000), time(0));
        Tensor expected = x.minus(velocity.times(0.5 + 3 * 0.5));
        assertClose(expected, solve(guidance.with(evaluator), 1), 1e-6);
        var autoguided =
                new Autoguided(
                        new NetworkEvaluator(
                                network, Prediction.FLOW, conditions, Autoguided.own(guidance)),
                        new NetworkEvaluator(
                                network,
                                Prediction.FLOW,
                                Map.of(Evaluator.CONDITIONAL, factor(0.5)),
                                Guidance.NONE));
        assertClose(expected, solve(guidance.with(autoguided), 1), 1e-6);
        Denoiser clipped = Clipping.range(0.1).around(guidance.with(evaluator));
        assertClose(expected.clamp(-0.1, 0.1), solve(clipped, 1), 1e-6);
    }

    private static Condition factor(double factor) {
        return Condition.of("factor", Tensor.copyOf(new double[] {factor, factor}, 2));
    }

    @Test
    void whatTakesOneTimeIsRefused() {
        Denoiser network = new NetworkDenoiser((in, t) -> in, Prediction.FLOW);
        assertRefused("the time where a step ends", () -> solve(network, 1));
        assertRefused("can't be told where a step ends", () -> solve(DATA.denoiser(), 1));
        assertRefused(
                "alpha + sigma = 1",
                () ->
                        Solvers.flowMap(
                                denoiser(FlowMapTest::velocity),
                                x,
                                Gaussian.preserving(3),
                                StepListener.NONE));
    }

    private static void assertRefused(String reason, Executable refused) {
        var error = assertThrows(IllegalArgumentException.class, refused);
        assertTrue(error.getMessage().contains(reason), error.getMessage());
    }
}
