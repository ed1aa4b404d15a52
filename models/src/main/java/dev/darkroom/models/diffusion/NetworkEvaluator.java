package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Tensor;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/**
 * Evaluates a network under several conditions: in one batch, whose order is nobody else's
 * business, or one after another, which takes less memory.
 */
public final class NetworkEvaluator implements Evaluator {
    private static final List<String> PERTURBED = List.of(Evaluator.PERTURBED);

    private final Preconditioning prediction;
    private final boolean batched;
    private final Map<List<String>, Denoiser> bound;

    /**
     * Binds the network to the conditions that a guidance asks for. What that computes belongs to
     * the scope which is open.
     *
     * @param conditions by name, each with N rows
     * @param batched whether conditions that are asked for together are evaluated together
     * @param around what is done around each evaluation of the network
     * @throws IllegalArgumentException if a condition is missing
     */
    public NetworkEvaluator(
            ConditionedNetwork network,
            Preconditioning prediction,
            Map<String, Condition> conditions,
            Guidance guidance,
            boolean batched,
            UnaryOperator<Network> around) {
        this.prediction = prediction;
        this.batched = batched;
        bound = new HashMap<>();
        for (List<String> asked : guidance.evaluations()) {
            for (List<String> one : parts(asked)) {
                bound.computeIfAbsent(
                        one,
                        names ->
                                new NetworkDenoiser(
                                        around.apply(bind(network, conditions, guidance, names)),
                                        prediction));
            }
        }
    }

    /** Binds the network, to be evaluated in batches. */
    public NetworkEvaluator(
            ConditionedNetwork network,
            Preconditioning prediction,
            Map<String, Condition> conditions,
            Guidance guidance) {
        this(network, prediction, conditions, guidance, true, UnaryOperator.identity());
    }

    private NetworkEvaluator(
            Preconditioning prediction, boolean batched, Map<List<String>, Denoiser> bound) {
        this.prediction = prediction;
        this.batched = batched;
        this.bound = bound;
    }

    private static Network bind(
            ConditionedNetwork network,
            Map<String, Condition> conditions,
            Guidance guidance,
            List<String> names) {
        if (!names.equals(PERTURBED)) {
            return network.bind(Condition.together(named(conditions, names)));
        }
        Perturbation perturbation = guidance.perturbation();
        if (perturbation == null) {
            throw new IllegalArgumentException(
                    "the guidance asks for a perturbed network and does not say how: " + guidance);
        }
        return network.bind(named(conditions, List.of(CONDITIONAL)).getFirst(), perturbation);
    }

    private static List<Condition> named(Map<String, Condition> conditions, List<String> names) {
        List<Condition> named = new ArrayList<>();
        for (String name : names) {
            Condition condition = conditions.get(name);
            if (condition == null) {
                throw new IllegalArgumentException(
                        "the guidance needs the condition "
                                + name
                                + ", but there is only "
                                + conditions.keySet());
            }
            named.add(condition);
        }
        return named;
    }

    /** What is evaluated together; a perturbed network is another one. */
    private List<List<String>> parts(List<String> names) {
        if (!batched) {
            return names.stream().map(List::of).toList();
        }
        if (!names.contains(Evaluator.PERTURBED)) {
            return List.of(names);
        }
        List<String> plain =
                names.stream().filter(name -> !name.equals(Evaluator.PERTURBED)).toList();
        if (!plain.equals(names.subList(0, names.size() - 1))) {
            throw new IllegalArgumentException(
                    "the perturbed estimate is asked for last, after another, not in " + names);
        }
        return List.of(plain, PERTURBED);
    }

    @Override
    public List<Denoised> denoise(Tensor x, NoiseLevel at, List<String> conditions) {
        return parts(conditions).stream().flatMap(part -> together(x, at, part).stream()).toList();
    }

    private List<Denoised> together(Tensor x, NoiseLevel at, List<String> conditions) {
        Denoiser denoiser = denoiser(conditions);
        return conditions.size() == 1
                ? List.of(denoiser.denoise(x, at))
                : denoiser.denoise(repeated(x, conditions.size()), at).split(conditions.size());
    }

    private Denoiser denoiser(List<String> conditions) {
        Denoiser denoiser = bound.get(conditions);
        if (denoiser == null) {
            throw new IllegalStateException(
                    "this guidance did not say that it asks for " + conditions);
        }
        return denoiser;
    }

    private static Tensor repeated(Tensor x, int times) {
        return Ops.cat(0, Collections.nCopies(times, x)); // [k·N,C,…]
    }

    @Override
    public Evaluator towards(NoiseLevel end) {
        var towards = new HashMap<>(bound);
        towards.replaceAll((names, denoiser) -> denoiser.towards(end));
        return new NetworkEvaluator(prediction, batched, towards);
    }

    @Override
    public Preconditioning prediction() {
        return prediction;
    }
}
