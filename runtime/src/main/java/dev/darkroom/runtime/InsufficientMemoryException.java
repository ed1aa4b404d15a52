package dev.darkroom.runtime;

/** Something was refused before it was allocated, because it needs more memory than there is. */
public final class InsufficientMemoryException extends RuntimeException {
    private static final long serialVersionUID = 1;

    private final long needed;
    private final long available;

    InsufficientMemoryException(String message, long needed, long available) {
        super(message);
        this.needed = needed;
        this.available = available;
    }

    /** Returns the bytes that were asked for. */
    public long needed() {
        return needed;
    }

    /** Returns the bytes that could have been given. */
    public long available() {
        return available;
    }
}
