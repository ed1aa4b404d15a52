package dev.darkroom.models.diffusion;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

import java.util.List;
import java.util.Set;
import java.util.function.IntFunction;
import java.util.stream.Stream;

/**
 * Solvers of the probability-flow ODE against its exact solution for Gaussian data, in double
 * precision: with twice the steps, the error falls by 2 to the order.
 */
class ConvergenceTest {
    private static final Gaussian DATA = new Gaussian(0.7, 0.6);

    private static final NoiseSource NONE =
            (shape, dtype, device) -> {
                throw new AssertionError("an ODE needs no noise");
            };

    private static final NoiseSource ZEROS =
            (shape, dtype, device) -> Tensor.zeros(dtype, shape.toArray());

    @FunctionalInterface
    interface Method {
        Tensor solve(Denoiser denoiser, Tensor x, List<NoiseLevel> levels);
    }

    static Stream<Arguments> solvers() {
        Method euler = (d, x, levels) -> Solvers.euler(d, x, levels, StepListener.NONE);
        Method heun = (d, x, levels) -> Solvers.heun(d, x, levels, StepListener.NONE);
        Method ddim = (d, x, levels) -> Solvers.ddim(d, x, levels, 0, NONE, StepListener.NONE);
        Method cfgPlusPlus = ConvergenceTest::unconditional;
        Method plms =
                (d, x, levels) ->
                        dev.darkroom.models.diffusion.Solver.plms(Prediction.EPSILON)
                                .solve(d, x, levels, NoiseSource.NONE, StepListener.NONE);
        var data = DpmSolver.Algorithm.DATA_ODE;
        var noise = DpmSolver.Algorithm.NOISE_ODE;
        var midpoint = DpmSolver.Kind.MIDPOINT;
        IntFunction<List<NoiseLevel>> ve = Gaussian::exploding;
        IntFunction<List<NoiseLevel>> vp = Gaussian::preserving;
        IntFunction<List<NoiseLevel>> flow = Gaussian::flow;
        IntFunction<List<NoiseLevel>> fineVe =
                steps -> Gaussian.startingFine(steps, Gaussian::exploding);
        IntFunction<List<NoiseLevel>> fineVp =
                steps -> Gaussian.startingFine(steps, Gaussian::preserving);
        IntFunction<List<NoiseLevel>> fineFlow =
                steps -> Gaussian.startingFine(steps, Gaussian::flow);
        return Stream.of(
                Arguments.of("Euler, alpha = 1", euler, ve, 1),
                Arguments.of("Euler, preserving", euler, vp, 1),
                Arguments.of("Euler, flow", euler, flow, 1),
                Arguments.of("Heun, alpha = 1", heun, ve, 2),
                Arguments.of("Heun, preserving", heun, vp, 2),
                Arguments.of("Heun, flow", heun, flow, 2),
                Arguments.of("CFG++ at 0, alpha = 1", cfgPlusPlus, ve, 1),
                Arguments.of("CFG++ at 0, preserving", cfgPlusPlus, vp, 1),
                Arguments.of("CFG++ at 0, flow", cfgPlusPlus, flow, 1),
                Arguments.of("DDIM, alpha = 1", ddim, ve, 1),
                Arguments.of("DDIM, preserving", ddim, vp, 1),
                Arguments.of("DDIM, flow", ddim, flow, 1),
                Arguments.of("PLMS, preserving", plms, vp, 2),
                Arguments.of("PLMS, flow", plms, flow, 2),
                Arguments.of("PNDM, preserving", of(Solver.pndm(Prediction.EPSILON)), vp, 2),
                Arguments.of("PNDM, flow", of(Solver.pndm(Prediction.FLOW)), flow, 4),
                Arguments.of("iPNDM, preserving", of(Solver.improvedPndm()), vp, 2),
                Arguments.of("iPNDM, flow", of(Solver.improvedPndm()), flow, 2),
                Arguments.of("LMS 1", of(Solver.lms(1)), vp, 1),
                Arguments.of("LMS 2", of(Solver.lms(2)), vp, 2),
                Arguments.of("LMS 3", of(Solver.lms(3)), fineVp, 3),
                Arguments.of("LMS 2, flow", of(Solver.lms(2)), flow, 2),
                Arguments.of("LMS 3, flow", of(Solver.lms(3)), fineFlow, 3),
                Arguments.of("LMS 4, flow", of(Solver.lms(4)), fineFlow, 4),
                Arguments.of("LMS 4, alpha = 1", of(Solver.lms(4)), fineVe, 4),
                Arguments.of("Midpoint, alpha = 1", of(Solver.midpoint(false, null)), ve, 2),
                Arguments.of("Midpoint, preserving", of(Solver.midpoint(false, null)), vp, 2),
                Arguments.of("Midpoint, flow", of(Solver.midpoint(false, null)), flow, 2),
                Arguments.of("TCD without noise", of(Solver.tcd(0, null)), vp, 1),
                Arguments.of("DPM-Solver++ 1", dpm(data, 1, midpoint), vp, 1),
                Arguments.of("DPM-Solver++ 2M", dpm(data, 2, midpoint), vp, 2),
                Arguments.of("DPM-Solver++ 2M, alpha = 1", dpm(data, 2, midpoint), ve, 2),
                Arguments.of("DPM-Solver++ 2M, flow", dpm(data, 2, midpoint), flow, 2),
                Arguments.of("DPM-Solver++ 2M, Heun", dpm(data, 2, DpmSolver.Kind.HEUN), vp, 2),
                // Its second difference has half of Taylor's coefficient, as everywhere.
                Arguments.of("DPM-Solver++ 3M", dpm(data, 3, midpoint), vp, 2),
                Arguments.of("DPM-Solver 1", dpm(noise, 1, midpoint), vp, 1),
                Arguments.of("DPM-Solver 2M", dpm(noise, 2, midpoint), vp, 2),
                Arguments.of("DPM-Solver 2M, alpha = 1", dpm(noise, 2, midpoint), ve, 2),
                Arguments.of("DPM-Solver 2M, flow", dpm(noise, 2, midpoint), flow, 2),
                Arguments.of("DPM-Solver 2M, Heun", dpm(noise, 2, DpmSolver.Kind.HEUN), vp, 2),
                Arguments.of("DPM-Solver++ 2S", singlestep(data, 2, midpoint), vp, 2),
                Arguments.of("DPM-Solver++ 2S, flow", singlestep(data, 2, midpoint), flow, 2),
                Arguments.of("DPM-Solver++ 3S", singlestep(data, 3, midpoint), vp, 3),
                Arguments.of(
                        "DPM-Solver++ 3S, Heun", singlestep(data, 3, DpmSolver.Kind.HEUN), vp, 3),
                Arguments.of("Singlestep DPM-Solver 2", singlestep(noise, 2, midpoint), vp, 2),
                Arguments.of("DEIS 1", of(Solver.deis(1, false)), vp, 1),
                Arguments.of("DEIS 2", of(Solver.deis(2, false)), vp, 2),
                Arguments.of("DEIS 3", of(Solver.deis(3, false)), fineVp, 3),
                Arguments.of("UniPC 1", uniPc(false, 1), vp, 2),
                Arguments.of("UniPC 2", uniPc(false, 2), vp, 3),
                Arguments.of("UniPC 2, alpha = 1", uniPc(false, 2), ve, 3),
                Arguments.of("UniPC 2, flow", uniPc(false, 2), flow, 3),
                Arguments.of("UniPC 2 by ε", uniPc(true, 2), vp, 3),
                Arguments.of("UniPC 3", uniPc(false, 3), vp, 4),
                Arguments.of("RES 2", of(Solver.res(2)), vp, 2),
                Arguments.of("RES 2, flow", of(Solver.res(2)), flow, 2),
                Arguments.of("RES 3", of(Solver.res(3)), fineVp, 3),
                Arguments.of("ER-SDE 1 without noise", erSde(1), vp, 1),
                Arguments.of("ER-SDE 2 without noise", erSde(2), vp, 2),
                Arguments.of("ER-SDE 2 without noise, alpha = 1", erSde(2), ve, 2),
                // Its first derivative is that between two estimates, as the authors take it.
                Arguments.of("ER-SDE 3 without noise", erSde(3), vp, 2),
                Arguments.of("SA-Solver without noise", saSolver(), vp, 2));
    }

    /** At any other weight there is no limit: each step is guided, however short. */
    private static Tensor unconditional(Denoiser denoiser, Tensor x, List<NoiseLevel> levels) {
        Denoiser guided =
                (xi, at) -> {
                    Tensor x0 = denoiser.denoise(xi, at).x0();
                    return new Denoised(x0, null, null, x0);
                };
        return Solvers.cfgPlusPlus(guided, x, levels, 0, NONE, StepListener.NONE);
    }

    private static Method of(Solver solver) {
        return (d, x, levels) -> solver.solve(d, x, levels, NONE, StepListener.NONE);
    }

    private static Method singlestep(
            DpmSolver.Algorithm algorithm, int order, DpmSolver.Kind kind) {
        return of(Solver.singlestep(algorithm, order, kind, false));
    }

    private static Method uniPc(boolean ofNoise, int order) {
        return of(Solver.uniPc(ofNoise, order, ExponentialSolver.Slope.MIDPOINT, false, Set.of()));
    }

    private static Method saSolver() {
        return (d, x, levels) ->
                Solver.saSolver(false, 2, 2, false, at -> 0)
                        .solve(d, x, levels, ZEROS, StepListener.NONE);
    }

    private static Method erSde(int order) {
        return (d, x, levels) ->
                ErSde.solve(d, x, levels, order, at -> at, ZEROS, StepListener.NONE);
    }

    private static Method dpm(DpmSolver.Algorithm algorithm, int order, DpmSolver.Kind kind) {
        var options = new DpmSolver.Options(algorithm, order, kind, false, false);
        return (d, x, levels) ->
                DpmSolver.multistep(d, x, levels, options, NONE, StepListener.NONE);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("solvers")
    void hasItsOrder(String name, Method solver, IntFunction<List<NoiseLevel>> levels, int order) {
        // The higher order of the next term holds out long with 3M, and where ε is extrapolated.
        // Groups of three end at a multiple of three.
        boolean late = name.endsWith("3M") || name.startsWith("DPM-Solver ");
        boolean later = late || name.startsWith("SA") || name.startsWith("iPNDM,");
        // A method of the fourth order comes near to the rounding.
        boolean middle = name.matches("LMS [34].*|DEIS 3|RES 3|PNDM, flow");
        int few = name.startsWith("LMS 4") ? 320 : 640;
        int steps = later ? 1280 : middle ? few : name.contains("3S") ? 60 : 160;
        double coarse = error(solver, levels.apply(steps));
        double fine = error(solver, levels.apply(2 * steps));
        double observed = Math.log(coarse / fine) / Math.log(2);
        assertEquals(order, observed, 0.1, name);
    }

    @Test
    void theThirdOrderIsBetterThanTheSecond() {
        List<NoiseLevel> levels = Gaussian.preserving(40);
        var data = DpmSolver.Algorithm.DATA_ODE;
        double second = error(dpm(data, 2, DpmSolver.Kind.MIDPOINT), levels);
        double third = error(dpm(data, 3, DpmSolver.Kind.MIDPOINT), levels);
        assertTrue(third < second / 4, () -> "errors " + second + " and " + third);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("solvers")
    void endsWithTheDataWhereNoNoiseIsLeft(
            String name, Method solver, IntFunction<List<NoiseLevel>> levels, int order) {
        List<NoiseLevel> toData = Gaussian.endingClean(levels.apply(80));
        if (name.startsWith("DPM-Solver ")) {
            assertThrows(IllegalArgumentException.class, () -> error(solver, toData), name);
        } else {
            assertTrue(error(solver, toData) < 0.1, name);
        }
    }

    private static double error(Method solver, List<NoiseLevel> levels) {
        try (var scope = TensorScope.open()) {
            Tensor noise = Tensor.copyOf(new double[] {-1.5, -0.3, 0.4, 2}, 1, 4);
            Tensor x = DATA.marginal(noise, levels.getFirst());
            Tensor sampled = solver.solve(DATA.denoiser(), x, levels);
            Tensor exact = DATA.transport(x, levels.getFirst(), levels.getLast());
            return sampled.minus(exact).abs().max().item();
        }
    }
}
