package dev.darkroom.models.family;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.config.ConfigException;
import dev.darkroom.models.pipeline.EmbeddedModel;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

class DefaultsTest {
    @TempDir private Path folder;

    private Defaults read(String json) throws IOException {
        Files.writeString(folder.resolve(Defaults.FILE), json.replace('\'', '"'));
        return Defaults.read(folder);
    }

    @Test
    void aCheckpointMaySayHowItIsSampled() throws IOException {
        assertEquals(Defaults.NONE, Defaults.read(folder));
        assertEquals(new Defaults(20, 2.0), read("{'steps': 20, 'guidance_scale': 2}"));
        assertEquals(new Defaults(null, 7.5), read("{'guidance_scale': 7.5}"));
        assertEquals(Defaults.NONE, read("{'steps': null}"));
    }

    @Test
    void whatItLeavesOpenComesFromOthers() {
        var family = new Defaults(20, 4.5);
        assertEquals(family, Defaults.NONE.orElse(family));
        assertEquals(new Defaults(20, 2.0), new Defaults(null, 2.0).orElse(family));
        assertEquals(new Defaults(4, 1.0), new Defaults(4, 1.0).orElse(family));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{'steps': 0} | steps must be 1 to 1000, not 0",
                "{'steps': 'many'} | steps must be",
                "{'guidance_scale': NaN} | the guidance scale must be 0 to 1000, not NaN",
                "{'guidance_scale': 1e30} | the guidance scale must be 0 to 1000, not 1.0E30",
                "[] | darkroom.json",
            })
    void namesWhatIsWrong(String json, String expected) {
        var error = assertThrows(ConfigException.class, () -> read(json));
        assertTrue(error.getMessage().contains(expected), error.getMessage());
        assertTrue(error.getMessage().contains(Defaults.FILE), error.getMessage());
    }

    @Test
    void theEmbeddedModelsSayTheirOwn() throws IOException {
        assertEquals(new Defaults(20, 2.0), Defaults.read(EmbeddedModel.TEACHER.folder()));
        assertEquals(new Defaults(4, 1.0), Defaults.read(EmbeddedModel.STUDENT.folder()));
    }
}
