package dev.darkroom.models.diffusion.diffusers;

import static java.util.Map.entry;

import dev.darkroom.models.diffusion.DpmSolver;
import dev.darkroom.models.diffusion.ExponentialSolver;
import dev.darkroom.models.diffusion.Prediction;
import dev.darkroom.models.diffusion.ReverseVariance;
import dev.darkroom.models.diffusion.Solver;
import dev.darkroom.models.diffusion.Solvers;

import org.jspecify.annotations.Nullable;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;

/** Which config is read by what, and the short names of samplers. */
final class SchedulerClasses {
    /**
     * A sampler by its name.
     *
     * @param className diffusers' class
     * @param options of that class
     * @param solver what it is on the levels of a flow; null if it has levels of its own
     */
    record Named(
            String name, String className, Map<String, Object> options, @Nullable Solver solver) {}

    static final Map<String, Function<SchedulerConfig, Scheduler>> CLASSES = new TreeMap<>();

    static final Map<String, Named> NAMES = new LinkedHashMap<>();

    static {
        CLASSES.put("DDPMScheduler", DdpmScheduler::read);
        CLASSES.put("DDIMScheduler", DdimScheduler::read);
        CLASSES.put("EulerDiscreteScheduler", EulerScheduler::read);
        CLASSES.put("EulerAncestralDiscreteScheduler", EulerScheduler::readAncestral);
        CLASSES.put("HeunDiscreteScheduler", EulerScheduler::readHeun);
        CLASSES.put("DPMSolverMultistepScheduler", DpmSolverScheduler::read);
        CLASSES.put("DPMSolverSinglestepScheduler", DpmSolverScheduler::readSinglestep);
        CLASSES.put("DEISMultistepScheduler", DpmSolverScheduler::readDeis);
        CLASSES.put("UniPCMultistepScheduler", DpmSolverScheduler::readUniPc);
        CLASSES.put("SASolverScheduler", DpmSolverScheduler::readSaSolver);
        CLASSES.put("LCMScheduler", LcmScheduler::read);
        CLASSES.put("PNDMScheduler", PndmScheduler::read);
        CLASSES.put(ConsistencyScheduler.CLASS, ConsistencyScheduler::read);
        CLASSES.put("SCMScheduler", ScmScheduler::read);
        CLASSES.put("FlowMatchEulerDiscreteScheduler", FlowEulerScheduler::read);
        name("ddpm", "DDPMScheduler", Solver.ddpm(ReverseVariance.FIXED_SMALL));
        name("ddim", "DDIMScheduler", Solver.ddim(0));
        name("euler", "EulerDiscreteScheduler", Solver.euler());
        name("euler-a", "EulerAncestralDiscreteScheduler", Solver.eulerAncestral());
        name("heun", "HeunDiscreteScheduler", Solver.heun());
        dpmSolver("dpm++2m", "dpmsolver++", DpmSolver.Algorithm.DATA_ODE, 2, false);
        dpmSolver("dpm++2m-karras", "dpmsolver++", DpmSolver.Algorithm.DATA_ODE, 2, true);
        dpmSolver("dpm++2m-sde", "sde-dpmsolver++", DpmSolver.Algorithm.DATA_SDE, 2, false);
        dpmSolver("dpm++3m", "dpmsolver++", DpmSolver.Algorithm.DATA_ODE, 3, false);
        NAMES.put(
                "plms",
                new Named(
                        "plms",
                        "PNDMScheduler",
                        Map.of("skip_prk_steps", true),
                        Solver.plms(Prediction.FLOW)));
        dpmSolver("dpm++2s", DpmSolver.Algorithm.DATA_ODE, 2);
        dpmSolver("dpm++3s", DpmSolver.Algorithm.DATA_ODE, 3);
        name("deis", "DEISMultistepScheduler", Solver.deis(2, true));
        var bh2 = ExponentialSolver.Slope.MIDPOINT;
        name("unipc", "UniPCMultistepScheduler", Solver.uniPc(false, 2, bh2, true, Set.of()));
        name(
                "sa-solver",
                "SASolverScheduler",
                Solver.saSolver(false, 2, 2, true, DpmSolverScheduler.SA_NOISE));
        name("lcm", "LCMScheduler", Solvers::lcm);
        name("flow-euler", "FlowMatchEulerDiscreteScheduler", Solver.euler());
        ScoreSampler.DESCRIPTIONS
                .keySet()
                .forEach(
                        each ->
                                NAMES.put(
                                        each,
                                        new Named(each, ScoreSampler.LEVELS, Map.of(), null)));
    }

    /** What each sampler is, with its paper, in the order of {@link #NAMES}. */
    private static final Map<String, String> DESCRIPTIONS =
            Map.ofEntries(
                    entry("ddpm", "DDPM's ancestral sampling (Ho et al. 2020, arXiv:2006.11239)"),
                    entry(
                            "ddim",
                            "DDIM, with eta for fresh noise (Song et al. 2021, arXiv:2010.02502)"),
                    entry(
                            "euler",
                            "Euler's method on the probability-flow ODE (Karras et al. 2022,"
                                    + " arXiv:2206.00364)"),
                    entry(
                            "euler-a",
                            "Euler's method with fresh noise in each step (k-diffusion; DDPM's"
                                    + " variance, arXiv:2006.11239)"),
                    entry(
                            "heun",
                            "Heun's method, two evaluations a step (Karras et al. 2022,"
                                    + " arXiv:2206.00364)"),
                    entry(
                            "dpm++2m",
                            "DPM-Solver++ by the last two estimates (Lu et al. 2022,"
                                    + " arXiv:2211.01095)"),
                    entry(
                            "dpm++2m-karras",
                            "the same at Karras's noise levels (arXiv:2211.01095,"
                                    + " arXiv:2206.00364)"),
                    entry(
                            "dpm++2m-sde",
                            "the same for the reverse SDE, with fresh noise (Lu et al. 2022,"
                                    + " arXiv:2211.01095)"),
                    entry(
                            "dpm++3m",
                            "DPM-Solver++ by the last three estimates (Lu et al. 2022,"
                                    + " arXiv:2211.01095)"),
                    entry(
                            "dpm++2s",
                            "singlestep DPM-Solver++, in groups of two levels (Lu et al. 2022,"
                                    + " arXiv:2211.01095)"),
                    entry(
                            "dpm++3s",
                            "singlestep DPM-Solver++, in groups of three levels (Lu et al. 2022,"
                                    + " arXiv:2211.01095)"),
                    entry(
                            "deis",
                            "DEIS by the last two estimates of the noise (Zhang and Chen 2022,"
                                    + " arXiv:2204.13902)"),
                    entry(
                            "unipc",
                            "UniPC, predictor and corrector (Zhao et al. 2023, arXiv:2302.04867)"),
                    entry(
                            "sa-solver",
                            "SA-Solver, stochastic Adams steps with a corrector (Xue et al. 2023,"
                                    + " arXiv:2309.05019)"),
                    entry(
                            "plms",
                            "pseudo linear multistep, by the last four outputs (Liu et al. 2022,"
                                    + " arXiv:2202.09778)"),
                    entry(
                            "lcm",
                            "multistep sampling of latent consistency models (Luo et al. 2023,"
                                    + " arXiv:2310.04378)"),
                    entry(
                            "flow-euler",
                            "Euler's method on a flow, at its shifted levels (Esser et al. 2024,"
                                    + " arXiv:2403.03206)"));

    private SchedulerClasses() {}

    static Scheduler read(SchedulerConfig config) {
        Function<SchedulerConfig, Scheduler> reader = CLASSES.get(config.className());
        if (reader == null) {
            throw new IllegalArgumentException(
                    "scheduler "
                            + config.className()
                            + " is not supported; supported are "
                            + String.join(", ", CLASSES.keySet()));
        }
        return reader.apply(config);
    }

    /** Another sampler for the model of a config. */
    static Scheduler replaced(SchedulerConfig config, Named named) {
        if (config.className().equals(ConsistencyScheduler.CLASS)) {
            throw new IllegalArgumentException(
                    "a consistency model goes to the picture at once, which no other sampler does;"
                            + " leave out the sampler");
        }
        boolean flow =
                config.className().startsWith("FlowMatch")
                        || config.text("prediction_type", "").equals("flow_prediction");
        if (ScoreSampler.DESCRIPTIONS.containsKey(named.name())) {
            return ScoreSampler.of(
                    named.name(),
                    config,
                    read(flow ? config : config.as(ScoreSampler.LEVELS, Map.of())));
        }
        if (flow && !named.className().equals(config.className())) {
            return new FlowScheduler(read(config), solver(named));
        }
        Scheduler replaced = read(config.as(named.className(), named.options()));
        if (flow != replaced.process().isFlow()) {
            throw new IllegalArgumentException(
                    "sampler "
                            + named.name()
                            + " does not fit a model of "
                            + config.className()
                            + ", which is not made by flow matching");
        }
        return replaced;
    }

    private static Solver solver(Named named) {
        if (named.solver() == null) {
            throw new IllegalArgumentException(
                    "sampler "
                            + named.name()
                            + " has noise levels of its own, but a model made by flow matching"
                            + " keeps its own; take one of the other samplers");
        }
        return named.solver();
    }

    static Named named(String name) {
        Named named = NAMES.get(name);
        if (named == null) {
            named = // diffusers' name of a class
                    NAMES.values().stream()
                            .filter(each -> each.className().equals(name))
                            .findFirst()
                            .map(each -> new Named(name, name, Map.of(), each.solver()))
                            .orElse(null);
        }
        if (named == null) {
            throw new IllegalArgumentException(
                    "no sampler is called "
                            + name
                            + "; there are "
                            + String.join(", ", NAMES.keySet()));
        }
        return named;
    }

    /** One line on a sampler: what it is, and its paper. */
    static String description(String name) {
        String own = named(name).name();
        String description = DESCRIPTIONS.getOrDefault(own, ScoreSampler.DESCRIPTIONS.get(own));
        if (description == null) {
            throw new IllegalArgumentException(
                    name + " is the name of a class; only samplers have descriptions");
        }
        return description;
    }

    private static void name(String name, String className, Solver solver) {
        NAMES.put(name, new Named(name, className, Map.of(), solver));
    }

    private static void dpmSolver(String name, DpmSolver.Algorithm algorithm, int order) {
        var solver = Solver.singlestep(algorithm, order, DpmSolver.Kind.MIDPOINT, true);
        NAMES.put(
                name,
                new Named(
                        name,
                        "DPMSolverSinglestepScheduler",
                        Map.of("solver_order", order, "lower_order_final", true),
                        solver));
    }

    private static void dpmSolver(
            String name, String type, DpmSolver.Algorithm algorithm, int order, boolean karras) {
        var options = new DpmSolver.Options(algorithm, order, DpmSolver.Kind.MIDPOINT, true, false);
        NAMES.put(
                name,
                new Named(
                        name,
                        "DPMSolverMultistepScheduler",
                        Map.of(
                                "algorithm_type", type,
                                "solver_order", order,
                                "use_karras_sigmas", karras),
                        karras ? null : Solver.multistep(options)));
    }
}
