package dev.darkroom.models.family;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.models.checkpoint.CheckpointException;
import dev.darkroom.models.checkpoint.LoadOptions;
import dev.darkroom.models.checkpoint.Tiling;
import dev.darkroom.models.config.ConfigException;
import dev.darkroom.models.diffusion.diffusers.Scheduler;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

class SamplerChoiceTest {
    private static final String DDIM =
            "{'_class_name': 'DDIMScheduler', 'beta_schedule': 'scaled_linear',"
                    + " 'steps_offset': 1, 'clip_sample': false}";

    @TempDir private Path folder;

    private Path file(String json) throws IOException {
        Files.createDirectories(folder.resolve("scheduler"));
        Path file = folder.resolve("scheduler/scheduler_config.json");
        return Files.writeString(file, json.replace('\'', '"'));
    }

    private Checkpoint checkpoint(String className, boolean strict) throws IOException {
        Files.writeString(
                folder.resolve("model_index.json"),
                "{\"scheduler\": [\"diffusers\", \"" + className + "\"]}");
        return Checkpoint.open(
                folder,
                new LoadOptions(DType.FLOAT32, null, Device.CPU, true, null, strict, Tiling.AUTO));
    }

    private static void assertSame(Scheduler expected, Scheduler actual) {
        var plan = expected.plan(5);
        assertEquals(plan.levels(), actual.plan(5).levels());
        assertEquals(plan.initialScale(), actual.plan(5).initialScale());
    }

    @Test
    void theIndexAndTheFileAgree() throws IOException {
        Path file = file(DDIM);
        try (var checkpoint = checkpoint("DDIMScheduler", true)) {
            SamplerChoice samplers = SamplerChoice.read(checkpoint);
            assertEquals("DDIMScheduler", samplers.className());
            assertEquals(List.of(), checkpoint.warnings().list());
            assertSame(Scheduler.read(file), samplers.own());
        }
    }

    /** As in diffusers, whose pipelines call {@code from_pretrained} of the index's class. */
    @Test
    void theIndexDecidesOnTheClass() throws IOException {
        Path file = file(DDIM);
        Scheduler ddim = Scheduler.read(file);
        try (var checkpoint = checkpoint("EulerDiscreteScheduler", false)) {
            SamplerChoice samplers = SamplerChoice.read(checkpoint);
            assertEquals(
                    List.of(
                            file
                                    + " describes a DDIMScheduler, but model_index.json names the"
                                    + " scheduler EulerDiscreteScheduler, which was made of its"
                                    + " options"),
                    checkpoint.warnings().list());
            assertEquals("EulerDiscreteScheduler", samplers.name(null));
            file(DDIM.replace("DDIM", "EulerDiscrete"));
            assertSame(Scheduler.read(file), samplers.own());
            assertNotEquals(ddim.plan(5).levels(), samplers.own().plan(5).levels());
            assertSame(Scheduler.read(file, "heun"), samplers.named("heun"));
        }
    }

    @Test
    void strictlyADifferenceIsAnError() throws IOException {
        file(DDIM);
        try (var checkpoint = checkpoint("EulerDiscreteScheduler", true)) {
            var refused =
                    assertThrows(CheckpointException.class, () -> SamplerChoice.read(checkpoint));
            assertTrue(refused.getMessage().contains("make them the same"), refused.getMessage());
        }
    }

    @Test
    void aClassOfTheIndexThatIsNotSupportedIsNamed() throws IOException {
        file(DDIM);
        try (var checkpoint = checkpoint("SomebodysScheduler", false)) {
            var refused = assertThrows(ConfigException.class, () -> SamplerChoice.read(checkpoint));
            assertTrue(
                    refused.getMessage().contains("scheduler SomebodysScheduler is not supported"),
                    refused.getMessage());
        }
    }
}
