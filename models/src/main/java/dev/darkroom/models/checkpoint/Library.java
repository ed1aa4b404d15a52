package dev.darkroom.models.checkpoint;

import dev.darkroom.runtime.safetensors.WeightFiles;

import java.util.Locale;

/** The library whose classes a checkpoint's parts name. */
public enum Library {
    DIFFUSERS(WeightFiles.DIFFUSERS),
    TRANSFORMERS(WeightFiles.TRANSFORMERS);

    private final String stem;

    Library(String stem) {
        this.stem = stem;
    }

    /** Returns what the names of its weights' files begin with. */
    public String stem() {
        return stem;
    }

    /** Returns what {@code model_index.json} calls it. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
