package dev.darkroom.models.family;

/** Thrown when a model's numbers are of no use, such as latents that overflowed. */
public final class ModelException extends RuntimeException {
    private static final long serialVersionUID = 1;

    public ModelException(String message) {
        super(message);
    }
}
