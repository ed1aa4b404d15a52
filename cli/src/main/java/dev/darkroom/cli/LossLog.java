package dev.darkroom.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.DoubleStream;

/**
 * The numbers of a run's log, by line.
 *
 * @param steps how many steps were taken, ascending
 * @param losses NaN where the step was skipped
 * @param learningRates the factors of the learning rates
 */
record LossLog(double[] steps, double[] losses, double[] learningRates) {
    private static final JsonMapper JSON = JsonMapper.builder().build();

    /**
     * Reads a log that a run may be writing.
     *
     * @throws IOException if it can't be read or has no step yet
     */
    static LossLog read(Path file) throws IOException {
        var steps = DoubleStream.builder();
        var losses = DoubleStream.builder();
        var learningRates = DoubleStream.builder();
        try (var lines = Files.newBufferedReader(file)) {
            for (String text = lines.readLine(); text != null; text = lines.readLine()) {
                JsonNode line = parse(text);
                if (line.path("step").isNumber()) {
                    steps.add(line.path("step").doubleValue());
                    losses.add(line.path("loss").asDouble(Double.NaN));
                    learningRates.add(line.path("learningRate").asDouble(Double.NaN));
                }
            }
        }
        var log =
                new LossLog(
                        steps.build().toArray(),
                        losses.build().toArray(),
                        learningRates.build().toArray());
        if (log.steps.length == 0) {
            throw new IOException(file + ": no step is in this log yet");
        }
        return log;
    }

    /** A line; one that is half written counts as empty. */
    private static JsonNode parse(String line) throws IOException {
        try {
            return JSON.readTree(line);
        } catch (JsonProcessingException e) {
            return JSON.createObjectNode();
        }
    }

    /** How many steps had no loss. */
    long skipped() {
        return DoubleStream.of(losses).filter(Double::isNaN).count();
    }

    /**
     * The exponential moving average of the losses, without its bias to the beginning; over a
     * skipped step it stays as it was.
     *
     * @param span of steps that it forgets 63 % of
     */
    double[] smoothed(double span) {
        double share = 1 - Math.exp(-1 / span);
        double mean = 0;
        double weight = 0;
        var smoothed = new double[losses.length];
        for (int i = 0; i < losses.length; i++) {
            if (!Double.isNaN(losses[i])) {
                mean += share * (losses[i] - mean);
                weight += share * (1 - weight);
            }
            smoothed[i] = weight == 0 ? Double.NaN : mean / weight;
        }
        return smoothed;
    }
}
