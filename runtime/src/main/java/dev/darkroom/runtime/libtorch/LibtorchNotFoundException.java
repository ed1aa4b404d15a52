package dev.darkroom.runtime.libtorch;

/** No libtorch that Darkroom can use was found or loaded; the message says why and what to do. */
public final class LibtorchNotFoundException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public LibtorchNotFoundException(String message) {
        super(message);
    }

    public LibtorchNotFoundException(String message, Throwable cause) {
        super(message, cause);
    }
}
