package dev.darkroom.models.diffusion.diffusers;

import static java.util.Map.entry;

import dev.darkroom.common.NameAndSettings;
import dev.darkroom.models.diffusion.DpmSolver;
import dev.darkroom.models.diffusion.ExponentialSolver;
import dev.darkroom.models.diffusion.Prediction;
import dev.darkroom.models.diffusion.ReverseVariance;
import dev.darkroom.models.diffusion.Solver;
import dev.darkroom.models.diffusion.Solvers;
import dev.darkroom.models.diffusion.diffusers.EulerScheduler.Method;

import org.jspecify.annotations.Nullable;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.function.IntFunction;

/** Which config is read by what, and the short names of samplers. */
final class SchedulerClasses {
    /**
     * A sampler by its name.
     *
     * @param className diffusers' class
     * @param options of that class
     * @param method what it is on the levels of a flow; null if it has levels of its own
     * @param onlyLevels whether the class lends it its levels alone
     */
    record Named(
            String name,
            String className,
            Map<String, Object> options,
            @Nullable Method method,
            boolean onlyLevels) {}

    /** A sampler with its settings. */
    record Chosen(Named named, SamplerSettings settings) {}

    private static final String PLUS_PLUS = "-cfg++";

    static final Map<String, Function<SchedulerConfig, Scheduler>> CLASSES = new TreeMap<>();

    static final Map<String, Named> NAMES = new LinkedHashMap<>();

    static {
        CLASSES.put("DDPMScheduler", DdpmScheduler::read);
        CLASSES.put("DDIMScheduler", DdimScheduler::read);
        CLASSES.put("DDPMParallelScheduler", DdpmScheduler::read);
        CLASSES.put("UnCLIPScheduler", DdpmScheduler::readUnClip);
        CLASSES.put("DDIMParallelScheduler", DdimScheduler::read);
        CLASSES.put("CogVideoXDDIMScheduler", DdimScheduler::readCogVideoX);
        CLASSES.put("CogVideoXDPMScheduler", CogVideoXDpmScheduler::read);
        CLASSES.put("ScoreSdeVeScheduler", ScoreSdeVeScheduler::read);
        CLASSES.put("ScoreSdeVpScheduler", ScoreSdeVpScheduler::read);
        CLASSES.put("DDIMInverseScheduler", DdimInverseScheduler::read);
        CLASSES.put("EulerDiscreteScheduler", EulerScheduler::read);
        CLASSES.put("EulerAncestralDiscreteScheduler", EulerScheduler::readAncestral);
        CLASSES.put("HeunDiscreteScheduler", EulerScheduler::readHeun);
        CLASSES.put("LMSDiscreteScheduler", EulerScheduler::readLms);
        CLASSES.put("KDPM2DiscreteScheduler", EulerScheduler::readMidpoint);
        CLASSES.put("KDPM2AncestralDiscreteScheduler", EulerScheduler::readAncestralMidpoint);
        CLASSES.put("EDMEulerScheduler", EdmScheduler::readEuler);
        CLASSES.put("EDMDPMSolverMultistepScheduler", EdmScheduler::readMultistep);
        CLASSES.put("DPMSolverMultistepScheduler", DpmSolverScheduler::read);
        CLASSES.put("DPMSolverMultistepInverseScheduler", DpmSolverInverseScheduler::read);
        CLASSES.put("DPMSolverSinglestepScheduler", DpmSolverScheduler::readSinglestep);
        CLASSES.put("DEISMultistepScheduler", DpmSolverScheduler::readDeis);
        CLASSES.put("UniPCMultistepScheduler", DpmSolverScheduler::readUniPc);
        CLASSES.put("SASolverScheduler", DpmSolverScheduler::readSaSolver);
        CLASSES.put("LCMScheduler", LcmScheduler::read);
        CLASSES.put("TCDScheduler", LcmScheduler::readTcd);
        CLASSES.put("PNDMScheduler", PndmScheduler::read);
        CLASSES.put(ConsistencyScheduler.CLASS, ConsistencyScheduler::read);
        CLASSES.put("SCMScheduler", ScmScheduler::read);
        CLASSES.put("IPNDMScheduler", IpndmScheduler::read);
        CLASSES.put("FlowMatchEulerDiscreteScheduler", FlowEulerScheduler::read);
        CLASSES.put("FlowMatchHeunDiscreteScheduler", FlowEulerScheduler::readHeun);
        CLASSES.put("FlowMatchLCMScheduler", FlowEulerScheduler::readLcm);
        CLASSES.put(FlowMapScheduler.CLASS, FlowMapScheduler::read);
        name("ddpm", "DDPMScheduler", Solver.ddpm(ReverseVariance.FIXED_SMALL));
        Method ddim = new Method("eta", (call, level, early) -> Solver.ddim(call.eta(0)));
        name("ddim", "DDIMScheduler", ddim);
        name("euler", "EulerDiscreteScheduler", Method.EULER);
        name("euler-a", "EulerAncestralDiscreteScheduler", Method.ANCESTRAL);
        plusPlus("euler", "EulerDiscreteScheduler", of(Solver.cfgPlusPlus(0)));
        plusPlus("euler-a", "EulerAncestralDiscreteScheduler", of(Solver.cfgPlusPlus(1)));
        plusPlus(
                "ddim",
                "DDIMScheduler",
                new Method("eta", (call, level, early) -> Solver.cfgPlusPlus(call.eta(0))));
        name("heun", "HeunDiscreteScheduler", Method.HEUN);
        name("dpm2", "KDPM2DiscreteScheduler", Method.MIDPOINT);
        name("dpm2-a", "KDPM2AncestralDiscreteScheduler", Method.ANCESTRAL_MIDPOINT);
        name("lms", "LMSDiscreteScheduler", Method.LMS);
        dpmSolver("dpm++2m", "dpmsolver++", DpmSolver.Algorithm.DATA_ODE, 2, false);
        dpmSolver("dpm++2m-karras", "dpmsolver++", DpmSolver.Algorithm.DATA_ODE, 2, true);
        dpmSolver("dpm++2m-sde", "sde-dpmsolver++", DpmSolver.Algorithm.DATA_SDE, 2, false);
        dpmSolver("dpm++3m", "dpmsolver++", DpmSolver.Algorithm.DATA_ODE, 3, false);
        pndm("plms", true, Solver.plms(Prediction.FLOW));
        pndm("pndm", false, Solver.pndm(Prediction.FLOW));
        NAMES.put(
                "ipndm",
                new Named("ipndm", "PNDMScheduler", Map.of(), of(Solver.improvedPndm()), true));
        dpmSolver("dpm++2s", DpmSolver.Algorithm.DATA_ODE, 2);
        dpmSolver("dpm++3s", DpmSolver.Algorithm.DATA_ODE, 3);
        name("deis", "DEISMultistepScheduler", Solver.deis(2, true));
        var bh2 = ExponentialSolver.Slope.MIDPOINT;
        name("unipc", "UniPCMultistepScheduler", Solver.uniPc(false, 2, bh2, true, Set.of()));
        name(
                "sa-solver",
                "SASolverScheduler",
                Solver.saSolver(false, 2, 2, true, DpmSolverScheduler.SA_NOISE));
        ordered("res-multistep", 2, Solver::res);
        ordered("er-sde", 3, Solver::erSde);
        name("lcm", "LCMScheduler", Solvers::lcm);
        name(
                "tcd",
                "TCDScheduler",
                new Method(
                        "eta",
                        (call, level, early) ->
                                Solver.tcd(call.eta(LcmScheduler.TCD_GAMMA), null)));
        name("flow-euler", "FlowMatchEulerDiscreteScheduler", Method.EULER);
        name("flow-map", FlowMapScheduler.CLASS, Solver.flowMap());
        for (String each : ScoreSampler.DESCRIPTIONS.keySet()) {
            NAMES.put(each, new Named(each, ScoreSampler.LEVELS, Map.of(), null, false));
        }
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
                            "euler-cfg++",
                            "Euler's method with the unconditional noise, --guidance from 0 to 1"
                                    + " (Chung et al. 2024, arXiv:2406.08070)"),
                    entry(
                            "euler-a-cfg++",
                            "the same with fresh noise in each step (Chung et al. 2024,"
                                    + " arXiv:2406.08070)"),
                    entry(
                            "ddim-cfg++",
                            "the same at DDIM's levels, with eta for fresh noise (Chung et al."
                                    + " 2024, arXiv:2406.08070)"),
                    entry(
                            "heun",
                            "Heun's method, two evaluations a step (Karras et al. 2022,"
                                    + " arXiv:2206.00364)"),
                    entry(
                            "dpm2",
                            "the midpoint method in log σ, two evaluations a step (Lu et al. 2022,"
                                    + " arXiv:2206.00927; k-diffusion)"),
                    entry(
                            "dpm2-a",
                            "the same with fresh noise in each step (k-diffusion;"
                                    + " arXiv:2206.00927)"),
                    entry(
                            "lms",
                            "linear multistep, by the last four slopes (k-diffusion; Karras et al."
                                    + " 2022, arXiv:2206.00364)"),
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
                            "res-multistep",
                            "refined exponential solver by the last two estimates, or order"
                                    + " (Zhang et al. 2023, arXiv:2308.02157)"),
                    entry(
                            "er-sde",
                            "ER-SDE-Solver by the last three estimates, or order, with fresh noise"
                                    + " (Cui et al. 2023, arXiv:2309.06169)"),
                    entry(
                            "plms",
                            "pseudo linear multistep, by the last four outputs (Liu et al. 2022,"
                                    + " arXiv:2202.09778)"),
                    entry(
                            "pndm",
                            "the same after three steps of Runge and Kutta (Liu et al. 2022,"
                                    + " arXiv:2202.09778)"),
                    entry(
                            "ipndm",
                            "improved PNDM, by the last four estimates of the noise (Zhang and Chen"
                                    + " 2022, arXiv:2204.13902)"),
                    entry(
                            "tcd",
                            "sampling of trajectory consistency models, with eta for gamma (Zheng"
                                    + " et al. 2024, arXiv:2402.19159)"),
                    entry(
                            "lcm",
                            "multistep sampling of latent consistency models (Luo et al. 2023,"
                                    + " arXiv:2310.04378)"),
                    entry(
                            "flow-euler",
                            "Euler's method on a flow, at its shifted levels (Esser et al. 2024,"
                                    + " arXiv:2403.03206)"),
                    entry(
                            "flow-map",
                            "steps of a flow map, for students that take the time where a step ends"
                                    + " (MeanFlow, Geng et al. 2025, arXiv:2505.13447)"));

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
    static Scheduler replaced(SchedulerConfig config, Chosen chosen) {
        if (config.className().equals(ConsistencyScheduler.CLASS)) {
            throw new IllegalArgumentException(
                    "a consistency model goes to the picture at once, which no other sampler does;"
                            + " leave out the sampler");
        }
        Scheduler replaced = withOptions(config, chosen.named(), chosen.settings().options());
        return chosen.settings().arguments().isEmpty()
                ? replaced
                : new PresetScheduler(replaced, chosen.settings()::added);
    }

    private static Scheduler withOptions(
            SchedulerConfig config, Named named, Map<String, Object> settings) {
        boolean flow =
                isOfFlows(config.className())
                        || config.text("prediction_type", "").equals("flow_prediction");
        boolean ownLevels = flow || config.className().startsWith("EDM") || isOfScore(config);
        if (ScoreSampler.DESCRIPTIONS.containsKey(named.name())) {
            SchedulerConfig changed =
                    config.as(ownLevels ? config.className() : ScoreSampler.LEVELS, settings);
            Scheduler sampler = ScoreSampler.of(named.name(), changed, read(changed));
            changed.requireAsked(settings.keySet());
            return sampler;
        }
        boolean forFlows = isOfFlows(named.className());
        boolean same = named.className().equals(config.className());
        boolean alike = flow ? forFlows : named.className().startsWith("EDM") && !isOfScore(config);
        boolean another = !same && !(alike && named.method() == null);
        if (ownLevels && another && (flow || !forFlows)) {
            Method method = method(named);
            return new AnotherSolver(read(config, config.className(), settings), method);
        }
        var options = new LinkedHashMap<>(named.options());
        options.putAll(settings);
        Scheduler replaced =
                read(config, named.className(), options, Set.copyOf(settings.keySet()));
        if (flow != replaced.process().isFlow()) {
            throw new IllegalArgumentException(
                    "sampler "
                            + named.name()
                            + " does not fit a model of "
                            + config.className()
                            + ", which is not made by flow matching");
        }
        return named.onlyLevels() ? new AnotherSolver(replaced, method(named)) : replaced;
    }

    private static boolean isOfFlows(String className) {
        return className.startsWith("FlowMatch") || className.equals(FlowMapScheduler.CLASS);
    }

    /** Whether a model predicts the score, as none of the samplers' classes does. */
    private static boolean isOfScore(SchedulerConfig config) {
        return config.className().startsWith("ScoreSde");
    }

    private static Scheduler read(
            SchedulerConfig config, String className, Map<String, Object> settings) {
        return read(config, className, settings, settings.keySet());
    }

    private static Scheduler read(
            SchedulerConfig config,
            String className,
            Map<String, Object> options,
            Set<String> settings) {
        SchedulerConfig changed = config.as(className, options);
        Scheduler scheduler = read(changed);
        changed.requireAsked(settings);
        return scheduler;
    }

    private static Method method(Named named) {
        if (named.method() == null) {
            throw new IllegalArgumentException(
                    "sampler "
                            + named.name()
                            + " has noise levels of its own, but this model keeps its own; take"
                            + " one of the other samplers");
        }
        return named.method();
    }

    /**
     * A sampler by its name and settings.
     *
     * @throws IllegalArgumentException if there is no such sampler or setting
     */
    static Chosen chosen(String text) {
        var parsed = NameAndSettings.parse("sampler", text);
        return new Chosen(
                named(parsed.name()), SamplerSettings.of(parsed.name(), parsed.settings()));
    }

    static Named named(String name) {
        Named named = NAMES.get(name);
        if (named == null) {
            named = // diffusers' name of a class
                    NAMES.values().stream()
                            .filter(each -> each.className().equals(name))
                            .findFirst()
                            .map(each -> new Named(name, name, Map.of(), each.method(), false))
                            .orElse(null);
        }
        if (named == null && CLASSES.containsKey(name)) {
            named = new Named(name, name, Map.of(), null, false);
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

    /** A solver along DPM-Solver's levels whose order may be set. */
    private static void ordered(String name, int order, IntFunction<Solver> solver) {
        var method =
                new Method(
                        "order",
                        (call, level, early) ->
                                solver.apply(call.order() == null ? order : call.order()));
        NAMES.put(name, new Named(name, "DPMSolverMultistepScheduler", Map.of(), method, true));
    }

    /** CFG++ along the levels of a class, named after the sampler that has them. */
    private static void plusPlus(String levels, String className, Method method) {
        String name = levels + PLUS_PLUS;
        NAMES.put(name, new Named(name, className, Map.of(), method, true));
    }

    /** Whether a sampler is one of CFG++. */
    static boolean isPlusPlus(String name) {
        return chosen(name).named().name().endsWith(PLUS_PLUS);
    }

    private static Method of(Solver solver) {
        return new Method("", (arguments, level, early) -> solver);
    }

    private static void name(String name, String className, Solver solver) {
        name(name, className, of(solver));
    }

    private static void name(String name, String className, Method method) {
        NAMES.put(name, new Named(name, className, Map.of(), method, false));
    }

    private static void pndm(String name, boolean skipped, Solver solver) {
        NAMES.put(
                name,
                new Named(
                        name,
                        "PNDMScheduler",
                        Map.of("skip_prk_steps", skipped),
                        of(solver),
                        false));
    }

    private static void dpmSolver(String name, DpmSolver.Algorithm algorithm, int order) {
        var solver = Solver.singlestep(algorithm, order, DpmSolver.Kind.MIDPOINT, true);
        NAMES.put(
                name,
                new Named(
                        name,
                        "DPMSolverSinglestepScheduler",
                        Map.of("solver_order", order, "lower_order_final", true),
                        of(solver),
                        false));
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
                        karras ? null : of(Solver.multistep(options)),
                        false));
    }
}
