package dev.darkroom.tokenizers;

import java.util.ArrayList;
import java.util.List;

/**
 * How transformers' slow tokenizers take added tokens out of a text (PreTrainedTokenizer.tokenize),
 * with its treatment of the spaces around them.
 */
final class SlowSplit {
    private final AddedTokens tokens;
    private final AddedTokens.Search search;

    SlowSplit(AddedTokens tokens) {
        this.tokens = tokens;
        this.search = tokens.search();
    }

    /** The text's parts; those that {@link AddedTokens#contains} knows are added tokens. */
    List<String> parts(String text) {
        var parts = new ArrayList<String>();
        for (var span : search.split(text)) {
            parts.add(text.substring(span.start(), span.end()));
        }
        for (int i = 0; i < parts.size(); i++) {
            int id = tokens.id(parts.get(i));
            var token = id < 0 ? null : tokens.token(id);
            if (token == null) {
                continue;
            }
            String left = i > 0 ? parts.get(i - 1) : "";
            String right = i + 1 < parts.size() ? parts.get(i + 1) : "";
            if (token.rstrip() && !right.isEmpty()) {
                parts.set(i + 1, Whitespace.stripLeading(right, Whitespace::isPython));
            }
            if (token.lstrip() && !left.isEmpty()) {
                parts.set(i - 1, Whitespace.stripTrailing(left, Whitespace::isPython));
            }
            // Only a space bounds a word here, and the spaces are those from before the stripping.
            if (token.singleWord() && !left.isEmpty() && !left.endsWith(" ")) {
                parts.set(i - 1, parts.get(i - 1) + token.content());
                parts.set(i, "");
            } else if (token.singleWord() && !right.isEmpty() && !right.startsWith(" ")) {
                parts.set(i + 1, token.content() + parts.get(i + 1));
                parts.set(i, "");
            }
        }
        parts.removeIf(String::isEmpty);
        return parts;
    }
}
