package dev.darkroom.runtime.safetensors;

import java.util.Collection;
import java.util.Locale;
import java.util.stream.Collectors;

/** Names out of files in messages: they may be anything, so they are quoted, escaped and cut. */
final class Names {
    private static final int LONGEST = 120;
    private static final int MOST = 5;

    private Names() {}

    /** Returns the name in double quotes, on one line. */
    static String quote(String name) {
        var text = new StringBuilder("\"");
        name.codePoints()
                .limit(LONGEST)
                .forEach(
                        c -> {
                            switch (Character.getType(c)) {
                                case Character.CONTROL,
                                        Character.FORMAT,
                                        Character.SURROGATE,
                                        Character.LINE_SEPARATOR,
                                        Character.PARAGRAPH_SEPARATOR ->
                                        text.append(String.format(Locale.ROOT, "\\u%04x", c));
                                default -> text.appendCodePoint(c);
                            }
                        });
        return text.append(name.codePointCount(0, name.length()) > LONGEST ? "…\"" : "\"")
                .toString();
    }

    /** Lists the first names, and how many more there are. */
    static String list(Collection<String> names) {
        var first = names.stream().limit(MOST).map(Names::quote).collect(Collectors.joining(", "));
        return names.size() > MOST ? first + " and " + (names.size() - MOST) + " more" : first;
    }
}
