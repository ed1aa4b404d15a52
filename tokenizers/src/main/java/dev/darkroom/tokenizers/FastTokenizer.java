package dev.darkroom.tokenizers;

import static dev.darkroom.tokenizers.TokenizerSettings.Role;

import org.jspecify.annotations.Nullable;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/**
 * The pipeline of the tokenizers library, which transformers' "fast" tokenizers run: added tokens
 * that are not normalised are taken out, the text between them is normalised, the other added
 * tokens are taken out, what is left is cut into pieces, and the model turns each into ids.
 */
final class FastTokenizer extends BaseTokenizer {

    /** A vocabulary and the way to spell a piece of text in it. */
    interface Model {
        /** Appends the ids of a piece. */
        void encode(String piece, Ids ids);

        /** The id of a token, or -1. */
        int id(String token);

        /** The token of an id, or null. */
        @Nullable String token(int id);

        int size();
    }

    /** Tokens to text. */
    interface Decoder {
        String decode(List<String> tokens);
    }

    /**
     * What a {@code tokenizer.json} holds.
     *
     * @param prefix ids that go before every text
     * @param suffix ids that go after it
     */
    record Parts(
            UnaryOperator<String> normalizer,
            PreTokenizer preTokenizer,
            Model model,
            AddedTokens added,
            int[] prefix,
            int[] suffix,
            Decoder decoder) {}

    private final Path folder;
    private final Parts parts;
    private final AddedTokens.Search raw;
    private final AddedTokens.Search normalized;
    private final int size;

    private FastTokenizer(Path folder, Parts parts, int padId, int eosId, int maxLength) {
        super(parts.prefix, parts.suffix, padId, eosId, maxLength);
        this.folder = folder;
        this.parts = parts;
        this.raw = parts.added.searchRaw();
        this.normalized = parts.added.searchNormalized(parts.normalizer);
        this.size = parts.model.size() + parts.added.countOutside(parts.model::id);
    }

    /**
     * @param defaults the special tokens that the tokenizer's class has unless the files say
     *     otherwise
     */
    static FastTokenizer of(Parts parts, TokenizerSettings given, Map<Role, String> defaults)
            throws TokenizerException {
        var settings = given.withDefaults(defaults);
        for (var role : List.of(Role.PAD, Role.EOS)) {
            if (!settings.special().containsKey(role)) {
                throw new TokenizerException(
                        settings.configFile(), "it should name a " + role.key());
            }
        }
        var added = parts.added;
        settings.added().values().forEach(token -> added.add(token, parts.model::id, next(parts)));
        for (var token : settings.allSpecial()) {
            if (!added.contains(token.content())) {
                added.add(token, parts.model::id, next(parts));
            }
        }
        try {
            return new FastTokenizer(
                    settings.folder(),
                    parts,
                    added.id(settings.special(Role.PAD).content()),
                    added.id(settings.special(Role.EOS).content()),
                    settings.maxLength());
        } catch (TokenizingException e) {
            throw new TokenizerException(
                    settings.folder(), "an added token can't be normalised: " + e.getMessage(), e);
        }
    }

    private static int next(Parts parts) {
        var added = parts.added.byId();
        int size = parts.model.size();
        return added.isEmpty() ? size : Math.max(size, added.lastKey() + 1);
    }

    @Override
    int[] ids(String text) {
        var ids = new Ids();
        for (var span : raw.split(text)) {
            if (span.id() >= 0) {
                ids.add(span.id());
                continue;
            }
            var normal = parts.normalizer.apply(text.substring(span.start(), span.end()));
            Limits.requireInProportion(folder, text.length(), normal.length());
            for (var inner : normalized.split(normal)) {
                if (inner.id() >= 0) {
                    ids.add(inner.id());
                } else {
                    boolean first = span.start() == 0 && inner.start() == 0;
                    var part = normal.substring(inner.start(), inner.end());
                    pieces(new PreTokenizer.Piece(part, first), ids);
                }
            }
        }
        return ids.toArray();
    }

    private void pieces(PreTokenizer.Piece part, Ids ids) {
        var pieces = parts.preTokenizer.split(part);
        long length = pieces.stream().mapToLong(piece -> piece.text().length()).sum();
        Limits.requireInProportion(folder, part.text().length(), length);
        for (var piece : pieces) {
            if (!piece.text().isEmpty()) {
                parts.model.encode(piece.text(), ids);
            }
        }
    }

    @Override
    public Tokenizer withTokens(List<String> more) {
        var all =
                new Parts(
                        parts.normalizer,
                        parts.preTokenizer,
                        parts.model,
                        parts.added.with(more, parts.model::id, next(parts)),
                        parts.prefix,
                        parts.suffix,
                        parts.decoder);
        return new FastTokenizer(folder, all, padId(), eosId(), maxLength());
    }

    @Override
    public int size() {
        return size;
    }

    @Override
    public String decode(int[] ids) {
        var tokens = new ArrayList<String>();
        for (int id : ids) {
            var added = parts.added.token(id);
            var token = added == null ? parts.model.token(id) : added.content();
            if (token == null) {
                throw notAnId(id);
            }
            if (added == null || !added.special()) {
                tokens.add(token);
            }
        }
        return parts.decoder.decode(tokens);
    }
}
