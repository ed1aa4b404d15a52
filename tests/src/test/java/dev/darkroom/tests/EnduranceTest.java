package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Memory;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Two hundred pictures take no more memory than ten. */
@Tag("heavy")
class EnduranceTest {
    private static final int PICTURES = 200;
    private static final int WARM_UP = 10;

    @Test
    void memoryStaysFlat() throws IOException {
        try (var pipeline =
                Pipeline.load(
                        Cases.named("pixart_alpha").resolve("model"), PipelineOptions.defaults())) {
            long tensors = 0;
            long bytes = 0;
            long resident = 0;
            for (int i = 1; i <= PICTURES; i++) {
                pipeline.sample(
                        SampleRequest.builder()
                                .prompt("picture " + i)
                                .seed(i)
                                .steps(4)
                                .width(64)
                                .height(64)
                                .maxTokens(24)
                                .binning(false)
                                .build());
                if (i == WARM_UP) {
                    tensors = Memory.liveTensors();
                    bytes = Memory.liveBytes();
                    resident = residentKib();
                } else if (i > WARM_UP) {
                    assertEquals(tensors, Memory.liveTensors(), "live tensors after " + i);
                    assertEquals(bytes, Memory.liveBytes(), "live bytes after " + i);
                }
            }
            long after = residentKib();
            System.out.printf(
                    "%d pictures: %d live tensors, %d live bytes, peak %d bytes, resident %d KiB"
                            + " after %d and %d KiB at the end%n",
                    PICTURES,
                    tensors,
                    bytes,
                    Memory.stats(Device.CPU).peak(),
                    resident,
                    WARM_UP,
                    after);
            assertTrue(after - resident < 64 << 10, "resident memory grew to " + after + " KiB");
        }
    }

    private static long residentKib() throws IOException {
        return Files.readAllLines(Path.of("/proc/self/status")).stream()
                .filter(line -> line.startsWith("VmRSS:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
                .findFirst()
                .orElseThrow();
    }
}
