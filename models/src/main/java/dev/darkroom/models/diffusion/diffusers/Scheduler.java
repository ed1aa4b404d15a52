package dev.darkroom.models.diffusion.diffusers;

import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.config.ConfigException;
import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.diffusion.Clipping;
import dev.darkroom.models.diffusion.ForwardProcess;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.SamplingPlan;
import dev.darkroom.models.diffusion.Solver;
import dev.darkroom.runtime.Warnings;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Set;

/**
 * A sampler as a {@code scheduler_config.json} describes it. Every option of a class that is
 * supported is read; a value that is not supported is an error that names it.
 */
public interface Scheduler {
    /** The forward process that the network was trained on, and what it predicts. */
    ForwardProcess process();

    /**
     * The noise levels for a number of steps, from the noisiest to that of the result.
     *
     * @throws IllegalArgumentException if it can't take so many or so few
     */
    List<NoiseLevel> levels(int steps, SchedulerArguments arguments);

    /** The solver that moves along the levels of a number of steps. */
    Solver solver(int steps, SchedulerArguments arguments);

    /** Returns how x̂0 is clipped. */
    default Clipping clipping() {
        return Clipping.NONE;
    }

    /** The deviation of latents at the first of some levels: {@code init_noise_sigma}. */
    default double initialScale(List<NoiseLevel> levels) {
        return 1;
    }

    /** The most steps that it takes. */
    default int mostSteps() {
        return process().trainTimesteps();
    }

    /** Whether its network is the student of a flow map, which takes two times. */
    default boolean isFlowMap() {
        return false;
    }

    /** The names of the {@link SchedulerArguments} that it takes, separated by spaces. */
    default String taken() {
        return "";
    }

    /** Whether it takes all steps whatever the strength, from less noise where that is less. */
    default boolean takesStrength() {
        return List.of(taken().split(" ")).contains(SchedulerArguments.STRENGTH);
    }

    /**
     * Checks a call's arguments.
     *
     * @throws IllegalArgumentException if one is set that it does not take
     */
    default void require(SchedulerArguments arguments) {
        arguments.requireNoneBut(taken());
    }

    /**
     * Levels and solver for a number of steps.
     *
     * @param steps from 1 to {@link #mostSteps}
     * @throws IllegalArgumentException if it can't take so many or so few, or takes no such
     *     argument
     */
    default SamplingPlan plan(int steps, SchedulerArguments arguments) {
        require(arguments);
        BetaOptions.requireSteps(steps, mostSteps());
        List<NoiseLevel> levels = levels(steps, arguments);
        return new SamplingPlan(levels, initialScale(levels), solver(steps, arguments), clipping());
    }

    /** Levels and solver for a number of steps, with nothing special. */
    default SamplingPlan plan(int steps) {
        return plan(steps, SchedulerArguments.NONE);
    }

    /**
     * Reads the sampler that a {@code scheduler_config.json} describes.
     *
     * @param warnings collect the unknown options
     * @throws ConfigException if the file is malformed, or its class or an option is not supported
     * @throws IOException if it can't be read
     */
    static Scheduler read(Path file, Warnings warnings) throws IOException {
        return ConfigReader.read(file, warnings, Scheduler::of);
    }

    /** Reads a config as {@link #read(Path, Warnings)} does; an unknown option is an error. */
    static Scheduler read(Path file) throws IOException {
        return read(file, Warnings.strict());
    }

    /** Reads a config as {@link #read(Path, Warnings)} does, from one that is part of another. */
    static Scheduler of(ConfigReader json) {
        return SchedulerClasses.read(SchedulerConfig.of(json));
    }

    /**
     * Reads another sampler for the model of a {@code scheduler_config.json}. On a model with betas
     * it is diffusers' class of that name, made {@code from_config}: betas, prediction and whatever
     * else both have stay. On a flow, and on a model of EDM's levels or of a score SDE, it is
     * another solver along the model's own levels.
     *
     * @param content of the file
     * @param name one of {@link #names}, or the name of diffusers' class; settings may follow it,
     *     as in {@code unipc:solver_order=3}: diffusers' options of the class and arguments of its
     *     steps
     * @param warnings collect the unknown options
     * @throws IllegalArgumentException if there is no such sampler
     * @throws ConfigException if an option is not supported, or the sampler does not fit the model
     */
    static Scheduler read(Path file, ObjectNode content, String name, Warnings warnings)
            throws ConfigException {
        SchedulerClasses.Chosen chosen = SchedulerClasses.chosen(name);
        return ConfigReader.read(
                file,
                content,
                warnings,
                json -> SchedulerClasses.replaced(SchedulerConfig.of(json), chosen));
    }

    /**
     * Checks the name and the settings of a sampler, as far as that goes without a model.
     *
     * @param name as {@link #read(Path, ObjectNode, String, Warnings)} takes it
     * @throws IllegalArgumentException if there is no such sampler or setting
     */
    static void requireSampler(String name) {
        SchedulerClasses.chosen(name);
    }

    /**
     * Reads another sampler for the model of a file as {@link #read(Path, ObjectNode, String,
     * Warnings)} does; an unknown option is an error.
     *
     * @throws ConfigException if the file is malformed, an option is not supported, or the sampler
     *     does not fit the model
     * @throws IOException if it can't be read
     */
    static Scheduler read(Path file, String name) throws IOException {
        return read(file, ConfigReader.object(file), name, Warnings.strict());
    }

    /**
     * Whether a sampler is one of CFG++ ({@link
     * dev.darkroom.models.diffusion.Solvers#cfgPlusPlus}), which needs a guidance that asks for the
     * unconditional estimate: without a choice, {@link
     * dev.darkroom.models.diffusion.guidance.CfgPlusPlus}.
     *
     * @param name as {@link #read(Path, ObjectNode, String, Warnings)} takes it
     * @throws IllegalArgumentException if there is no such sampler or setting
     */
    static boolean isOfCfgPlusPlus(String name) {
        return SchedulerClasses.isPlusPlus(name);
    }

    /** The short names of samplers. */
    static List<String> names() {
        return List.copyOf(SchedulerClasses.NAMES.keySet());
    }

    /**
     * One line on a sampler: what it is, and its paper.
     *
     * @param name one of {@link #names}
     * @throws IllegalArgumentException if there is no such sampler
     */
    static String description(String name) {
        return SchedulerClasses.description(name);
    }

    /** The schedulers of diffusers that are supported, by class name. */
    static Set<String> schedulers() {
        return Collections.unmodifiableSet(SchedulerClasses.CLASSES.keySet());
    }
}
