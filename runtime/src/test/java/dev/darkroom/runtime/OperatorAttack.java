package dev.darkroom.runtime;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.LongBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * Calls operators through {@link Aten}, and {@link HostileMethods}, with {@link HostileArguments},
 * in JVMs of their own: when one dies, the operator that it was in is noted, and another goes on
 * behind it.
 */
final class OperatorAttack {
    private static final int FINISHED = -1;
    private static final long HANG_SECONDS = 20;

    /** An operator that ended a JVM, or never returned. */
    record Death(String operator, String how, String arguments) {}

    private final Path folder;
    private final long seed;
    private final int attempts;
    private final List<String> options;

    /**
     * @param attempts with each operator
     * @param options of the JVMs
     */
    OperatorAttack(Path folder, long seed, int attempts, List<String> options) {
        this.folder = folder;
        this.seed = seed;
        this.attempts = attempts;
        this.options = options;
    }

    /** Attacks operators one after the other. */
    List<Death> run(List<String> operators, Consumer<Death> on)
            throws IOException, InterruptedException {
        List<Death> deaths = new ArrayList<>();
        Path names = Files.write(folder.resolve("operators.txt"), operators);
        Path progress = folder.resolve("progress");
        for (int next = 0; next < operators.size(); ) {
            try (var channel = open(progress)) {
                LongBuffer at = map(channel);
                at.put(0, next).put(1, 0);
                Process child =
                        Child.start(
                                folder,
                                options,
                                OperatorAttack.class,
                                names.toString(),
                                progress.toString(),
                                String.valueOf(seed),
                                String.valueOf(attempts));
                String how = await(child, at);
                if (at.get(0) == FINISHED && how.equals("exit 0")) {
                    return deaths;
                }
                int index = (int) Math.max(at.get(0), next);
                String name = operators.get(Math.min(index, operators.size() - 1));
                var death = new Death(name, how, describe(name, (int) at.get(1)));
                deaths.add(death);
                on.accept(death);
                next = index + 1;
            }
        }
        return deaths;
    }

    private static String await(Process child, LongBuffer at) throws InterruptedException {
        long known = -1;
        long since = System.nanoTime();
        while (!child.waitFor(200, TimeUnit.MILLISECONDS)) {
            long now = at.get(0) << 32 | at.get(1);
            if (now != known) {
                known = now;
                since = System.nanoTime();
            } else if (System.nanoTime() - since > TimeUnit.SECONDS.toNanos(HANG_SECONDS)) {
                child.destroyForcibly().waitFor();
                return "hang";
            }
        }
        return "exit " + child.exitValue();
    }

    private String describe(String name, int attempt) {
        try (var scope = TensorScope.open()) {
            return HostileArguments.describe(arguments(name, seed, attempt));
        } catch (RuntimeException e) {
            return e.toString();
        }
    }

    private static FileChannel open(Path file) throws IOException {
        return FileChannel.open(
                file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
    }

    private static LongBuffer map(FileChannel channel) throws IOException {
        return channel.map(FileChannel.MapMode.READ_WRITE, 0, 16).asLongBuffer();
    }

    private static @Nullable Object[] arguments(String name, long seed, int attempt) {
        boolean method = HostileMethods.isOne(name);
        List<HostileArguments.Parameter> parameters =
                method ? List.of() : HostileArguments.parse(Aten.schema(name)).orElseThrow();
        var hostile =
                new HostileArguments(parameters, seed * 31 + name.hashCode() * 1009L + attempt);
        return method ? HostileMethods.arguments(name, hostile) : hostile.make();
    }

    private static List<@Nullable Object> call(String name, @Nullable Object[] arguments) {
        return HostileMethods.isOne(name)
                ? Collections.singletonList(HostileMethods.call(name, arguments))
                : Aten.call(name, arguments);
    }

    // ---- The JVM that is attacked ----

    /** Arguments: a file of operators, the file of the progress, the seed, the attempts. */
    public static void main(String[] args) throws IOException {
        List<String> operators = Files.readAllLines(Path.of(args[0]));
        String fence = System.getProperty("darkroom.fence");
        Memory.liveTensors();
        Threads.set(1);
        if (fence != null) {
            System.load(fence);
        }
        try (var channel = open(Path.of(args[1]))) {
            LongBuffer at = map(channel);
            for (int i = (int) at.get(0); i < operators.size(); i++) {
                at.put(0, i).put(1, 0);
                attack(operators.get(i), Long.parseLong(args[2]), Integer.parseInt(args[3]), at);
            }
            at.put(0, FINISHED);
        }
    }

    private static void attack(String name, long seed, int attempts, LongBuffer at) {
        if (!HostileMethods.isOne(name) && HostileArguments.parse(Aten.schema(name)).isEmpty()) {
            return;
        }
        for (int attempt = 0; attempt < attempts; attempt++) {
            at.put(1, attempt);
            long before = Memory.liveTensors();
            try (var scope = TensorScope.open();
                    var mode = (attempt % 3 == 0 ? Mode.GRAD : Mode.NO_GRAD).enter()) {
                use(call(name, arguments(name, seed, attempt)));
            } catch (UnsupportedOperationException refused) {
                return;
            } catch (RuntimeException e) {
                // what is asked for: an exception
            }
            if (Memory.liveTensors() != before) {
                throw new AssertionError(name + " leaks");
            }
        }
    }

    /** Reads the results, so that one that lies outside its memory is found. */
    private static void use(List<@Nullable Object> results) {
        for (Object result : results) {
            if (result instanceof Tensor tensor && tensor.elements() < 100_000) {
                tensor.to(DType.FLOAT64).sum().item();
            } else if (result instanceof List<?> list) {
                use(new ArrayList<>(list));
            }
        }
    }
}
