package dev.darkroom.tests.fuzz;

import dev.darkroom.models.config.ConfigException;
import dev.darkroom.models.pipeline.PipelineException;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.safetensors.SafetensorsException;
import dev.darkroom.tokenizers.TokenizerException;
import dev.darkroom.tokenizers.TokenizingException;
import dev.darkroom.training.data.DataException;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** What may come of a file, whatever is in it, and the folders that such files are written to. */
public final class Answers {
    private static final int LONGEST_MESSAGE = 2000;
    private static final long SOON = TimeUnit.SECONDS.toNanos(10);
    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

    /** Exceptions that the documentation names, and that name the file. */
    private static final List<Class<? extends Exception>> TYPED =
            List.of(
                    SafetensorsException.class,
                    ConfigException.class,
                    TokenizerException.class,
                    TokenizingException.class,
                    PipelineException.class,
                    DataException.class);

    private Answers() {}

    /** A new folder, in that of the JVM's temporary files. */
    public static Path folder() {
        try {
            return Files.createTempDirectory("fuzz");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A text in UTF-8. */
    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /**
     * Fails unless an exception is one of Darkroom's own that names the file in a line.
     *
     * @param file or a folder around it
     */
    public static void requireTyped(Exception e, Path file) {
        String message = String.valueOf(e.getMessage());
        require(TYPED.contains(e.getClass()), "an exception of no own type", e);
        require(message.contains(file.toString()), "the file is not named", e);
        requireLine(e);
    }

    /** Fails unless a message is there and is a line. */
    public static void requireLine(Exception e) {
        String message = e.getMessage();
        require(message != null, "no message", e);
        require(
                message.length() <= LONGEST_MESSAGE && message.lines().count() == 1,
                "more than a line is said",
                e);
    }

    /** What is done with an input. */
    public interface Use {
        void run() throws IOException;
    }

    /** Uses an input, and fails if that takes longer than any may, as this thread's time goes. */
    public static void inTime(Use use) throws IOException {
        long begin = THREADS.getCurrentThreadCpuTime();
        use.run();
        long taken = THREADS.getCurrentThreadCpuTime() - begin;
        require(taken < SOON, taken / 1_000_000 + " ms", null);
    }

    /** Fails unless all tensors are closed. */
    public static void requireNothingLive() {
        require(Memory.liveTensors() == 0, Memory.liveTensors() + " live tensors", null);
    }

    /** Fails unless it holds. */
    public static void require(boolean holds, String otherwise, Throwable cause) {
        if (!holds) {
            throw new AssertionError(otherwise, cause);
        }
    }
}
