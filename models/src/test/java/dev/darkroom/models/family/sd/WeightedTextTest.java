package dev.darkroom.models.family.sd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import java.util.Locale;
import java.util.stream.Collectors;

/** What brackets mean; the first rows are the examples of AUTOMATIC1111's web UI. */
class WeightedTextTest {
    private static String parsed(String prompt) {
        return WeightedText.parse(prompt).stream()
                .map(
                        part ->
                                part.isBreak()
                                        ? "BREAK"
                                        : String.format(
                                                Locale.ROOT, "%s=%.4f", part.text(), part.weight()))
                .collect(Collectors.joining("|"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            ignoreLeadingAndTrailingWhitespace = false,
            value = {
                "normal text;normal text=1.0000",
                "an (important) word;an =1.0000|important=1.1000| word=1.0000",
                "(unbalanced;unbalanced=1.1000",
                "\\(literal\\];(literal]=1.0000",
                "(unnecessary)(parens);unnecessaryparens=1.1000",
                "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).;"
                        + "a =1.0000|house=1.5730| =1.1000|on=1.0000| a =1.1000|hill=0.5500|, sun,"
                        + " =1.1000|sky=1.4641|.=1.1000",
                "a) ] b:c :) (x: 1.5 );a) ] b:c :) =1.0000|x=1.5000",
                "(a:-0.5)[[b]];a=-0.5000|b=0.8264",
                "a \\\\ \\b;a \\ b=1.0000",
                "a BREAK b;a=1.0000|BREAK|b=1.0000",
                "(a BREAK b:1.2) BREAKER;a=1.2000|BREAK|b=1.2000| BREAKER=1.0000",
                "\\[a:b:0.5\\];[a:b:0.5]=1.0000",
                "word:1.3);word:1.3)=1.0000",
                "(a:1e9);a:1e9=1.1000",
            })
    void brackets(String prompt, String expected) {
        assertEquals(expected, parsed(prompt));
    }

    @Test
    void nothingIsAnEmptyPrompt() {
        assertTrue(WeightedText.parse("").isEmpty());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            value = {
                "(a:1.2.3);the weight \"1.2.3\" in the prompt is no number",
                "(a:200);\"a\" would weigh 200.0",
                "a [cat:dog:0.5];not supported, such as [cat:dog:0.5]",
                "a [cat:10];such as [cat:10]",
                "a [cat|dog] (x);such as [cat|dog]",
            })
    void refused(String prompt, String message) {
        var e = assertThrows(IllegalArgumentException.class, () -> WeightedText.parse(prompt));
        assertTrue(String.valueOf(e.getMessage()).contains(message), e.getMessage());
    }

    @Test
    void bracketsOfAnyNumberAreRead() {
        String many = "(".repeat(5000) + "[".repeat(4999);
        assertTrue(WeightedText.parse(many).isEmpty());
        assertThrows(
                IllegalArgumentException.class, () -> WeightedText.parse("(".repeat(60) + "a"));
        assertEquals("a=1.0000", parsed("([".repeat(60) + "a" + "])".repeat(60)));
    }
}
