package dev.darkroom.runtime;

import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.function.Consumer;

/**
 * What loading a model meets that does not keep it from loading: tensors that its networks have no
 * use for, options of configs that are not known. Whoever loads passes one along and asks it
 * afterwards. May be used by several threads at once.
 */
public final class Warnings {
    private final boolean strict;
    private final Set<String> all = new LinkedHashSet<>();

    private final Consumer<String> listener;

    private Warnings(boolean strict, Consumer<String> listener) {
        this.strict = strict;
        this.listener = listener;
    }

    /** Makes warnings that are collected; what is extra is ignored with a warning. */
    public static Warnings collected() {
        return new Warnings(false, warning -> {});
    }

    /** Makes warnings that are collected and passed on as they come. */
    public static Warnings passedTo(Consumer<String> listener) {
        return new Warnings(false, Objects.requireNonNull(listener, "listener"));
    }

    /** Makes warnings that are collected, where what is extra is an error of whoever finds it. */
    public static Warnings strict() {
        return new Warnings(true, warning -> {});
    }

    /** Returns whether extra tensors and unknown options are errors. */
    public boolean isStrict() {
        return strict;
    }

    /**
     * Adds a warning, unless it is there already.
     *
     * @param warning names the file and what is in it; without a full stop
     */
    public void add(String warning) {
        Objects.requireNonNull(warning);
        boolean fresh;
        synchronized (this) {
            fresh = all.add(warning);
        }
        if (fresh) {
            listener.accept(warning); // not under the lock: it may wait for another thread
        }
    }

    /** Returns all warnings, in the order in which they came. */
    public synchronized List<String> list() {
        return List.copyOf(all);
    }
}
