package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.diffusion.diffusers.LevelChoice;
import dev.darkroom.models.diffusion.diffusers.LevelSpacing;
import dev.darkroom.models.family.Edit;
import dev.darkroom.models.pipeline.CancelledException;
import dev.darkroom.models.pipeline.EmbeddedModel;
import dev.darkroom.models.pipeline.Picture;
import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineException;
import dev.darkroom.models.pipeline.SampleMonitor;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.junit.jupiter.api.Test;

import java.util.Arrays;
import java.util.List;

/** A picture of the embedded model, inverted and made again. */
class InversionTest {
    private static final String PROMPT = "a red heart on a blue background";
    private static final int STEPS = 20;

    private static double decibels(Picture one, Picture other) {
        float[] a = one.image().values();
        float[] b = other.image().values();
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += (a[i] - b[i]) * (a[i] - b[i]);
        }
        return -10 * Math.log10(sum / a.length);
    }

    private static SampleRequest.Builder request() {
        return SampleRequest.builder().prompt(PROMPT).steps(STEPS);
    }

    private static Edit whole(Picture picture) {
        return new Edit(picture.image(), null, 1);
    }

    @Test
    void aPictureIsMadeAgainFromItsLatents() {
        long before = Memory.liveTensors();
        try (var pipeline = Pipeline.load(EmbeddedModel.TEACHER.folder())) {
            Picture picture = pipeline.sample(request().seed(5).build()).pictures().getFirst();
            try (var inverted = pipeline.invert(request().edit(whole(picture)).build())) {
                assertEquals("euler", inverted.request().sampling().sampler());
                assertEquals(2, inverted.used().get("iterations"));
                SampleRequest again = request().sampler("euler").guidanceScale(1).build();
                Picture back =
                        pipeline.sample(again, SampleMonitor.NONE, inverted.latents())
                                .pictures()
                                .getFirst();
                double decibels = decibels(picture, back);
                assertTrue(decibels > 36, () -> decibels + " dB");
            }
            var karras = LevelChoice.of(LevelSpacing.KARRAS);
            SampleRequest along = request().levels(karras).edit(whole(picture)).build();
            try (var inverted = pipeline.invert(along)) {
                assertEquals(karras, inverted.request().sampling().levels());
                SampleRequest again =
                        request().sampler("euler").guidanceScale(1).levels(karras).build();
                Picture back =
                        pipeline.sample(again, SampleMonitor.NONE, inverted.latents())
                                .pictures()
                                .getFirst();
                double decibels = decibels(picture, back);
                assertTrue(decibels > 36, () -> decibels + " dB");
            }
        }
        assertEquals(before, Memory.liveTensors());
    }

    @Test
    void whatCantBeInvertedIsRefused() {
        Picture picture = picture();
        try (var student = Pipeline.embedded()) {
            SampleRequest request = request().edit(whole(picture)).build();
            var refused = assertThrows(PipelineException.class, () -> student.invert(request));
            assertTrue(refused.getMessage().contains("teacher"), refused.getMessage());
        }
        try (var teacher = Pipeline.load(EmbeddedModel.TEACHER.folder())) {
            for (SampleRequest request :
                    List.of(
                            request().build(),
                            request().edit(new Edit(picture.image(), null, 0.5)).build(),
                            request().edit(whole(picture)).eta(0.5).build(),
                            request().edit(whole(picture)).sampler("euler-cfg++").build(),
                            request().edit(whole(picture)).end(0.5).build())) {
                var refused = assertThrows(PipelineException.class, () -> teacher.invert(request));
                assertTrue(refused.getMessage().startsWith("inversion"), refused.getMessage());
            }
            SampleRequest request = request().edit(whole(picture)).build();
            var cancel =
                    new SampleMonitor() {
                        @Override
                        public boolean isCancelled() {
                            return true;
                        }
                    };
            assertThrows(CancelledException.class, () -> teacher.invert(request, 1, cancel));
            assertThrows(
                    PipelineException.class, () -> teacher.invert(request, 0, SampleMonitor.NONE));
        }
    }

    private static Picture picture() {
        var values = new float[3 * 128 * 128];
        Arrays.fill(values, 0.5f);
        try (var scope = TensorScope.open()) {
            return Picture.of(Tensor.copyOf(values, 3, 128, 128));
        }
    }
}
