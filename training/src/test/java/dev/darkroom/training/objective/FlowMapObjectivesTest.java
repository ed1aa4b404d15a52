package dev.darkroom.training.objective;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.diffusion.FlowMapNetwork;
import dev.darkroom.models.diffusion.Network;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;

/** MeanFlow and shortcut models, with a network that is known in closed form. */
class FlowMapObjectivesTest {
    private static final List<Double> STARTS = List.of(1.0, 0.75, 0.5, 0.3);
    private static final List<Double> ENDS = List.of(0.0, 0.25, 0.25, 0.3);

    private final TensorScope scope = TensorScope.open();
    private final Generator generator = new Generator(1);
    private final Tensor clean = Tensor.randn(generator, 4, 3);
    private final Tensor noise = Tensor.randn(generator, 4, 3);
    private final Tensor weight = Tensor.ones(DType.FLOAT32, 1).requiresGrad(true);
    private final FlowIntervals draw = new FlowIntervals(STARTS, ENDS, noise);

    @AfterEach
    void close() {
        generator.close();
        scope.close();
    }

    private static Tensor column(List<Double> times) {
        return Tensor.copyOf(times.stream().mapToDouble(t -> t).toArray(), times.size(), 1)
                .to(DType.FLOAT32);
    }

    /** u = w·(t²·x + r·x). */
    private Tensor u(Tensor x, Tensor t, Tensor r) {
        return x.times(t.square().plus(r)).times(weight);
    }

    private Tensor network(Tensor x, Tensor timesteps, Tensor ends) {
        return u(x, timesteps.dividedBy(1000).unsqueeze(1), ends.dividedBy(1000).unsqueeze(1));
    }

    private Tensor noised(Tensor t) {
        return noise.times(t).plus(clean.times(t.negated().plus(1)));
    }

    /** What all backward passes have added. */
    private double gradient() {
        Tensor gradient = weight.grad();
        return gradient == null ? 0 : gradient.item();
    }

    /** The loss, and its gradient, of what u shall be. */
    private void assertLearns(Tensor target, Objective objective) {
        Tensor t = column(STARTS);
        Tensor u = u(noised(t), t, column(ENDS));
        double before = gradient();
        double gradient;
        try (var mode = Mode.GRAD.enter()) {
            Tensor loss = squares(u(noised(t), t, column(ENDS)), target.detach(), objective);
            double expected = loss.item();
            loss.backward();
            gradient = gradient() - before;
            Tensor actual =
                    objective instanceof MeanFlow meanFlow
                            ? meanFlow.loss((FlowMapNetwork) this::network, clean, draw)
                            : ((Shortcut) objective)
                                    .loss((FlowMapNetwork) this::network, clean, draw);
            assertEquals(expected, actual.item(), 1e-3 * expected);
            actual.backward();
        }
        assertEquals(before + 2 * gradient, gradient(), 1e-3 * Math.abs(gradient));
        assertTrue(u.minus(target).abs().max().item() > 0.1);
    }

    private static Tensor squares(Tensor u, Tensor target, Objective objective) {
        Tensor squares = u.minus(target).square();
        if (objective instanceof MeanFlow meanFlow) {
            Tensor each = squares.sum(false, 1);
            return each.times(each.detach().plus(1e-3).pow(-meanFlow.power())).mean();
        }
        return squares.mean();
    }

    /** du/dt = w·((t² + r)·v + 2·t·x), along x' = v. */
    @Test
    void meanFlowLearnsTheVelocityLessItsChange() {
        Tensor t = column(STARTS);
        Tensor r = column(ENDS);
        Tensor velocity = noise.minus(clean);
        Tensor change =
                velocity.times(t.square().plus(r)).plus(noised(t).times(t).times(2)).detach();
        Tensor target = velocity.minus(change.times(t.minus(r)));
        for (double power : new double[] {0, 0.5, 1}) {
            assertLearns(target, new MeanFlow(FlowTimes.UNIFORM, 0.75, power));
        }
    }

    /** Halves of 1/4 are asked for as they are, the finest ones of 1/8 as instants. */
    @Test
    void shortcutsLearnWhereTwoHalvesLead() {
        Tensor t = column(STARTS);
        Tensor middle = column(List.of(0.5, 0.5, 0.375, 0.3));
        Tensor r = column(ENDS);
        Tensor firstEnd = column(List.of(0.5, 0.5, 0.5, 0.3));
        Tensor secondEnd = column(List.of(0.0, 0.25, 0.375, 0.3));
        Tensor first = u(noised(t), t, firstEnd);
        Tensor there = noised(t).minus(first.times(t.minus(middle)));
        Tensor halves = first.plus(u(there, middle, secondEnd)).dividedBy(2);
        Tensor velocity = noise.minus(clean);
        Tensor target = t.gt(r).where(halves, velocity);
        assertLearns(target, new Shortcut(FlowTimes.UNIFORM, 0.75, 8));
    }

    /** Intervals of shortcuts are 1, 1/2 … 2/finest long, and lie beside each other. */
    @Test
    void drawsTheIntervalsOfThePapers() {
        Tensor many = Tensor.zeros(DType.FLOAT32, 2000, 1);
        int instants = 0;
        var lengths = new TreeSet<Double>();
        var seen = new ArrayList<double[]>();
        FlowMapNetwork network =
                (x, t, r) -> {
                    seen.add(t.toDoubleArray());
                    seen.add(r.toDoubleArray());
                    return x.times(0);
                };
        new Shortcut(FlowTimes.UNIFORM, 0.75, 8).loss(network, many, generator);
        double[] starts = seen.get(4);
        double[] ends = seen.get(5);
        for (int i = 0; i < starts.length; i++) {
            double length = (starts[i] - ends[i]) / 1000;
            if (length == 0) {
                instants++;
            } else {
                lengths.add(length);
                assertEquals(0, ends[i] / 1000 % length);
            }
        }
        assertEquals(List.of(0.25, 0.5, 1.0), List.copyOf(lengths));
        assertEquals(0.75, instants / 2000.0, 0.03);
        seen.clear();
        new MeanFlow(FlowTimes.UNIFORM, 0.5, 1).loss(network, many, generator);
        long equal = 0;
        for (int i = 0; i < 2000; i++) {
            equal += seen.get(4)[i] == seen.get(5)[i] ? 1 : 0;
            assertTrue(seen.get(4)[i] >= seen.get(5)[i]);
        }
        assertEquals(0.5, equal / 2000.0, 0.03);
    }

    @Test
    void refusesWhatItCantTrain() {
        Network ofOneTime = (x, t) -> x;
        for (Objective objective :
                List.of(
                        new MeanFlow(FlowTimes.UNIFORM, 0.5, 1),
                        new Shortcut(FlowTimes.UNIFORM, 0.5, 8))) {
            assertRefused(
                    "the time where a step ends",
                    () -> objective.loss(ofOneTime, clean, generator));
        }
        assertRefused(
                "train in float32",
                () ->
                        new MeanFlow(FlowTimes.UNIFORM, 0.5, 1)
                                .loss(
                                        (FlowMapNetwork) this::network,
                                        clean.to(DType.BFLOAT16),
                                        draw));
        assertRefused("from 0 to 1, not 1.5", () -> new MeanFlow(FlowTimes.UNIFORM, 1.5, 1));
        assertRefused("from 0, not -1", () -> new MeanFlow(FlowTimes.UNIFORM, 1, -1));
        assertRefused("from 0 to 1, not NaN", () -> new Shortcut(FlowTimes.UNIFORM, Double.NaN, 8));
        assertRefused("power of 2 from 2, not 6", () -> new Shortcut(FlowTimes.UNIFORM, 1, 6));
        assertRefused("power of 2 from 2, not 1", () -> new Shortcut(FlowTimes.UNIFORM, 1, 1));
        for (List<Double> ends : List.of(List.of(0.6), List.of(-0.1), List.<Double>of())) {
            assertRefused("end no later", () -> new FlowIntervals(List.of(0.5), ends, noise));
        }
    }

    private static void assertRefused(String reason, Executable refused) {
        var error = assertThrows(IllegalArgumentException.class, refused);
        assertTrue(error.getMessage().contains(reason), error.getMessage());
    }
}
