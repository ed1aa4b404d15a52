package dev.darkroom.training.run;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.common.WholeFile;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;

/**
 * The log of a run: a JSON object in a line for each step, in order, none twice. Lines go to the
 * system as they are written, so a killed process loses none.
 */
final class RunLog implements AutoCloseable {
    private static final JsonMapper JSON = JsonMapper.builder().build();

    private final Path file;
    private final FileChannel out;

    private RunLog(Path file, FileChannel out) {
        this.file = file;
        this.out = out;
    }

    /**
     * Opens a log to go on with.
     *
     * @param steps how many were taken; lines of later steps, and what is half written, are cut off
     */
    static RunLog open(Path file, long steps) throws IOException {
        FileChannel out =
                FileChannel.open(
                        file,
                        StandardOpenOption.CREATE,
                        StandardOpenOption.READ,
                        StandardOpenOption.WRITE);
        try {
            out.truncate(end(Files.readAllBytes(file), steps));
            out.position(out.size());
            return new RunLog(file, out);
        } catch (IOException | RuntimeException e) {
            out.close();
            throw e;
        }
    }

    /** Returns where the last line of a step that counts ends. */
    private static long end(byte[] log, long steps) {
        int end = 0;
        for (int i = 0; i < log.length; i++) {
            if (log[i] == '\n') {
                if (step(new String(log, end, i - end, StandardCharsets.UTF_8)) > steps) {
                    break;
                }
                end = i + 1;
            }
        }
        return end;
    }

    private static long step(String line) {
        try {
            JsonNode step = JSON.readTree(line).get("step");
            return step == null ? Long.MAX_VALUE : step.asLong();
        } catch (JsonProcessingException e) {
            return Long.MAX_VALUE;
        }
    }

    /**
     * Adds a step.
     *
     * @param loss null if it was skipped
     * @throws IOException if the line can't be written, with the file's name; none is left then
     */
    void add(
            long step,
            @Nullable Double loss,
            double learningRate,
            @Nullable Double gradientNorm,
            double samplesPerSecond)
            throws IOException {
        ObjectNode line = JSON.createObjectNode();
        line.put("step", step).put("loss", loss).put("learningRate", learningRate);
        line.put("gradientNorm", gradientNorm).put("samplesPerSecond", samplesPerSecond);
        line.put("time", Instant.now().toString());
        ByteBuffer bytes =
                ByteBuffer.wrap(
                        (JSON.writeValueAsString(line) + "\n").getBytes(StandardCharsets.UTF_8));
        long before = out.position();
        try {
            while (bytes.hasRemaining()) {
                out.write(bytes);
            }
        } catch (IOException e) {
            out.truncate(before);
            throw WholeFile.failed(file, e);
        }
    }

    /** Makes what was added safe from a power cut. */
    void force() throws IOException {
        out.force(false);
    }

    @Override
    public void close() throws IOException {
        out.close();
    }
}
