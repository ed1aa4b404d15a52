package dev.darkroom.models.diffusion.guidance;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.diffusion.ClassifierFree;
import dev.darkroom.models.diffusion.Denoised;
import dev.darkroom.models.diffusion.Evaluator;
import dev.darkroom.models.diffusion.Guidance;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.Prediction;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/** Guidances by their names: neutral settings, algebra, errors. */
class GuidanceKindTest {
    private static final NoiseLevel NOISY = new NoiseLevel(0.3, 0.95, 800);
    private static final NoiseLevel CLEANER = new NoiseLevel(0.8, 0.6, 300);
    private static final List<NoiseLevel> LEVELS = List.of(NOISY, CLEANER);

    /** Those with a weight beside that of classifier-free guidance. */
    private static final List<String> WEIGHTED = List.of("slg", "pag", "seg");

    private TensorScope scope;
    private Generator generator;
    private Tensor x;
    private final Map<String, Tensor> outputs = new HashMap<>();
    private final Set<String> asked = new TreeSet<>();

    @BeforeEach
    void draw() {
        scope = TensorScope.open();
        generator = new Generator(3);
        x = randn();
        for (String name :
                List.of(
                        Evaluator.CONDITIONAL,
                        Evaluator.UNCONDITIONAL,
                        Evaluator.EMPTY,
                        Evaluator.PERTURBED)) {
            outputs.put(name, randn());
        }
    }

    @AfterEach
    void close() {
        generator.close();
        scope.close();
    }

    private Tensor randn() {
        return Tensor.randn(generator, 2, 3, 5, 6).to(DType.FLOAT64);
    }

    /** A network that predicts the noise as given, whatever x is. */
    private final Evaluator evaluator =
            new Evaluator() {
                @Override
                public List<Denoised> denoise(Tensor latents, NoiseLevel at, List<String> names) {
                    asked.addAll(names);
                    return names.stream()
                            .map(outputs::get)
                            .map(out -> prediction().denoised(out, latents, at))
                            .map(Denoised::new)
                            .toList();
                }

                @Override
                public Prediction prediction() {
                    return Prediction.EPSILON;
                }
            };

    /** The noise that a guidance makes of the outputs, at each level of a run. */
    private List<Tensor> run(Guidance guidance) {
        Guidance run = guidance.over(LEVELS, () -> x.times(0));
        var allowed = new ArrayList<List<String>>(run.evaluations());
        List<Tensor> made = new ArrayList<>();
        for (NoiseLevel at : LEVELS) {
            asked.clear();
            made.add(run.denoise(x, at, evaluator).x0());
            assertTrue(
                    allowed.stream().anyMatch(names -> Set.copyOf(names).equals(asked)),
                    guidance + " asked for " + asked + ", not one of " + allowed);
        }
        return made;
    }

    private List<Tensor> run(String text, double scale) {
        return run(NamedGuidance.parse(text).scaled(scale));
    }

    private static void assertSame(List<Tensor> expected, List<Tensor> actual, String name) {
        for (int i = 0; i < expected.size(); i++) {
            assertTrue(expected.get(i).contentEquals(actual.get(i)), name + " in step " + i);
        }
    }

    private static void assertClose(Tensor expected, Tensor actual) {
        assertEquals(0, expected.minus(actual).abs().max().item(), 1e-12);
    }

    @Test
    void aWeightOfOneIsNoGuidance() {
        List<Tensor> unguided = run(Guidance.NONE);
        for (String id : GuidanceKind.ids()) {
            String text = WEIGHTED.contains(id) ? id + ":weight=0" : id;
            if (!id.equals("threshold")) { // which bounds x̂0 without guidance too
                assertSame(unguided, run(text, 1), text);
                assertEquals(1, NamedGuidance.parse(text).scaled(1).width(), text);
            }
        }
    }

    @Test
    void neutralSettingsGiveTheBytesOfClassifierFreeGuidance() {
        List<Tensor> guided = run(new ClassifierFree(4));
        for (String neutral :
                List.of(
                        "cfg",
                        "cfg:rescale=0,start=0,stop=1",
                        "apg:eta=1,momentum=0,threshold=0",
                        "fdg:low=4",
                        "mag:alpha=0",
                        "slg:weight=0",
                        "pag:weight=0",
                        "seg:weight=0")) {
            assertSame(guided, run(neutral, 4), neutral);
        }
        assertSame(
                run(new ClassifierFree(4, 0.7, 0, 9)), run("cfg:rescale=0.7,to=9", 4), "rescaled");
    }

    /** What is not short-circuited becomes the same by its own way. */
    @Test
    void limitsOfTheSettingsAreClassifierFreeGuidance() {
        List<Tensor> guided = run(new ClassifierFree(4));
        for (Guidance limit :
                List.of(
                        new Projected(4, 0, 1, 0, 0, false),
                        new Projected(4, 0, 1, 0, 1e9, false),
                        new Projected(3, 0, 1, 0, 0, true),
                        new FrequencyDecoupled(4, 4),
                        new MagnitudeAware(4, 0, 0),
                        new ZeroInit(new ClassifierFree(4), 0))) {
            List<Tensor> made = run(limit);
            assertClose(guided.get(0), made.get(0));
            assertClose(guided.get(1), made.get(1));
        }
        outputs.put(Evaluator.UNCONDITIONAL, outputs.get(Evaluator.EMPTY));
        guided = run(new ClassifierFree(4));
        assertClose(guided.get(0), run("perp-neg", 4).get(0));
    }

    @Test
    void guidanceActsInItsStepsAlone() {
        List<Tensor> none = run(Guidance.NONE);
        for (String id : List.of("cfg", "apg", "tcfg", "mag", "fdg", "perp-neg")) {
            List<Tensor> made = run(id + ":start=0.5", 4);
            assertTrue(none.get(0).contentEquals(made.get(0)), id);
            assertFalse(none.get(1).contentEquals(made.get(1)), id);
            made = run(id + ":stop=0.5", 4);
            assertFalse(none.get(0).contentEquals(made.get(0)), id);
            assertTrue(none.get(1).contentEquals(made.get(1)), id);
        }
    }

    /** It is added to classifier-free guidance, from the conditional estimate on. */
    @Test
    void perturbedGuidanceLeadsAwayFromThePerturbed() {
        Tensor away =
                outputs.get(Evaluator.CONDITIONAL).minus(outputs.get(Evaluator.PERTURBED)).times(3);
        for (String id : List.of("pag", "seg")) {
            for (double scale : new double[] {1, 4}) {
                Tensor x0 = run(id, scale).getFirst();
                Tensor plain = run(new ClassifierFree(scale)).getFirst();
                assertClose(
                        Prediction.EPSILON.output(plain, x, NOISY).plus(away),
                        Prediction.EPSILON.output(x0, x, NOISY));
            }
        }
    }

    @Test
    void theFirstStepsOutputIsZero() {
        List<Tensor> made = run("zero-star", 4);
        assertClose(x.dividedBy(NOISY.alpha()), made.get(0));
        assertClose(run(new ZeroStar(4, 0)).get(1), made.get(1));
    }

    /** Without its parallel part, the step is perpendicular to the conditional output. */
    @Test
    void projectedStepsArePerpendicular() {
        Tensor x0 = run("apg:eta=0,momentum=0,threshold=0", 4).getFirst();
        Tensor output = Prediction.EPSILON.output(x0, x, NOISY);
        Tensor step = output.minus(outputs.get(Evaluator.UNCONDITIONAL));
        Tensor product = Outputs.dot(step, outputs.get(Evaluator.CONDITIONAL));
        assertEquals(0, product.abs().max().item(), 1e-9);
    }

    /** With the same step twice, the average is 1 and then 1 + β steps. */
    @Test
    void momentumIsARunsOwn() {
        Guidance guidance = new Projected(4, 0, 1, -0.25, 0, false);
        for (int again = 0; again < 2; again++) {
            List<Tensor> made = run(guidance);
            assertClose(run(new ClassifierFree(4)).get(0), made.get(0));
            assertClose(run(new ClassifierFree(3)).get(1), made.get(1));
        }
    }

    @Test
    void aThresholdBoundsTheStep() {
        Tensor x0 = run("apg:eta=1,momentum=0,threshold=0.5", 4).getFirst();
        Tensor output = Prediction.EPSILON.output(x0, x, NOISY);
        Tensor step = output.minus(outputs.get(Evaluator.UNCONDITIONAL));
        assertClose(Tensor.scalar(2, DType.FLOAT64).expand(2), step.norm(false, 1, 2, 3));
    }

    /** What the negative prompt shares with the prompt is not taken away. */
    @Test
    void aNegativePromptAlongThePromptDoesNothing() {
        Tensor empty = outputs.get(Evaluator.EMPTY);
        Tensor towards = outputs.get(Evaluator.CONDITIONAL).minus(empty);
        outputs.put(Evaluator.UNCONDITIONAL, empty.plus(towards, 0.7));
        List<Tensor> without = run("perp-neg:negative=0", 4);
        assertClose(without.get(0), run("perp-neg:negative=3", 4).get(0));
    }

    /** A constant has low frequencies alone, a chessboard of pixels next to none. */
    @Test
    void frequenciesHaveTheirOwnWeights() {
        Tensor constant = Tensor.ones(DType.FLOAT64, 1, 1, 8, 8);
        assertClose(constant, FrequencyDecoupled.lowPass(constant));
        double[] board = new double[64];
        for (int i = 0; i < board.length; i++) {
            board[i] = (i + i / 8) % 2 == 0 ? 1 : -1;
        }
        Tensor high = FrequencyDecoupled.lowPass(Tensor.copyOf(board, 1, 1, 8, 8));
        assertEquals(0, high.abs().max().item(), 1e-12);
    }

    /** The damped unconditional output is that of PyTorch's singular vectors. */
    @Test
    void tangentialDampingKeepsWhatBothShare() {
        outputs.put(Evaluator.UNCONDITIONAL, outputs.get(Evaluator.CONDITIONAL).times(0.5));
        assertClose(run(new ClassifierFree(4)).get(0), run("tcfg", 4).get(0));
    }

    /** The conditional output is 1.5 times the other, so the weight is 1 + 3 exp(−alpha / 2). */
    @Test
    void largeStepsAreGuidedLess() {
        Tensor unconditional = outputs.get(Evaluator.CONDITIONAL).dividedBy(1.5);
        outputs.put(Evaluator.UNCONDITIONAL, unconditional);
        Tensor x0 = run("mag:alpha=2", 4).getFirst();
        assertClose(
                unconditional.times(1 + (1 + 3 * Math.exp(-1)) / 2),
                Prediction.EPSILON.output(x0, x, NOISY));
        outputs.put(Evaluator.UNCONDITIONAL, unconditional.times(0)); // infinitely large
        assertClose(run(Guidance.NONE).getFirst(), run("mag", 4).getFirst());
    }

    @Test
    void isAValueThatIsReadAgain() {
        NamedGuidance guidance = NamedGuidance.parse("apg:momentum=-0.75,eta=0.5");
        assertEquals("apg:momentum=-0.75,eta=0.5", guidance.toString());
        assertEquals(guidance, NamedGuidance.parse(guidance.toString()));
        assertEquals("tcfg", NamedGuidance.parse("tcfg").toString());
    }

    @Test
    void namesWhatIsWrong() {
        assertMessage("apgs", "no guidance 'apgs'");
        assertMessage("apgs", "did you mean apg?");
        assertMessage("paag", "did you mean pag?");
        assertMessage("apg:momentun=1", "did you mean momentum?");
        assertMessage("apg:what=1", "eta, momentum, threshold");
        assertMessage("apg:eta", "'eta'");
        assertMessage("apg:", "key=value");
        assertMessage("apg:eta=x", "is a number, not 'x'");
        assertMessage("apg:eta=1,eta=2", "twice");
        assertMessage("apg:momentum=1", "momentum above -1 and below 1");
        assertMessage("apg:threshold=-1", "threshold");
        assertMessage("cfg:rescale=2", "rescaled by 0 to 1");
        assertMessage("cfg:start=0.5,stop=0.2", "0.5 to 0.2");
        assertMessage("cfg:from=3,to=2", "3.0");
        assertMessage("zero-star:zero-steps=1.5", "whole number");
        assertMessage("zero-star:zero-steps=-1", "not in -1");
        assertMessage("mag:alpha=-1", "alpha of magnitude-aware guidance");
        assertMessage("fdg:low=-1", "low frequencies");
        assertMessage("perp-neg:negative=-1", "negative prompt");
        assertMessage("pag:weight=-1", "perturbed estimate");
        assertMessage("seg:blur=0", "blurred by more than 0");
        assertMessage("threshold:ratio=2", "ratio from 0 to 1");
    }

    private static void assertMessage(String text, String part) {
        var wrong =
                assertThrows(IllegalArgumentException.class, () -> NamedGuidance.parse(text), text);
        assertTrue(wrong.getMessage().contains(part), wrong.getMessage());
    }
}
