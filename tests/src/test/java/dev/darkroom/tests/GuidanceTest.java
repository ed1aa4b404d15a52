package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;

import dev.darkroom.models.diffusion.guidance.GuidanceKind;
import dev.darkroom.models.diffusion.guidance.NamedGuidance;
import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.models.pipeline.SampleResult;
import dev.darkroom.runtime.Memory;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;

/** Guidances by their names, from a request to a picture. */
class GuidanceTest {
    private static Pipeline pipeline;

    @BeforeAll
    static void load() throws IOException {
        Path model = Path.of("cases", "sd15", "model").toRealPath();
        pipeline = Pipeline.load(model, PipelineOptions.defaults());
    }

    @AfterAll
    static void close() {
        pipeline.close();
    }

    private static SampleRequest.Builder request() {
        return SampleRequest.builder()
                .prompt("a red heart")
                .negativePrompt("blue")
                .guidanceScale(3)
                .steps(3)
                .width(32)
                .height(32);
    }

    private static SampleResult sampled(String guidance) {
        return pipeline.sample(request().guidance(NamedGuidance.parse(guidance)).build());
    }

    private static byte[] rgb(SampleResult result) {
        return result.pictures().getFirst().rgb();
    }

    @Test
    void neutralSettingsLeaveThePicturesBytes() {
        SampleResult plain = pipeline.sample(request().build());
        assertNull(plain.used().get("guidance"));
        for (String neutral :
                new String[] {"cfg", "apg:eta=1,momentum=0,threshold=0", "fdg:low=3"}) {
            SampleResult result = sampled(neutral);
            assertArrayEquals(rgb(plain), rgb(result), neutral);
            assertEquals(3.0, result.used().get("guidanceScale"));
        }
    }

    @Test
    void eachKindMakesAnotherPictureAndLeavesNoTensor() {
        byte[] plain = rgb(pipeline.sample(request().build()));
        long live = Memory.liveTensors();
        for (GuidanceKind kind : GuidanceKind.values()) {
            if (kind == GuidanceKind.CFG) {
                continue;
            }
            SampleResult result = sampled(kind.id());
            assertFalse(Arrays.equals(plain, rgb(result)), kind.id());
            assertEquals(kind.id(), result.used().get("guidance"));
            assertArrayEquals(rgb(result), rgb(sampled(kind.id())), kind.id() + " again");
        }
        assertEquals(live, Memory.liveTensors());
    }
}
