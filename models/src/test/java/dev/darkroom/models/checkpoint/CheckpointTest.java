package dev.darkroom.models.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

class CheckpointTest {
    private static final LoadOptions OPTIONS =
            new LoadOptions(DType.FLOAT32, null, Device.CPU, true, null, false, Tiling.AUTO);

    @TempDir private Path folder;

    private Checkpoint checkpoint(String index) throws IOException {
        Files.writeString(folder.resolve("model_index.json"), index.replace('\'', '"'));
        return Checkpoint.open(folder, OPTIONS);
    }

    @Test
    void aPartCanBeLeftOut() throws IOException {
        Files.createDirectory(folder.resolve("image_encoder"));
        try (var checkpoint =
                checkpoint(
                        """
                        {'_class_name': 'Some',
                         'safety_checker': [null, null],
                         'image_encoder': ['transformers', 'CLIPVisionModelWithProjection'],
                         'feature_extractor': ['transformers', 'CLIPImageProcessor']}
                        """)) {
            assertEquals(Optional.empty(), checkpoint.optionalPart("safety_checker"));
            assertEquals(Optional.empty(), checkpoint.optionalPart("text_encoder_2", "A"));
            assertEquals(
                    Optional.of("CLIPVisionModelWithProjection"),
                    checkpoint.optionalPart("image_encoder"));
            var other =
                    assertThrows(
                            CheckpointException.class,
                            () -> checkpoint.optionalPart("image_encoder", "A", "B"));
            assertTrue(
                    other.getMessage()
                            .endsWith(
                                    "image_encoder is of class CLIPVisionModelWithProjection;"
                                            + " supported is A or B"),
                    other.getMessage());
            var missing =
                    assertThrows(
                            CheckpointException.class,
                            () -> checkpoint.optionalPart("feature_extractor"));
            assertTrue(
                    missing.getMessage().contains("the folder feature_extractor is missing"),
                    missing.getMessage());
            checkpoint.requireNoOthers();
            assertEquals(0, checkpoint.warnings().list().size());
        }
    }

    @Test
    void aPartThatNobodyAskedForIsNamed() throws IOException {
        try (var checkpoint = checkpoint("{'_class_name': 'Some', 'extra': ['a', 'Extra']}")) {
            assertEquals(Optional.empty(), checkpoint.optionalPart("safety_checker"));
            checkpoint.requireNoOthers();
            String warning = checkpoint.warnings().list().getFirst();
            assertTrue(warning.endsWith("Some has no use for the part extra (Extra)"), warning);
        }
    }

    @Test
    void settingsAndPartsWithoutAUseHereAreKnown() throws IOException {
        try (var checkpoint =
                checkpoint(
                        """
                        {'_class_name': 'Some', 'force_zeros_for_empty_prompt': false,
                         'requires_safety_checker': true, 'add_watermarker': null,
                         'safety_checker': ['stable_diffusion', 'StableDiffusionSafetyChecker']}
                        """)) {
            assertFalse(checkpoint.flag("force_zeros_for_empty_prompt", true));
            assertTrue(checkpoint.flag("add_watermarker", true)); // not said
            checkpoint.leaveOut("safety_checker", "image_encoder");
            checkpoint.requireNoOthers();
            assertEquals(0, checkpoint.warnings().list().size());
        }
    }
}
