package dev.darkroom.runtime;

import dev.darkroom.runtime.libtorch.LibtorchException;
import dev.darkroom.runtime.nn.Linear;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Parameter;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.runtime.nn.WeightsException;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.SafetensorsException;

import org.jspecify.annotations.Nullable;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.Constructor;
import java.lang.reflect.Executable;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.LongBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Random;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;

/**
 * Calls every public method of the module from many threads at once, which share what they use: in
 * rounds, after each of which all is closed and no tensor may be live. {@code Misuse
 * platform|virtual SEED CALLS FOLDER}. {@code FOLDER/calls} holds the call that each thread is in,
 * by its index.
 */
final class Misuse {
    static final int PLATFORM_THREADS = 8;
    static final int VIRTUAL_THREADS = 1000;
    private static final int CALLS_A_ROUND = 20_000;
    private static final long HANG_SECONDS = 60;

    private final List<Executable> methods = PublicMethods.all();
    private final boolean virtual;
    private final int threads;
    private final Path folder;
    private final LongBuffer inFlight;
    private final AtomicLong made = new AtomicLong();
    private final Map<String, AtomicLong> outcomes = new ConcurrentHashMap<>();
    private final Map<String, Throwable> wrong = new ConcurrentHashMap<>();
    private final AtomicLong[] succeeded = new AtomicLong[methods.size()];

    private Misuse(boolean virtual, Path folder, LongBuffer inFlight) {
        this.virtual = virtual;
        this.threads = virtual ? VIRTUAL_THREADS : PLATFORM_THREADS;
        this.folder = folder;
        this.inFlight = inFlight;
        Arrays.setAll(succeeded, i -> new AtomicLong());
    }

    static LongBuffer map(Path folder) throws IOException {
        try (var channel =
                FileChannel.open(
                        folder.resolve("calls"),
                        StandardOpenOption.CREATE,
                        StandardOpenOption.READ,
                        StandardOpenOption.WRITE)) {
            return channel.map(FileChannel.MapMode.READ_WRITE, 0, 8L * VIRTUAL_THREADS)
                    .asLongBuffer();
        }
    }

    public static void main(String[] args) throws Exception {
        Path folder = Path.of(args[3]);
        Files.createDirectories(folder.resolve("out"));
        var misuse = new Misuse(args[0].equals("virtual"), folder, map(folder));
        long seed = Long.parseLong(args[1]);
        long calls = Long.parseLong(args[2]);
        misuse.watch();
        int before = platformThreads();
        for (long round = 0; misuse.made.get() < calls && misuse.wrong.isEmpty(); round++) {
            misuse.round(seed * 1_000_003 + round, calls - misuse.made.get());
        }
        misuse.report(seed);
        int left = platformThreads() - before;
        if (left > 0) {
            throw new AssertionError(left + " threads are left");
        }
        if (!misuse.wrong.isEmpty()) {
            misuse.wrong.values().forEach(Throwable::printStackTrace);
            System.exit(1);
        }
    }

    /** Threads that are not the JVM's. */
    private static int platformThreads() {
        return (int)
                Thread.getAllStackTraces().keySet().stream()
                        .filter(thread -> thread.getName().startsWith("misuse"))
                        .count();
    }

    private void watch() {
        Thread.ofPlatform()
                .daemon()
                .name("watch")
                .start(
                        () -> {
                            long known = -1;
                            while (known != made.get()) {
                                known = made.get();
                                try {
                                    TimeUnit.SECONDS.sleep(HANG_SECONDS);
                                } catch (InterruptedException e) {
                                    return;
                                }
                            }
                            System.out.println("hangs");
                            Thread.getAllStackTraces()
                                    .forEach(
                                            (thread, stack) ->
                                                    System.out.println(
                                                            thread + " " + List.of(stack)));
                            Runtime.getRuntime().halt(3);
                        });
    }

    private void round(long seed, long left) throws Exception {
        Threads.set(1);
        Kernels machine = Kernels.current();
        long live = Memory.liveTensors();
        long bytes = Memory.liveBytes();
        int each = (int) Math.max(1, Math.min(CALLS_A_ROUND, left) / threads);
        share(seed, each);
        Kernels.use(machine);
        if (Memory.liveTensors() != live || Memory.liveBytes() != bytes) {
            // with -Ddarkroom.leaks=sites, what leaked is logged once it is collected
            System.gc();
            TimeUnit.SECONDS.sleep(1);
            String kept =
                    Memory.liveTensors()
                            - live
                            + " tensors and "
                            + (Memory.liveBytes() - bytes)
                            + " bytes live";
            wrong.put("live", new AssertionError(kept));
        }
    }

    private void share(long seed, int each) throws Exception {
        var pool = new MisusePool(folder, new Random(seed));
        var done = new CountDownLatch(threads);
        long[] seeds = new SplittableRandom(seed).longs(threads).toArray();
        Thread.Builder builder = virtual ? Thread.ofVirtual() : Thread.ofPlatform();
        builder.name("misuse");
        for (int i = 0; i < threads; i++) {
            int at = i;
            builder.start(
                    () -> {
                        try {
                            work(pool, at, each, new Random(seeds[at]));
                        } catch (Throwable e) {
                            wrong.putIfAbsent("the run itself: " + e, e);
                        } finally {
                            inFlight.put(at, 0);
                            done.countDown();
                        }
                    });
        }
        done.await();
        pool.close();
    }

    private void work(MisusePool pool, int at, int calls, Random random) {
        for (int i = 0; i < calls; i++) {
            int index = random.nextInt(methods.size());
            Executable method = methods.get(index);
            if (method.getName().equals("close") && random.nextInt(8) != 0) {
                continue;
            }
            inFlight.put(at, index + 1L);
            ForeignCode.run(() -> one(pool, index, method, random));
            Thread.interrupted(); // the JVM interrupts who reads a segment that is being closed
        }
    }

    private void one(MisusePool pool, int index, Executable method, Random random) {
        TensorScope.open();
        TensorScope.open(); // what is kept goes to the one around
        var modes = List.of(Mode.NO_GRAD, Mode.GRAD, Mode.INFERENCE);
        modes.get(Math.max(0, random.nextInt(6) - 3)).enter();
        var arguments = new MisuseArguments(pool, random);
        String outcome;
        try {
            Object result = call(pool, method, arguments, random);
            succeeded[index].incrementAndGet();
            outcome = "returned";
            take(pool, method, result, arguments.borrows(), random);
        } catch (Throwable e) {
            outcome = e.getClass().getName();
            if (!isDocumented(e, arguments.hasNull())) {
                wrong.putIfAbsent(
                        PublicMethods.name(method) + outcome,
                        new AssertionError(PublicMethods.name(method) + " threw " + e, e));
            }
        }
        count(outcome);
        disturb(pool, random);
    }

    /**
     * Calls a method with arguments that are made for it.
     *
     * @throws NoSuchElementException if there is nothing to call it on: streams need a GPU
     */
    static @Nullable Object call(
            MisusePool pool, Executable method, MisuseArguments arguments, Random random)
            throws Throwable {
        if (usesWeights(method)) {
            return declaring(method, arguments);
        }
        boolean isStatic =
                Modifier.isStatic(method.getModifiers()) || method instanceof Constructor;
        Object self = isStatic ? pool : arguments.receiver(method);
        if (self == null) {
            throw new NoSuchElementException("no receiver");
        }
        @Nullable Object[] given = arguments.of(method);
        Object result = call(method, self, given);
        if (self instanceof Linear layer
                && given.length == 1
                && given[0] instanceof Linear.Adapter adapter
                && random.nextInt(8) != 0) {
            layer.detach(adapter); // or no call would get through the layer
        }
        return result;
    }

    private static boolean usesWeights(Executable method) {
        return (method.getDeclaringClass() == Weights.class
                        && !Modifier.isStatic(method.getModifiers()))
                || Arrays.asList(method.getParameterTypes()).contains(Weights.class);
    }

    /** Calls what declares parameters while a network is being built, and closes that. */
    private static @Nullable Object declaring(Executable method, MisuseArguments arguments)
            throws Throwable {
        var thrown = new AtomicReference<@Nullable Throwable>();
        Weights.random(
                        1,
                        DType.FLOAT32,
                        Device.CPU,
                        w ->
                                new MisusePool.Host(
                                        w,
                                        place -> {
                                            arguments.declareIn(place);
                                            try {
                                                call(method, place, arguments.of(method));
                                            } catch (Throwable e) {
                                                thrown.set(e);
                                            }
                                        }))
                .close();
        if (thrown.get() != null) {
            throw thrown.get();
        }
        return null;
    }

    private void count(String outcome) {
        outcomes.computeIfAbsent(outcome, key -> new AtomicLong()).incrementAndGet();
        made.incrementAndGet();
    }

    private static @Nullable Object call(
            Executable method, Object self, @Nullable Object[] arguments) throws Throwable {
        try {
            return method instanceof Constructor<?> constructor
                    ? constructor.newInstance(arguments)
                    : ((Method) method).invoke(self, arguments);
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }

    /**
     * What a method may throw. A null that a method takes only by mistake may be a {@code
     * NullPointerException}.
     */
    private static boolean isDocumented(Throwable e, boolean hasNull) {
        return e.getClass() == IllegalArgumentException.class
                || e.getClass() == IllegalStateException.class
                || e.getClass() == UnsupportedOperationException.class
                || e.getClass() == IndexOutOfBoundsException.class
                || e.getClass() == ArithmeticException.class
                || e instanceof LibtorchException
                || e instanceof InsufficientMemoryException
                || e instanceof SafetensorsException
                || e instanceof WeightsException
                || (e.getClass() == IOException.class && e.getMessage() != null)
                || e instanceof FileSystemException
                || e instanceof FileNotFoundException
                || e.getClass() == NoSuchElementException.class
                || e instanceof MisuseArguments.Foreign
                || (hasNull && e instanceof NullPointerException);
    }

    /** Shares a result with the other threads, or closes it. */
    private static void take(
            MisusePool pool,
            Executable method,
            @Nullable Object result,
            boolean borrows,
            Random random)
            throws Exception {
        switch (result) {
            case Tensor tensor -> {
                if (method.getDeclaringClass() == Parameter.class) {
                    break; // stays the module's
                } else if (!borrows && !tensor.isClosed() && isSmall(tensor)) {
                    pool.share(tensor, random);
                } else {
                    TensorScope.release(tensor);
                }
            }
            case Long address when method.getName().equals("toDlpack") -> {
                if (random.nextBoolean()) {
                    Tensor.fromDlpack(address);
                } else {
                    Tensor.freeDlpack(address);
                }
            }
            case MemorySegment segment when segment.isNative() ->
                    pool.segments.set(8 + random.nextInt(8), segment);
            case Safetensors file -> file.close();
            case Parameter parameter when method.getName().equals("of") -> parameter.close();
            case Module module when method.getName().matches("load|random") -> module.close();
            case AutoCloseable made when method instanceof Constructor -> made.close();
            case null, default -> {}
        }
    }

    private static boolean isSmall(Tensor tensor) {
        try {
            return tensor.elements() < 512;
        } catch (IllegalStateException e) {
            return false; // another thread closed it
        }
    }

    /** Writes where others read, and closes memory under them. */
    private static void disturb(MisusePool pool, Random random) {
        int what = random.nextInt(40);
        if (what == 0) {
            pool.renewArena(random.nextInt(pool.arenas.length()));
        } else if (what < 4) {
            int at = random.nextInt(pool.segments.length());
            MemorySegment segment = pool.segments.get(at);
            if (segment != null) {
                try {
                    segment.toArray(ValueLayout.JAVA_BYTE);
                    if (at < pool.arenas.length()) {
                        segment.fill((byte) 1);
                    }
                } catch (IllegalStateException e) {
                    // ended with its tensor or arena
                }
            }
        }
    }

    private void report(long seed) {
        System.out.printf(
                "%s threads, seed %d: %d calls of %d methods, %d tensors and %d bytes live%n",
                virtual ? VIRTUAL_THREADS + " virtual" : PLATFORM_THREADS + " platform",
                seed,
                made.get(),
                methods.size(),
                Memory.liveTensors(),
                Memory.liveBytes());
        new TreeMap<>(outcomes)
                .forEach((kind, count) -> System.out.println("  " + kind + " " + count));
        List<String> never = new ArrayList<>();
        for (int i = 0; i < succeeded.length; i++) {
            if (succeeded[i].get() == 0) {
                never.add(PublicMethods.name(methods.get(i)));
            }
        }
        System.out.println("  never returned: " + never.size() + " " + never);
    }
}
