package dev.darkroom.tokenizers;

import dev.darkroom.common.OneLine;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.function.ToIntFunction;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;

/** The added tokens of a tokenizer, by text and by id, and the search for them in a text. */
final class AddedTokens {
    private static final Pattern WORD = Pattern.compile("\\w", Pattern.UNICODE_CHARACTER_CLASS);

    private final Map<String, Integer> ids = new LinkedHashMap<>();
    private final TreeMap<Integer, AddedToken> tokens = new TreeMap<>();

    /** Adds a token with a given id, which no other token's text loses by that. */
    void put(int id, AddedToken token) {
        if (!token.content().isEmpty()) {
            tokens.put(id, token);
            ids.put(token.content(), id);
        }
    }

    /**
     * Adds a token, or changes the flags of the one with its text.
     *
     * @param vocabularyId the id of a text in the model's vocabulary, or -1
     * @param nextId the id for a token that is new
     */
    void add(AddedToken token, ToIntFunction<String> vocabularyId, int nextId) {
        int id = id(token.content());
        if (id < 0) {
            id = vocabularyId.applyAsInt(token.content());
        }
        put(id < 0 ? nextId : id, token);
    }

    /**
     * These tokens and more, which are looked for in the normalised text where there is one.
     *
     * @param vocabularyId the id of a text in the model's vocabulary, or -1
     * @param nextId the id for the first of them
     * @throws IllegalArgumentException if one is empty, too long, there already, or given twice
     */
    AddedTokens with(List<String> more, ToIntFunction<String> vocabularyId, int nextId) {
        var all = new AddedTokens();
        tokens.forEach(all::put);
        int next = nextId;
        for (String token : more) {
            if (token.isBlank() || token.length() > Limits.TOKEN) {
                throw new IllegalArgumentException(
                        "a token has 1 to "
                                + Limits.TOKEN
                                + " characters, not "
                                + (token.isBlank() ? "white space alone" : token.length()));
            }
            if (all.contains(token) || vocabularyId.applyAsInt(token) >= 0) {
                throw new IllegalArgumentException(
                        "the tokenizer has the token \""
                                + OneLine.of(token)
                                + "\" already; choose another");
            }
            all.put(next++, new AddedToken(token, false, false, false, true, false));
        }
        return all;
    }

    /** The id of a token's text, or -1. */
    int id(String content) {
        return ids.getOrDefault(content, -1);
    }

    @Nullable AddedToken token(int id) {
        return tokens.get(id);
    }

    boolean contains(String content) {
        return ids.containsKey(content);
    }

    TreeMap<Integer, AddedToken> byId() {
        return tokens;
    }

    /** How many of the tokens are not in a model's vocabulary. */
    int countOutside(ToIntFunction<String> vocabularyId) {
        return (int) ids.keySet().stream().filter(t -> vocabularyId.applyAsInt(t) < 0).count();
    }

    /** All tokens without their flags, as transformers' slow tokenizers look for them first. */
    Search search() {
        var search = new Search(false);
        tokens.forEach((id, token) -> search.add(token.content(), id));
        return search;
    }

    /** The tokens that are looked for before normalisation. */
    Search searchRaw() {
        var search = new Search(true);
        tokens.forEach(
                (id, token) -> {
                    if (!token.normalized()) {
                        search.add(token.content(), id);
                    }
                });
        return search;
    }

    /** The tokens that are looked for after normalisation, themselves normalised. */
    Search searchNormalized(UnaryOperator<String> normalizer) {
        var search = new Search(true);
        tokens.forEach(
                (id, token) -> {
                    if (token.normalized()) {
                        search.add(normalizer.apply(token.content()), id);
                    }
                });
        return search;
    }

    /**
     * A part of a text.
     *
     * @param id the added token's, or -1 for the text between them
     */
    record Span(int id, int start, int end) {}

    /**
     * Finds tokens from left to right, the longest one at each place. A token that must be a single
     * word is passed over where it is not one; a token that takes spaces takes them.
     */
    final class Search {
        private static final class Node {
            final Map<Character, Node> children = new HashMap<>();
            int id = -1;
        }

        private final Node root = new Node();
        private final boolean flags;

        private Search(boolean flags) {
            this.flags = flags;
        }

        private void add(String token, int id) {
            var node = root;
            for (int i = 0; i < token.length(); i++) {
                node = node.children.computeIfAbsent(token.charAt(i), c -> new Node());
            }
            if (node != root) {
                node.id = id;
            }
        }

        List<Span> split(String text) {
            var spans = new ArrayList<Span>();
            int plain = 0; // where the text since the last token starts
            for (int at = 0; at < text.length(); ) {
                var match = match(text, at);
                if (match == null) {
                    at++;
                    continue;
                }
                at = match.end;
                var taken = flags ? withFlags(match, text, plain) : match;
                if (taken == null) {
                    continue;
                }
                if (plain < taken.start) {
                    spans.add(new Span(-1, plain, taken.start));
                }
                spans.add(taken);
                plain = taken.end;
            }
            if (plain < text.length()) {
                spans.add(new Span(-1, plain, text.length()));
            }
            return spans;
        }

        private @Nullable Span match(String text, int at) {
            Span longest = null;
            var node = root;
            for (int i = at; i < text.length(); i++) {
                node = node.children.get(text.charAt(i));
                if (node == null) {
                    break;
                }
                if (node.id >= 0) {
                    longest = new Span(node.id, at, i + 1);
                }
            }
            return longest;
        }

        private @Nullable Span withFlags(Span match, String text, int plain) {
            var token = Objects.requireNonNull(tokens.get(match.id));
            int start = match.start;
            int end = match.end;
            if (token.singleWord()
                    && ((start > 0 && isWord(text.codePointBefore(start)))
                            || (end < text.length() && isWord(text.codePointAt(end))))) {
                return null;
            }
            while (token.lstrip()
                    && start > plain
                    && Whitespace.isUnicode(text.charAt(start - 1))) {
                start--;
            }
            while (token.rstrip()
                    && end < text.length()
                    && Whitespace.isUnicode(text.charAt(end))) {
                end++;
            }
            return new Span(match.id, start, end);
        }

        private static boolean isWord(int c) {
            return UnicodeVersion.V16.matcher(WORD, Character.toString(c)).matches();
        }
    }
}
