package dev.darkroom.bench;

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.file.Path;

/**
 * A process that computes the same in another language: it first says what it is, then answers each
 * line with a line.
 */
final class Peer implements AutoCloseable {
    private final Process process;
    private final BufferedWriter requests;
    private final BufferedReader answers;
    private final String description;

    /**
     * @param libraries folders for the dynamic linker, before those that it knows
     * @throws IOException if it can't be started
     */
    Peer(String libraries, String... command) throws IOException {
        var builder = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT);
        // OpenBLAS has threads of its own, beside those that libtorch counts.
        builder.environment().put("OPENBLAS_NUM_THREADS", "1");
        if (!libraries.isEmpty()) {
            builder.environment()
                    .merge("LD_LIBRARY_PATH", libraries, (known, more) -> more + ":" + known);
        }
        process = builder.start();
        requests = process.outputWriter();
        answers = process.inputReader();
        description = answer(Path.of(command[0]).getFileName().toString());
    }

    String description() {
        return description;
    }

    /** A peer's answer to "name calls" are the nanoseconds that the calls took, wall and CPU. */
    Time time(String name, long calls) throws IOException {
        String[] times = ask(name + " " + calls).split(" ");
        return new Time(Double.parseDouble(times[0]) / calls, Double.parseDouble(times[1]) / calls);
    }

    String ask(String request) throws IOException {
        requests.write(request + "\n");
        requests.flush();
        return answer(description);
    }

    private String answer(String who) throws IOException {
        String line = answers.readLine();
        if (line == null) {
            throw new IOException(who + " ended without an answer");
        }
        return line;
    }

    @Override
    public void close() {
        process.destroy();
    }
}
