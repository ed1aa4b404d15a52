package dev.darkroom.recipe.classifier;

import dev.darkroom.models.diffusion.guidance.ClassifierGuidance.Classifier;
import dev.darkroom.models.layers.Sinusoids;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Conv2d;
import dev.darkroom.runtime.nn.GroupNorm;
import dev.darkroom.runtime.nn.Linear;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;

/**
 * A small convolutional classifier of latents with any amount of noise (Dhariwal and Nichol 2021,
 * arXiv:2105.05233, section 4): three convolutions, the last two of which halve, moved by the
 * timestep; the mean over the picture; a linear layer.
 */
public final class NoisyClassifier extends Module {
    private static final int FREQUENCIES = 64;

    /** More groups would take the channels' means away, and colours with them. */
    private static final int GROUPS = 1;

    private static final double EPS = 1e-5;

    private final Stage input;
    private final Stage middle;
    private final Stage last;
    private final Linear output;

    /**
     * Declares a classifier.
     *
     * @param channels of the latents
     * @param width channels of the first convolution; the others have twice as many
     * @param classes K
     */
    public NoisyClassifier(Weights w, int channels, int width, int classes) {
        super(w);
        input = new Stage(w.sub("input"), channels, width, 1);
        middle = new Stage(w.sub("middle"), width, 2L * width, 2);
        last = new Stage(w.sub("last"), 2L * width, 2L * width, 2);
        output = new Linear(w.sub("output"), 2L * width, classes, true);
    }

    /** A convolution, moved by the timestep. */
    private static final class Stage extends Module {
        private final Conv2d conv;
        private final Linear time;
        private final GroupNorm norm;

        Stage(Weights w, long in, long out, long stride) {
            super(w);
            conv = new Conv2d(w.sub("conv"), in, out, 3, stride, 1, true);
            time = new Linear(w.sub("time"), FREQUENCIES, out, true);
            norm = new GroupNorm(w.sub("norm"), GROUPS, out, EPS);
        }

        Tensor forward(Tensor x, Tensor frequencies) {
            Tensor moved = time.forward(frequencies).unsqueeze(2).unsqueeze(3); // [N,out,1,1]
            return norm.forward(conv.forward(x)).plus(moved).silu();
        }
    }

    /**
     * Classifies.
     *
     * @param x latents at the scale that networks see {@code [N,C,h,w]}
     * @param timesteps of their noise {@code [N]}, or {@code [1]} for all
     * @return logits {@code [N,K]}
     */
    public Tensor forward(Tensor x, Tensor timesteps) {
        try (var scope = TensorScope.open()) {
            Tensor frequencies = Sinusoids.embed(timesteps, FREQUENCIES, 0); // [N,F]
            Tensor h = input.forward(x, frequencies);
            h = middle.forward(h, frequencies);
            h = last.forward(h, frequencies);
            return scope.keep(output.forward(h.mean(false, 2, 3)));
        }
    }

    /**
     * What asks for a class of each sample.
     *
     * @param classes a number below K for each sample {@code [N]}
     */
    public Classifier asking(long... classes) {
        long[] asked = classes.clone();
        return (x, at) -> {
            Tensor seen = x.dividedBy(Math.hypot(at.alpha(), at.sigma())).to(DType.FLOAT32);
            Tensor timestep = Tensor.full(Shape.of(1), at.timestep(), DType.FLOAT32, x.device());
            return logProbabilities(
                    forward(seen, timestep), Tensor.copyOf(asked, asked.length).to(x.device()));
        };
    }

    /**
     * Takes the logarithms of the classes' probabilities.
     *
     * @param logits {@code [N,K]}
     * @param classes int64 {@code [N]}
     * @return {@code [N]}
     */
    static Tensor logProbabilities(Tensor logits, Tensor classes) {
        return logits.logSoftmax(1).gather(1, classes.unsqueeze(1)).flatten(0, 1);
    }
}
