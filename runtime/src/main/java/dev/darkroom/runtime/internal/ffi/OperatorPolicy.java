package dev.darkroom.runtime.internal.ffi;

import org.jspecify.annotations.Nullable;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Objects;
import java.util.regex.Pattern;

/**
 * Which operators may be called with any arguments. Some of libtorch's trust what they are given:
 * an index, a size, a buffer's length. The list with the reasons is the resource {@code
 * operators.txt}.
 */
final class OperatorPolicy {
    private static final List<Rule> RULES = read();

    private record Rule(boolean refuses, Pattern name, String reason) {
        static Rule of(String line) {
            String[] words = line.split(" +", 3);
            if (words.length < 2 || (words[0].equals("refuse") ? 3 : 2) != words.length) {
                throw new IllegalArgumentException("operators.txt has a malformed line: " + line);
            }
            String regex = Pattern.quote(words[1]).replace("*", "\\E.*\\Q");
            return new Rule(
                    words[0].equals("refuse"),
                    Pattern.compile(regex),
                    words.length < 3 ? "" : words[2]);
        }
    }

    private OperatorPolicy() {}

    /**
     * @param name an operator's, such as {@code aten::add.Tensor}
     * @return why the operator may not be called; null if it may
     */
    static @Nullable String refusal(String name) {
        for (Rule rule : RULES) {
            if (rule.name.matcher(name).matches()) {
                return rule.refuses ? name + " " + rule.reason : null;
            }
        }
        return null;
    }

    private static List<Rule> read() {
        try (InputStream in =
                        Objects.requireNonNull(
                                OperatorPolicy.class.getResourceAsStream("operators.txt"));
                var reader =
                        new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8))) {
            return reader.lines()
                    .filter(line -> !line.isBlank() && !line.startsWith("#"))
                    .map(Rule::of)
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
