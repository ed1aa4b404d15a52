package dev.darkroom.hub;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.hub.HubException.Kind;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ModelIdTest {
    @ParameterizedTest
    @ValueSource(
            strings = {
                "PixArt-alpha/PixArt-XL-2-1024-MS",
                "a/b",
                "org/name@v1.0",
                "org/name@refs/pr/1",
                "org/name:fp16",
                "org/name@main:fp16.ema",
                "stabilityai/sdxl-turbo@0123456789012345678901234567890123456789:fp16",
                "_a/b_"
            })
    void aNameIsRead(String text) throws HubException {
        assertEquals(text, ModelId.parse(" " + text).toString());
    }

    @Test
    void thePartsOfAName() throws HubException {
        assertEquals(new ModelId("o", "n", "r/s", "v"), ModelId.parse("o/n@r/s:v"));
        assertEquals("main", ModelId.parse("o/n").revisionOrMain());
        assertEquals("o/n", ModelId.parse("o/n@r:v").repository());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "name",
                "/name",
                "org/",
                "a/b/c",
                "../b",
                "a/..",
                "./b",
                "a/.b",
                "-a/b",
                "a/b-",
                "a--b/c",
                "a/b--c",
                "a/b..c",
                "a/b.git",
                "a/b@",
                "a/b:",
                "a/b@x:",
                "a/b@../x",
                "a/b@x..y",
                "a/b@/x",
                "a/b@x/",
                "a/b@x//y",
                "a/b@x@y",
                "a/b@x.lock",
                "a/b@x y",
                "a/b:x/y",
                "a/b:..",
                "a/b:x:y",
                "a b/c",
                "a/b\n",
                "ä/b",
                "a/nul",
                "CON/b",
                "a/b@aux",
                "C:/models/x",
                "https://huggingface.co/a/b",
                "a/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
                    + "bbbbbbbbbbbbb"
            })
    void aTextThatIsNoName(String text) {
        if (text.endsWith("\n")) {
            text = text + "x";
        }
        String bad = text;
        var e = assertThrows(HubException.class, () -> ModelId.parse(bad));
        assertEquals(Kind.BAD_NAME, e.kind());
        assertTrue(e.getMessage().contains("ORG/NAME[@REVISION][:VARIANT]"));
        assertEquals(1, e.getMessage().lines().count());
    }

    @Test
    void theConstructorChecksToo() {
        assertThrows(IllegalArgumentException.class, () -> new ModelId("..", "b", null, null));
        assertThrows(IllegalArgumentException.class, () -> new ModelId("a", "b", "../x", null));
    }
}
