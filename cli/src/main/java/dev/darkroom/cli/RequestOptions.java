package dev.darkroom.cli;

import dev.darkroom.models.diffusion.diffusers.LevelChoice;
import dev.darkroom.models.diffusion.diffusers.LevelSpacing;
import dev.darkroom.models.diffusion.guidance.NamedGuidance;
import dev.darkroom.models.family.ControlPicture;
import dev.darkroom.models.family.Edit;
import dev.darkroom.models.family.PromptSyntax;
import dev.darkroom.models.pipeline.SampleRequest;

import org.jspecify.annotations.Nullable;

import picocli.CommandLine.Option;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;

/** What is asked of a checkpoint: what to draw, how to sample it, and how large. */
final class RequestOptions {
    /** Random seeds have no more than these bits, so that people can copy them. */
    private static final long RANDOM_SEEDS = 1L << 32;

    @Option(
            names = "--negative",
            paramLabel = "TEXT",
            description = "What guidance shall lead away from.")
    private @Nullable String negative;

    @Option(
            names = "--prompt-2",
            paramLabel = "TEXT",
            description =
                    "What the second of two text encoders reads; without it, the same prompt.")
    private @Nullable String secondPrompt;

    @Option(names = "--negative-2", paramLabel = "TEXT", description = "The same for --negative.")
    private @Nullable String secondNegative;

    @Option(
            names = "--prompt-syntax",
            paramLabel = "plain|weighted",
            converter = Names.PromptSyntaxes.class,
            completionCandidates = Names.PromptSyntaxes.class,
            description =
                    "What brackets in prompts mean: plain (the default), text; weighted, (word:1.3)"
                            + " weighs 1.3 times as much, (word) 1.1 times, [word] less.")
    private PromptSyntax promptSyntax = PromptSyntax.PLAIN;

    @Option(
            names = "--long-prompts",
            description =
                    "Read prompts that are longer than CLIP's 77 tokens in chunks, instead of"
                            + " cutting them.")
    private boolean longPrompts;

    @Option(
            names = "--class",
            paramLabel = "LABEL",
            description =
                    "What to draw, for a checkpoint of classes: a number or a label. Given several"
                            + " times, a class for each picture.")
    private List<String> classes = new ArrayList<>();

    @Option(names = "--steps", paramLabel = "N", description = "Sampling steps, 1 to 1000.")
    private @Nullable Integer steps;

    @Option(
            names = "--guidance",
            paramLabel = "W",
            description =
                    "Weight of classifier-free guidance; 1 for none. For samplers of CFG++, from 0"
                            + " (unconditional) to 1.")
    private @Nullable Double guidance;

    @Option(
            names = "--guidance-kind",
            paramLabel = "NAME[:KEY=VALUE,…]",
            converter = Names.Guidances.class,
            completionCandidates = Names.Guidances.class,
            description =
                    "How the weight of --guidance acts: ${COMPLETION-CANDIDATES}. 'darkroom"
                            + " guidance' tells of each.")
    private @Nullable NamedGuidance guidanceKind;

    @Option(
            names = "--sampler",
            paramLabel = "NAME[:KEY=VALUE,…]",
            converter = Names.Samplers.class,
            completionCandidates = Names.Samplers.class,
            description =
                    "One of ${COMPLETION-CANDIDATES}, with diffusers' options of its class and"
                            + " arguments of its steps if there are any, such as"
                            + " unipc:solver_order=3 or heun:s_churn=20.")
    private @Nullable String sampler;

    @Option(
            names = "--levels",
            paramLabel = "NAME",
            converter = Names.Spacings.class,
            completionCandidates = Names.Spacings.class,
            description =
                    "How the noise levels lie, in place of the sampler's own:"
                            + " ${COMPLETION-CANDIDATES}.")
    private @Nullable LevelSpacing levels;

    @Option(
            names = "--timesteps",
            paramLabel = "T",
            split = ",",
            description = "The timesteps where the network is called, latest first: 999,700,400.")
    private List<Double> timesteps = new ArrayList<>();

    @Option(
            names = "--sigmas",
            paramLabel = "S",
            split = ",",
            description =
                    "The noise levels where the network is called, greatest first, each as noise"
                            + " over data, or on a flow as the share of the noise before its shift:"
                            + " 14.6,6,2.5.")
    private List<Double> sigmas = new ArrayList<>();

    @Option(
            names = "--eta",
            paramLabel = "E",
            description =
                    "For DDIM, how much of DDPM's noise each step adds, 0 to 1; for TCD its gamma,"
                            + " 0.3 without it.")
    private @Nullable Double eta;

    @Option(
            names = "--start",
            paramLabel = "S",
            description =
                    "The share of the noise that is gone already, above 0 and below 1, from"
                            + " --latents that were left noisy with --end, or from --init:"
                            + " diffusers' denoising_start.")
    private @Nullable Double start;

    @Option(
            names = "--end",
            paramLabel = "E",
            description =
                    "The share of the noise that is taken away, above 0 to 1: diffusers'"
                            + " denoising_end.")
    private @Nullable Double end;

    @Option(
            names = "--seed",
            paramLabel = "N",
            converter = Names.Seeds.class,
            description =
                    "Seed of the first picture, -2^63 to 2^64 - 1 as in PyTorch; without it, a"
                            + " random one.")
    private @Nullable Long seed;

    @Option(names = "--width", paramLabel = "W", description = "In pixels.")
    private @Nullable Integer width;

    @Option(names = "--height", paramLabel = "H", description = "In pixels.")
    private @Nullable Integer height;

    @Option(names = "--batch", paramLabel = "N", description = "Number of pictures.")
    private @Nullable Integer batch;

    private @Nullable LevelChoice levels() {
        return levels == null && timesteps.isEmpty() && sigmas.isEmpty()
                ? null
                : new LevelChoice(levels, timesteps, sigmas);
    }

    /**
     * Builds a request of the options.
     *
     * @param prompt null for classes, or none
     * @param edit a picture that others are made from; null for none
     * @param controls pictures for ControlNets
     * @param sizes that the network is conditioned on
     * @param mayBeNothing whether the model may take neither prompt nor class
     * @throws IllegalArgumentException if the options do not go together
     */
    SampleRequest request(
            @Nullable String prompt,
            @Nullable Edit edit,
            List<ControlPicture> controls,
            SizeOptions sizes,
            FittingOptions fitting,
            boolean mayBeNothing) {
        if (!classes.isEmpty() && prompt != null) {
            throw new IllegalArgumentException("name a prompt or a class, not both");
        }
        if (classes.isEmpty() && prompt == null && !mayBeNothing) {
            throw new IllegalArgumentException(
                    "say what to draw: a prompt in quotes, or --class for a checkpoint of classes");
        }
        int pictures = batch == null ? Math.max(1, classes.size()) : batch;
        if (classes.size() > 1 && classes.size() != pictures) {
            throw new IllegalArgumentException(
                    "there are "
                            + classes.size()
                            + " classes for a batch of "
                            + pictures
                            + "; name one for all pictures or one for each");
        }
        long first = seed == null ? ThreadLocalRandom.current().nextLong(RANDOM_SEEDS) : seed;
        return SampleRequest.builder()
                .prompt(prompt)
                .negativePrompt(negative)
                .secondPrompt(secondPrompt)
                .secondNegativePrompt(secondNegative)
                .promptSyntax(promptSyntax)
                .longPrompts(longPrompts)
                .classes(classes)
                .steps(steps)
                .guidanceScale(guidance)
                .guidance(guidanceKind)
                .sampler(sampler)
                .levels(levels())
                .eta(eta)
                .start(start)
                .end(end)
                .edit(edit)
                .controls(controls)
                .sizes(sizes.condition(width, height))
                .seed(first)
                .width(width)
                .height(height)
                .batch(pictures)
                .maxTokens(fitting.maxTokens())
                .clipSkip(fitting.clipSkip())
                .binning(fitting.binning())
                .build();
    }
}
