package dev.darkroom.training.stage;

import dev.darkroom.training.data.DataException;
import dev.darkroom.training.data.Example;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.List;

/**
 * What names the class of a picture.
 *
 * @param field of the data's captions file; null for the caption itself
 */
record ClassLabels(@Nullable String field) {
    /**
     * Returns the class of an example.
     *
     * @throws DataException if it has no such field
     */
    String of(Example example) throws DataException {
        if (field == null) {
            return example.caption();
        }
        String label = example.fields().get(field);
        if (label == null) {
            throw new DataException(
                    example.file(), "it has no field " + field + ", which names its class");
        }
        return label;
    }

    /** Returns the classes of examples, in their order. */
    List<String> of(List<Example> examples) throws DataException {
        List<String> labels = new ArrayList<>();
        for (Example example : examples) {
            labels.add(of(example));
        }
        return labels;
    }
}
