package dev.darkroom.recipe.score;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.recipe.score.Prompt.Kind;

import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.function.Predicate;
import java.util.function.ToDoubleFunction;

/**
 * What a model's pictures were judged to show.
 *
 * @param judged one for each picture
 * @param seconds that sampling them took
 */
record Report(List<Judged> judged, double seconds) {
    /** A picture's caption and what it shows. */
    record Judged(Prompt prompt, long seed, Verdict verdict) {
        boolean emoji() {
            return prompt.emoji().equals(verdict.emoji());
        }

        boolean background() {
            return prompt.background() == verdict.background();
        }

        boolean object() {
            return prompt.object() == null || prompt.object() == verdict.object();
        }

        boolean all() {
            return emoji() && background() && object();
        }
    }

    /** The shares of what is right, and every picture. */
    ObjectNode json() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("pictures", judged.size());
        json.put("seconds_a_picture", rounded(seconds / judged.size()));
        ObjectNode emoji = json.putObject("emoji");
        put(emoji, "all", each -> each.prompt.kind() != Kind.BINDING, Judged::emoji);
        for (Kind kind : List.of(Kind.WHITE, Kind.SEEN, Kind.HELD_OUT)) {
            put(emoji, name(kind), each -> each.prompt.kind() == kind, Judged::emoji);
        }
        ObjectNode background = json.putObject("background");
        put(background, "all", each -> each.prompt.kind() != Kind.BINDING, Judged::background);
        for (Kind kind : List.of(Kind.WHITE, Kind.SEEN, Kind.HELD_OUT)) {
            put(background, name(kind), each -> each.prompt.kind() == kind, Judged::background);
        }
        putBinding(json);
        putDistances(json);
        putQuantiles(json, "sharpness", Verdict::sharpness);
        var pictures = json.putArray("each");
        judged.forEach(each -> pictures.add(json(each)));
        return json;
    }

    private void putBinding(ObjectNode json) {
        Predicate<Judged> binding = each -> each.prompt.kind() == Kind.BINDING;
        if (judged.stream().noneMatch(binding)) {
            return;
        }
        Predicate<Judged> colours = each -> each.object() && each.background();
        ObjectNode node = json.putObject("binding");
        put(node, "object", binding, Judged::object);
        put(node, "background", binding, Judged::background);
        put(node, "both", binding, colours);
        put(node, "both_and_emoji", binding, Judged::all);
        put(node, "both_seen", binding.and(each -> each.prompt.seen()), colours);
        put(node, "both_unseen", binding.and(each -> !each.prompt.seen()), colours);
    }

    /** How near the training pictures are, in quantiles over the pictures. */
    private void putDistances(ObjectNode json) {
        ObjectNode node = json.putObject("nearest_training_picture");
        putQuantiles(node, "rms_levels", Verdict::copied);
        putQuantiles(node, "features", Verdict::apart);
    }

    private void putQuantiles(ObjectNode node, String name, ToDoubleFunction<Verdict> value) {
        double[] sorted =
                judged.stream().map(Judged::verdict).mapToDouble(value).sorted().toArray();
        ObjectNode quantiles = node.putObject(name);
        for (double share : new double[] {0.05, 0.5, 0.95}) {
            int at = (int) Math.min(sorted.length - 1.0, share * sorted.length);
            quantiles.put(String.format(Locale.ROOT, "%.2f", share), rounded(sorted[at]));
        }
    }

    private void put(
            ObjectNode node, String name, Predicate<Judged> among, Predicate<Judged> right) {
        List<Judged> chosen = judged.stream().filter(among).toList();
        if (!chosen.isEmpty()) {
            node.put(name, rounded((double) chosen.stream().filter(right).count() / chosen.size()));
        }
    }

    private static ObjectNode json(Judged each) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        Prompt prompt = each.prompt;
        Verdict verdict = each.verdict;
        json.put("text", prompt.text()).put("seed", each.seed).put("kind", name(prompt.kind()));
        json.put("right", each.all());
        json.put("emoji", prompt.emoji()).put("shows", verdict.emoji());
        json.put("background", prompt.background().word());
        json.put("shows_background", verdict.background().word());
        if (prompt.object() != null) {
            json.put("object_colour", prompt.object().word()).put("seen", prompt.seen());
        }
        json.put(
                "shows_object_colour",
                Objects.toString(verdict.object(), "none").toLowerCase(Locale.ROOT));
        json.put("nearest", verdict.nearest());
        json.put("features", rounded(verdict.apart()));
        json.put("sharpness", rounded(verdict.sharpness()));
        json.put("rms_levels", rounded(verdict.copied()));
        return json;
    }

    private static String name(Kind kind) {
        return kind.name().toLowerCase(Locale.ROOT);
    }

    private static double rounded(double value) {
        return Math.rint(value * 1e4) / 1e4;
    }
}
