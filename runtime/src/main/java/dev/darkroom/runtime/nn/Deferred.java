package dev.darkroom.runtime.nn;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.WeightSource;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Objects;
import java.util.function.Function;

/**
 * A network that is read from its checkpoint when one of its parameters is used first, and that may
 * be {@linkplain #unload freed} in between. What is wrong with the checkpoint is found when this is
 * made, from the headers of its files; adapters and listeners of the network stay.
 *
 * <p>May be used by several threads at once, as long as none of them unloads what another uses.
 *
 * @param <M> the network
 */
public final class Deferred<M extends Module> {
    /** The files of a network. */
    @FunctionalInterface
    public interface Files {
        /**
         * Opens them, hands their tensors over, and closes them.
         *
         * @throws IOException if they can't be read
         */
        void read(Reader reader) throws IOException;
    }

    /** Takes tensors while their files are open. */
    @FunctionalInterface
    public interface Reader {
        /** Takes tensors. */
        void take(WeightSource weights) throws IOException;
    }

    private final Files files;
    private final boolean shared;
    private final Declarations declarations;
    private final M network;
    private LinearFormat format = LinearFormat.COMPUTED;
    private boolean loaded;
    private boolean kept;

    private Deferred(Files files, boolean shared, Declarations declarations, M network) {
        this.files = files;
        this.shared = shared;
        this.declarations = declarations;
        this.network = network;
    }

    /**
     * Makes a network without values, and compares it with its checkpoint as {@link Weights#load}
     * does.
     *
     * @param files of the checkpoint
     * @param shared whether tensors that are used as they are stored take no memory, as where files
     *     are mapped
     * @param dtype of floating-point parameters
     * @param constructor of the network
     * @throws WeightsException if the checkpoint does not fit
     * @throws IOException if it can't be read
     */
    public static <M extends Module> Deferred<M> of(
            Files files,
            boolean shared,
            DType dtype,
            Device device,
            Warnings warnings,
            Function<Weights, M> constructor)
            throws IOException {
        Objects.requireNonNull(dtype, "dtype");
        Objects.requireNonNull(constructor, "constructor");
        var made = new Made<M>();
        files.read(
                weights -> {
                    var declarations = new Declarations(weights, dtype, device);
                    M network = declarations.declare(constructor);
                    declarations.check(weights, Declarations.name(network), warnings);
                    made.deferred = new Deferred<>(files, shared, declarations, network);
                });
        Deferred<M> deferred = made.deferred;
        if (deferred == null) {
            throw new IllegalStateException("the files have not handed their tensors over");
        }
        deferred.declarations.parameters().forEach(parameter -> parameter.defer(deferred));
        deferred.network.defer(deferred);
        return deferred;
    }

    private static final class Made<M extends Module> {
        private @Nullable Deferred<M> deferred;
    }

    /** Returns the network, whose parameters are loaded when they are used. */
    public M network() {
        return network;
    }

    /** Returns the bytes of memory that the parameters take in a format, once they are loaded. */
    public long bytes(LinearFormat format) {
        return declarations.bytes(Objects.requireNonNull(format, "format"), shared);
    }

    /** Returns the bytes of memory that loading will take; 0 if it is loaded. */
    public synchronized long bytesToLoad() {
        return loaded ? 0 : bytes(format);
    }

    /**
     * Returns what weights of linear layers are kept as: the format that was asked for, or the one
     * before it if no weight of this network gets smaller by that.
     */
    public synchronized LinearFormat format() {
        return declarations.kept(format);
    }

    /**
     * Says what the weights of linear layers are kept as from the next loading on.
     *
     * @throws IllegalStateException if the network is loaded
     */
    public synchronized void format(LinearFormat format) {
        if (loaded) {
            throw new IllegalStateException("unload the network first, it is kept as " + format);
        }
        this.format = Objects.requireNonNull(format, "format");
    }

    /**
     * Loads the parameters, unless they are.
     *
     * @throws WeightsException if the checkpoint was changed and does not fit any more
     * @throws IOException if it can't be read; nothing is loaded then
     * @throws dev.darkroom.runtime.InsufficientMemoryException if there is not enough memory
     */
    public synchronized void load() throws IOException {
        if (loaded) {
            return;
        }
        String name = Declarations.name(network);
        files.read(
                weights -> {
                    declarations.check(weights, name, Warnings.collected());
                    declarations.fill(declarations.from(weights, format));
                });
        loaded = true;
    }

    void loadUnchecked() {
        try {
            load();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /**
     * Loads the parameters and keeps them: the network becomes one as {@link Weights#load} gives.
     *
     * @throws IOException if the checkpoint can't be read; nothing is loaded then
     */
    public synchronized void keep() throws IOException {
        load();
        kept = true;
        declarations.parameters().forEach(parameter -> parameter.defer(null));
        network.defer(null);
    }

    /** Frees the parameters until one of them is used again, unless they are kept. */
    public synchronized void unload() {
        if (loaded && !kept) {
            declarations.free();
            loaded = false;
        }
    }
}
