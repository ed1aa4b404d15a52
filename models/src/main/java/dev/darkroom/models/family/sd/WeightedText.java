package dev.darkroom.models.family.sd;

import dev.darkroom.common.OneLine;
import dev.darkroom.models.family.PromptSyntax;

import org.jspecify.annotations.Nullable;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Parts of a prompt with their weights, as AUTOMATIC1111's web UI reads them ({@code
 * parse_prompt_attention}): see {@link PromptSyntax#WEIGHTED}. A bracket that is not closed weighs
 * all behind it, one that was not opened is text. Its prompt editing, {@code [from:to:when]} and
 * {@code [a|b]}, is refused, and its {@code AND} is text.
 */
final class WeightedText {
    /** What a round bracket multiplies a weight with, and a square one divides it by. */
    private static final double STEP = 1.1;

    private static final double LARGEST = 100;
    private static final String BREAK = "BREAK";

    private static final Pattern TOKEN =
            Pattern.compile(
                    "\\\\[\\\\()\\[\\]]?|[()\\[\\]]|:\\s*(?<weight>[+-]?[.\\d]+)\\s*\\)"
                            + "|[^\\\\()\\[\\]:]+|:");

    private static final Pattern BREAKS = Pattern.compile("\\s*\\b" + BREAK + "\\b\\s*");

    /** What the web UI would change while it samples: {@code [from:to:when]} or {@code [a|b]}. */
    private static final Pattern EDITING =
            Pattern.compile(
                    "(?<!\\\\)\\[(?:[^\\[\\]|]*+\\|[^\\[\\]]*+|[^\\[\\]]*:\\s*[.\\d]+\\s*)\\]");

    /**
     * A part of a prompt.
     *
     * @param text the empty text for a break
     * @param weight NaN for a break
     */
    record Part(String text, double weight) {
        /** Returns whether a chunk ends here. */
        boolean isBreak() {
            return Double.isNaN(weight);
        }
    }

    private final List<Part> parts = new ArrayList<>();
    private final Deque<Integer> round = new ArrayDeque<>();
    private final Deque<Integer> square = new ArrayDeque<>();

    private WeightedText() {}

    /**
     * Reads a prompt.
     *
     * @throws IllegalArgumentException if a weight is no number or larger than 100, or the prompt
     *     is to change while it is sampled
     */
    static List<Part> parse(String prompt) {
        Matcher editing = EDITING.matcher(prompt);
        if (editing.find()) {
            throw new IllegalArgumentException(
                    "prompts that change while they are sampled are not supported, such as "
                            + OneLine.of(editing.group())
                            + "; [word] weakens a word, (word:0.8) gives it a weight, and \\[ is a"
                            + " bracket as text");
        }
        var text = new WeightedText();
        Matcher tokens = TOKEN.matcher(prompt);
        while (tokens.find()) {
            text.read(tokens.group(), tokens.group("weight"));
        }
        text.round.forEach(start -> text.multiply(start, STEP));
        text.square.forEach(start -> text.multiply(start, 1 / STEP));
        return text.merged();
    }

    private void read(String token, @Nullable String weight) {
        if (token.startsWith("\\")) {
            add(token.substring(1));
        } else if (token.equals("(")) {
            round.push(parts.size());
        } else if (token.equals("[")) {
            square.push(parts.size());
        } else if (weight != null && !round.isEmpty()) {
            multiply(round.pop(), number(weight));
        } else if (token.equals(")") && !round.isEmpty()) {
            multiply(round.pop(), STEP);
        } else if (token.equals("]") && !square.isEmpty()) {
            multiply(square.pop(), 1 / STEP);
        } else {
            addWithBreaks(token);
        }
    }

    private void addWithBreaks(String text) {
        Matcher breaks = BREAKS.matcher(text);
        int end = 0;
        while (breaks.find()) {
            add(text.substring(end, breaks.start()));
            parts.add(new Part("", Double.NaN));
            end = breaks.end();
        }
        add(text.substring(end));
    }

    private void add(String text) {
        parts.add(new Part(text, 1));
    }

    private void multiply(int start, double factor) {
        parts.subList(start, parts.size())
                .replaceAll(part -> new Part(part.text, part.weight * factor));
    }

    private static double number(String weight) {
        try {
            return Double.parseDouble(weight);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(
                    "the weight \"" + OneLine.of(weight) + "\" in the prompt is no number", e);
        }
    }

    /** The parts, those of one weight as one: words of a name may be escaped brackets. */
    private List<Part> merged() {
        var merged = new ArrayList<Part>();
        for (Part part : parts) {
            Part last = merged.isEmpty() ? null : merged.getLast();
            if (Math.abs(part.weight) > LARGEST) {
                throw new IllegalArgumentException(
                        "\""
                                + OneLine.of(part.text)
                                + "\" would weigh "
                                + part.weight
                                + "; a weight is from -100 to 100, and mostly from 0.5 to 1.5");
            }
            if (last != null && last.weight == part.weight) { // never of a break
                merged.set(merged.size() - 1, new Part(last.text + part.text, part.weight));
            } else {
                merged.add(part);
            }
        }
        return merged;
    }
}
