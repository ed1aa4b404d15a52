package dev.darkroom.bench;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Diagnosis;
import dev.darkroom.runtime.Threads;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;

/**
 * Times a {@link TrainingStep} from Java and the same from Python (tests/oracle/bench_training.py),
 * in turns of some steps each, so that whatever else the machine does meets both. Prints medians.
 * Two native threads each.
 */
public final class CompareTraining {
    private static final int THREADS = 2;
    private static final int WARM_UP = 10;
    private static final List<String> PARTS =
            List.of("wall clock", "CPU", "loss", "backward", "optimizer", "average", "peak, MB");

    private CompareTraining() {}

    /**
     * Arguments: pixart or autoencoder, the type of the weights, rounds, steps in a round, Python,
     * its script; without the last two, Java is timed alone.
     */
    public static void main(String[] arguments) throws IOException {
        Threads.set(THREADS);
        DType dtype = DType.valueOf(arguments[1].toUpperCase(Locale.ROOT));
        int rounds = Integer.parseInt(arguments[2]);
        int steps = Integer.parseInt(arguments[3]);
        try (var training = new TrainingStep(arguments[0], dtype)) {
            List<double[]> ours = new ArrayList<>();
            List<double[]> theirs = new ArrayList<>();
            System.out.printf(
                    "%s, %s; libtorch %s, load %.1f%n",
                    arguments[0],
                    arguments[1],
                    Objects.requireNonNull(Diagnosis.make().libtorch()).version(),
                    load());
            if (arguments.length < 6) {
                training.measure(WARM_UP);
                for (int i = 0; i < rounds; i++) {
                    ours.add(training.measure(steps));
                }
                print(ours);
                return;
            }
            try (var python =
                    new Peer("", arguments[4], arguments[5], arguments[0], arguments[1])) {
                System.out.println(python.description());
                training.measure(WARM_UP);
                python.ask(String.valueOf(WARM_UP));
                for (int i = 0; i < rounds; i++) {
                    ours.add(training.measure(steps));
                    theirs.add(numbers(python.ask(String.valueOf(steps))));
                }
            }
            print(ours, theirs);
        }
    }

    private static double[] numbers(String line) {
        return Arrays.stream(line.split(" ")).mapToDouble(Double::parseDouble).toArray();
    }

    private static void print(List<double[]> ours, List<double[]> theirs) {
        System.out.printf("%-12s %9s %9s %6s%n", "ms a step", "Java", "Python", "ratio");
        for (int part = 0; part < PARTS.size(); part++) {
            double java = median(ours, part);
            double python = median(theirs, part);
            System.out.printf(
                    "%-12s %9.1f %9.1f %6.2f%n", PARTS.get(part), java, python, java / python);
        }
        System.out.printf("load %.1f%n", load());
    }

    private static void print(List<double[]> ours) {
        for (int part = 0; part < PARTS.size(); part++) {
            System.out.printf("%-12s %9.1f%n", PARTS.get(part), median(ours, part));
        }
        System.out.printf("load %.1f%n", load());
    }

    private static double median(List<double[]> rounds, int part) {
        return rounds.stream()
                .mapToDouble(each -> each[part])
                .sorted()
                .toArray()[rounds.size() / 2];
    }

    private static double load() {
        return ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage();
    }
}
