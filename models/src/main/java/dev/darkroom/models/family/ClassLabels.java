package dev.darkroom.models.family;

import dev.darkroom.common.OneLine;
import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.models.checkpoint.CheckpointException;
import dev.darkroom.tokenizers.Prompts;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The classes of a network that is conditioned on them.
 *
 * @param count classes are numbers from 0 to {@code count} − 1
 * @param numbers of classes by their names, prepared as prompts are
 */
public record ClassLabels(int count, Map<String, Integer> numbers) {
    private static final int SHOWN = 12;

    /** Keeps the names as they are. */
    public ClassLabels {
        numbers = new TreeMap<>(numbers);
    }

    /**
     * Reads the names that a checkpoint has; {@code id2label} gives a number several names, split
     * by commas.
     *
     * @param part whose classes they are, in messages
     * @param count of its classes
     * @throws CheckpointException if a name is of a class that the network does not have
     */
    public static ClassLabels read(Checkpoint checkpoint, String part, int count)
            throws CheckpointException {
        Map<String, Integer> numbers = new TreeMap<>();
        for (var each : checkpoint.labels().entrySet()) {
            int number = number(each.getKey(), count);
            if (number < 0) {
                throw new CheckpointException(
                        checkpoint.folder()
                                + ": id2label in model_index.json names the class "
                                + OneLine.of(each.getKey())
                                + ", but the "
                                + part
                                + " has "
                                + count);
            }
            for (String name : each.getValue().split(",", -1)) {
                numbers.put(Prompts.prepare(name), number);
            }
        }
        return new ClassLabels(count, numbers);
    }

    /**
     * Refuses what a model of classes does not take: texts, no class, and what only other families
     * take.
     *
     * @throws IllegalArgumentException which says what it takes
     */
    public void require(Inputs inputs) {
        inputs.requireNoneBut();
        if (inputs.prompt() != null || !inputs.negativeText().isEmpty()) {
            throw new IllegalArgumentException(
                    "this checkpoint draws classes and takes no prompt; name a class instead");
        }
        if (inputs.classes().isEmpty()) {
            throw new IllegalArgumentException(
                    "this checkpoint draws classes; name one" + someNames());
        }
    }

    /**
     * The numbers of the classes that are asked for, one for each picture.
     *
     * @throws IllegalArgumentException if there is no such class
     */
    public long[] of(Inputs inputs, Report report) {
        long[] asked = inputs.classes().stream().mapToLong(this::number).toArray();
        if (asked.length == 1) {
            long only = asked[0];
            asked = new long[inputs.batch()];
            Arrays.fill(asked, only);
        }
        report.used("classes", Arrays.stream(asked).boxed().toList());
        return asked;
    }

    private int number(String name) {
        Integer named = numbers.get(Prompts.prepare(name));
        int number = named != null ? named : number(name, count);
        if (number < 0) {
            throw new IllegalArgumentException(
                    "no class \""
                            + name
                            + "\"; classes are numbers from 0 to "
                            + (count - 1)
                            + someNames());
        }
        return number;
    }

    /** A class number, or −1 if the text is none. */
    private static int number(String text, int count) {
        try {
            int number = Integer.parseInt(text);
            return number < count ? number : -1;
        } catch (NumberFormatException e) {
            return -1;
        }
    }

    private String someNames() {
        if (numbers.isEmpty()) {
            return "";
        }
        List<String> shown = new ArrayList<>(numbers.keySet());
        boolean all = shown.size() <= SHOWN;
        return ", or labels such as " + String.join(", ", all ? shown : shown.subList(0, SHOWN));
    }
}
