package dev.darkroom.tokenizers;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.util.Locale;

/** The right values are Python 3.11's {@code text.lower().strip()}. */
class PromptsTest {
    /** Every character for which Python's {@code str.isspace} is true. */
    private static final String SPACES =
            "\t\n"
                    + "\u000B\f\r"
                    + "\u001C\u001D\u001E\u001F \u0085\u00A0\u1680\u2000\u2001\u2002\u2003\u2004"
                    + "\u2005\u2006\u2007\u2008\u2009\u200A\u2028\u2029\u202F\u205F\u3000";

    @Test
    void stripsWhatPythonTakesForSpace() {
        assertEquals("red heart", Prompts.prepare("\u0085Red Heart\u001C"));
        assertEquals("a", Prompts.prepare(SPACES + "A" + SPACES));
        assertEquals("", Prompts.prepare(SPACES));
        for (String kept :
                new String[] {"\u200B", "\uFEFF", "\u180E", "\u2060", "\u0000", "\u001B"}) {
            assertEquals(kept + "a" + kept, Prompts.prepare(kept + "A" + kept));
        }
        for (int c = 0; c <= Character.MAX_VALUE; c++) {
            var text = String.valueOf((char) c);
            assertEquals(SPACES.contains(text), Prompts.prepare(text).isEmpty());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"en-US", "tr-TR", "ar-EG", "lt-LT"})
    void lowersAsPythonInEveryLocale(String locale) {
        Locale before = Locale.getDefault();
        Locale.setDefault(Locale.forLanguageTag(locale));
        try {
            assertEquals("title i\u0307 \u0131 i", Prompts.prepare("TITLE \u0130 \u0131 I"));
            // A sigma is final after a letter and before none; Java's rule looks for words.
            assertEquals(
                    "\u03B1\u03C2 \u03B1\u03C3\u03B1",
                    Prompts.prepare("\u0391\u03A3 \u0391\u03A3\u0391"));
            assertEquals("\u03B1\u03C3.\u03B1", Prompts.prepare("\u0391\u03A3.\u0391"));
            assertEquals("\u03C3", Prompts.prepare("\u03A3"));
            assertEquals("stra\u00DFe \u00DF", Prompts.prepare("STRA\u1E9EE \u00DF"));
            assertEquals("\uA7DA", Prompts.prepare("\uA7DA")); // younger than Python 3.11
        } finally {
            Locale.setDefault(before);
        }
    }
}
