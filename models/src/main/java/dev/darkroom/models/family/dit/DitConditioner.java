package dev.darkroom.models.family.dit;

import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.models.family.Conditioner;
import dev.darkroom.models.family.Inputs;
import dev.darkroom.models.family.Report;
import dev.darkroom.models.family.Size;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.tokenizers.Prompts;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * DiT's conditions: a class for each picture.
 *
 * @param config of the network
 * @param labels class numbers by their names, prepared as prompts are
 * @param device of the network
 */
record DitConditioner(DitConfig config, Map<String, Integer> labels, Device device)
        implements Conditioner {
    private static final int SHOWN_LABELS = 12;

    @Override
    public void require(Inputs inputs) {
        inputs.requireNoneBut();
        if (inputs.prompt() != null || !inputs.negativeText().isEmpty()) {
            throw new IllegalArgumentException(
                    "this checkpoint draws classes and takes no prompt; name a class instead");
        }
        if (inputs.classes().isEmpty()) {
            throw new IllegalArgumentException(
                    "this checkpoint draws classes; name one" + someLabels());
        }
    }

    @Override
    public Condition encode(Inputs inputs, Size size, Report report) {
        long[] ids = inputs.classes().stream().mapToLong(this::id).toArray();
        if (ids.length == 1) {
            ids = filled(ids[0], inputs);
        }
        report.used("classes", Arrays.stream(ids).boxed().toList());
        return condition(ids);
    }

    @Override
    public Condition without(Inputs inputs, Size size, Report report) {
        return condition(filled(config.nullClass(), inputs));
    }

    private static long[] filled(long id, Inputs inputs) {
        var ids = new long[inputs.batch()];
        Arrays.fill(ids, id);
        return ids;
    }

    private Condition condition(long... ids) {
        return condition(Tensor.copyOf(ids, ids.length).to(device));
    }

    /** The condition on classes, int64 {@code [N]}. */
    static Condition condition(Tensor classes) {
        return Condition.of(DitTransformer.LABELS, classes);
    }

    private int id(String name) {
        Integer labelled = labels.get(Prompts.prepare(name));
        int id = labelled != null ? labelled : number(name, config);
        if (id < 0) {
            throw new IllegalArgumentException(
                    "no class \""
                            + name
                            + "\"; classes are numbers from 0 to "
                            + (config.numEmbedsAdaNorm() - 1)
                            + someLabels());
        }
        return id;
    }

    /** A class number, or −1 if the text is none. */
    static int number(String text, DitConfig config) {
        try {
            int id = Integer.parseInt(text);
            return id < config.numEmbedsAdaNorm() ? id : -1;
        } catch (NumberFormatException e) {
            return -1;
        }
    }

    private String someLabels() {
        if (labels.isEmpty()) {
            return "";
        }
        List<String> shown = new ArrayList<>(labels.keySet());
        boolean all = shown.size() <= SHOWN_LABELS;
        return ", or labels such as "
                + String.join(", ", all ? shown : shown.subList(0, SHOWN_LABELS));
    }
}
