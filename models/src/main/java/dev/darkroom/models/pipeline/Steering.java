package dev.darkroom.models.pipeline;

import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.models.diffusion.ConditionedNetwork;
import dev.darkroom.models.diffusion.Evaluator;
import dev.darkroom.models.family.ControlNets;
import dev.darkroom.models.family.ControlPicture;
import dev.darkroom.models.family.Model;
import dev.darkroom.models.family.Resampling;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.nn.Module;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The ControlNets in a run, each of which may act in some of the evaluations. */
final class Steering {
    private final ResolvedRequest run;
    private final Model model;
    private final int evaluations;
    private final Device device;

    /** The evaluation that comes next, from 0. */
    private int evaluation;

    /**
     * @param evaluations how many there are
     */
    Steering(ResolvedRequest run, Model model, int evaluations, Device device) {
        this.run = run;
        this.model = model;
        this.evaluations = evaluations;
        this.device = device;
    }

    /**
     * Requires a picture for each of a model's ControlNets.
     *
     * @throws IllegalArgumentException if there are more or fewer
     */
    static void require(ResolvedRequest run, Model model) {
        int nets = model.controls().nets().size();
        int pictures = run.inputs().controls().size();
        if (nets == pictures) {
            return;
        }
        throw new IllegalArgumentException(
                nets == 0
                        ? "there is a control picture, and no ControlNet that sees it; name one"
                                + " (--control)"
                        : "each ControlNet sees a picture of its own: there "
                                + (nets == 1 ? "is 1 ControlNet" : "are " + nets + " ControlNets")
                                + ", but "
                                + (pictures == 1 ? "1 picture" : pictures + " pictures")
                                + " (--control-image)");
    }

    /** Says which nets a pipeline was asked for, without the folders of this machine. */
    static Map<String, Object> describe(PipelineOptions options) {
        List<String> names =
                options.controls().stream()
                        .map(net -> net.replaceAll("[/\\\\]+$", "").replaceAll(".*[/\\\\]", ""))
                        .toList();
        return names.isEmpty() ? Map.of() : Map.of("controls", names);
    }

    /** The bytes of memory that the weights of a model's ControlNets will take. */
    static long bytesToLoad(Model model) {
        return model.controls().nets().stream().mapToLong(Module::bytesToLoad).sum();
    }

    /** The model's network, steered if it has ControlNets. */
    ConditionedNetwork network() {
        List<ControlPicture> pictures = run.inputs().controls();
        if (pictures.isEmpty()) {
            return model.network();
        }
        List<ControlNets.Control> controls = new ArrayList<>();
        for (ControlPicture each : pictures) {
            controls.add(
                    new ControlNets.Control(
                            each.picture().scaledTo(run.sampled(), Resampling.LANCZOS),
                            () -> each.scaleIn(evaluation, evaluations),
                            each.guess()));
        }
        return model.controls().steered(controls);
    }

    /** A condition that says whether nets act under it which do so under the one asked for. */
    Condition marked(String name, Condition condition) {
        if (run.inputs().controls().isEmpty()) {
            return condition;
        }
        int acts = name.equals(Evaluator.CONDITIONAL) ? 1 : 0;
        Shape rows = Shape.of(condition.rows());
        return condition.with(Condition.CONTROLLED, Tensor.full(rows, acts, DType.FLOAT32, device));
    }

    /** Goes on to the next evaluation. */
    void evaluated(int done) {
        evaluation = done + 1;
    }
}
