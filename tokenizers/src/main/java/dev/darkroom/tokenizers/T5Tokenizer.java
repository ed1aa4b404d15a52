package dev.darkroom.tokenizers;

import static dev.darkroom.tokenizers.TokenizerSettings.Role;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * T5's tokens from {@code spiece.model}, as transformers' slow {@code T5Tokenizer} makes them:
 * added tokens are taken out, and each text between them goes through SentencePiece on its own.
 */
final class T5Tokenizer extends BaseTokenizer {
    static final Map<Role, String> SPECIAL =
            Map.of(Role.EOS, "</s>", Role.UNK, "<unk>", Role.PAD, "<pad>");

    private static final String SPACE = String.valueOf(SentencePiece.SPACE);

    private final SentencePiece pieces;
    private final AddedTokens added;
    private final SlowSplit split;
    private final Set<String> special;
    private final boolean legacy;
    private final boolean addPrefixSpace;
    private final String unk;
    private final int unkPieces;
    private final int size;

    private T5Tokenizer(SentencePiece pieces, AddedTokens added, TokenizerSettings settings) {
        super(
                new int[0],
                new int[] {id(added, settings, Role.EOS)},
                id(added, settings, Role.PAD),
                id(added, settings, Role.EOS),
                settings.maxLength());
        this.pieces = pieces;
        this.added = added;
        this.split = new SlowSplit(added);
        this.special =
                settings.allSpecial().stream()
                        .map(AddedToken::content)
                        .collect(Collectors.toUnmodifiableSet());
        this.legacy = settings.legacy();
        this.addPrefixSpace = !Boolean.FALSE.equals(settings.addPrefixSpace());
        this.unk = settings.special(Role.UNK).content();
        this.unkPieces = pieces.encode(unk).size();
        this.size = size(pieces, added);
    }

    static T5Tokenizer of(SentencePieceModel model, TokenizerSettings given)
            throws TokenizerException {
        var settings = given.withDefaults(SPECIAL).withExtraIds();
        // "legacy": false puts the leading space itself (transformers' change 24622).
        var pieces = new SentencePiece(settings.legacy() ? model : model.withoutDummyPrefix());
        var tokens = new TreeMap<Integer, AddedToken>();
        // <extra_id_0> is the last id, <extra_id_1> the one before, and so on.
        int extraIds = settings.extraIds() == null ? 0 : settings.extraIds();
        long sentinels =
                given.additional() == null
                        ? extraIds
                        : given.additional().stream().filter(AddedToken::isExtraId).count();
        for (int i = 0; i < sentinels; i++) {
            tokens.put(pieces.size() - 1 + extraIds - i, AddedToken.extraId(i));
        }
        tokens.putAll(settings.added());
        var added = new AddedTokens();
        tokens.forEach(added::put);
        int next = size(pieces, added);
        for (var token : settings.allSpecial()) {
            if (!added.contains(token.content())) {
                boolean isNew = pieces.idOrNone(token.content()) < 0;
                added.add(token, pieces::idOrNone, next);
                next += isNew ? 1 : 0;
            }
        }
        return new T5Tokenizer(pieces, added, settings);
    }

    /** The number of different texts; an added token hides the piece with its id. */
    private static int size(SentencePiece pieces, AddedTokens added) {
        var texts = new HashSet<String>();
        for (int id = 0; id < pieces.size(); id++) {
            var token = added.token(id);
            texts.add(token == null ? pieces.text(id) : token.content());
        }
        added.byId().values().forEach(token -> texts.add(token.content()));
        return texts.size();
    }

    private static int id(AddedTokens added, TokenizerSettings settings, Role role) {
        return added.id(settings.special(role).content());
    }

    @Override
    int[] ids(String text) {
        return tokens(text).stream().mapToInt(this::id).toArray();
    }

    private int id(String token) {
        int id = added.id(token);
        return id < 0 ? pieces.id(token) : id;
    }

    private List<String> tokens(String text) {
        if (legacy || text.isEmpty()) {
            return split(text);
        }
        var tokens = split((addPrefixSpace ? SPACE : "") + text.replace(SPACE, " "));
        return tokens.size() > 1 && tokens.get(0).equals(SPACE) && special.contains(tokens.get(1))
                ? tokens.subList(1, tokens.size())
                : tokens;
    }

    private List<String> split(String text) {
        var tokens = new ArrayList<String>();
        for (var part : split.parts(text)) {
            if (added.contains(part)) {
                tokens.add(part);
            } else {
                tokens.addAll(pieces(part));
            }
        }
        return tokens;
    }

    /** SentencePiece would strip a leading space, so without "legacy" something goes before it. */
    private List<String> pieces(String text) {
        if (legacy || !(text.startsWith(SPACE) || text.startsWith(" "))) {
            return pieces.encode(text);
        }
        var tokens = pieces.encode(unk + text);
        return tokens.size() >= unkPieces ? tokens.subList(unkPieces, tokens.size()) : tokens;
    }

    @Override
    boolean keepsGivenEnd() {
        return true;
    }

    @Override
    public int size() {
        return size;
    }

    @Override
    public String decode(int[] ids) {
        var parts = new ArrayList<String>();
        var run = new ArrayList<Integer>();
        for (int id : ids) {
            var token = added.token(id);
            if (token == null && (id < 0 || id >= pieces.size())) {
                throw notAnId(id);
            }
            if (token == null) {
                run.add(id);
            } else if (!token.special()) {
                parts.add(pieces.decode(run));
                parts.add(token.content());
                run.clear();
            }
        }
        parts.add(pieces.decode(run));
        return parts.stream()
                .map(part -> Whitespace.strip(part, Whitespace::isPython))
                .filter(part -> !part.isEmpty())
                .collect(Collectors.joining(" "));
    }
}
