package dev.darkroom.training.stage;

import dev.darkroom.models.family.TrainingInput;
import dev.darkroom.training.data.PictureFolder;

import java.util.List;

/** The captions of a data set. */
final class Captions {
    /** Stands for a caption that is dropped. */
    static final String NONE = "";

    private Captions() {}

    /** Returns the captions of a data set's examples, in their order, as prompts are read. */
    static List<String> of(PictureFolder data, TrainingInput.Text input) {
        return data.examples().stream().map(example -> input.prepared(example.caption())).toList();
    }
}
