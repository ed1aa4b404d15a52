package dev.darkroom.tokenizers;

import static dev.darkroom.tokenizers.TokenizerSettings.Role;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * CLIP's tokens from {@code vocab.json} and {@code merges.txt}, as transformers' slow {@code
 * CLIPTokenizer} makes them where ftfy is installed: added tokens are taken out, the text between
 * them is repaired, lower-cased and cut into words, and each word is byte-pair encoded.
 */
final class ClipTokenizer extends BaseTokenizer {
    static final String END_OF_WORD = "</w>";

    static final Map<Role, String> SPECIAL =
            Map.of(
                    Role.BOS, "<|startoftext|>",
                    Role.EOS, "<|endoftext|>",
                    Role.UNK, "<|endoftext|>",
                    Role.PAD, "<|endoftext|>");

    /** The reader takes as many merges as CLIP has, whatever the file holds. */
    static final int MOST_MERGES = 49152 - 256 - 2;

    static final Pattern SPACES = Pattern.compile("\\s+", Pattern.UNICODE_CHARACTER_CLASS);

    /**
     * CLIP's words, in any case. The reference's engine finds no place for U+0345, a mark whose
     * capital is a letter.
     */
    private static final Pattern WORDS =
            Pattern.compile(
                    "<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|'ve|'m|'ll|'d"
                            + "|\\p{L}+|\\p{N}|[^\\s\\p{L}\\p{N}\u0345]+",
                    Pattern.CASE_INSENSITIVE
                            | Pattern.UNICODE_CASE
                            | Pattern.UNICODE_CHARACTER_CLASS);

    private final ClipVocabulary vocabulary;
    private final Map<Integer, String> tokens = new HashMap<>();
    private final AddedTokens added;
    private final TokenizerSettings settings;
    private final SlowSplit split;
    private final Bpe bpe;
    private final int unkId;
    private final int size;

    private ClipTokenizer(
            ClipVocabulary vocabulary, AddedTokens added, TokenizerSettings settings) {
        super(
                new int[] {id(added, settings, Role.BOS)},
                new int[] {id(added, settings, Role.EOS)},
                id(added, settings, Role.PAD),
                id(added, settings, Role.EOS),
                settings.maxLength());
        this.vocabulary = vocabulary;
        vocabulary.ids().forEach((token, id) -> tokens.put(id, token));
        this.added = added;
        this.settings = settings;
        this.split = new SlowSplit(added);
        this.unkId = id(added, settings, Role.UNK);
        this.bpe =
                new Bpe(
                        vocabulary.ids(),
                        vocabulary.merges(),
                        new Bpe.Spelling("", END_OF_WORD, unkId, false, false, false));
        this.size = vocabulary.ids().size() + added.countOutside(vocabulary::idOrNone);
    }

    static ClipTokenizer of(ClipVocabulary vocabulary, TokenizerSettings given) {
        var settings = given.withDefaults(SPECIAL);
        var added = new AddedTokens();
        settings.added().forEach(added::put);
        int next = vocabulary.ids().size() + added.countOutside(vocabulary::idOrNone);
        for (var token : settings.allSpecial()) {
            if (!added.contains(token.content())) {
                boolean isNew = vocabulary.idOrNone(token.content()) < 0;
                added.add(token, vocabulary::idOrNone, next);
                next += isNew ? 1 : 0;
            }
        }
        return new ClipTokenizer(vocabulary, added, settings);
    }

    private static int id(AddedTokens added, TokenizerSettings settings, Role role) {
        return added.id(settings.special(role).content());
    }

    @Override
    int[] ids(String text) {
        var ids = new Ids();
        for (var part : split.parts(text)) {
            int id = added.id(part);
            if (id >= 0) {
                ids.add(id);
            } else {
                words(part, ids);
            }
        }
        return ids.toArray();
    }

    private void words(String text, Ids ids) {
        var clean = SPACES.matcher(TextRepair.repair(text)).replaceAll(" ");
        clean = Lowercase.full(Whitespace.strip(clean, Whitespace::isPython));
        var words = UnicodeVersion.V18.matcher(WORDS, clean);
        while (words.find()) {
            var word = clean.substring(words.start(), words.end());
            if (word.equals("<|startoftext|>") || word.equals("<|endoftext|>")) {
                ids.add(id(word)); // appears here if it was written in capitals, say
            } else {
                ids.add(bpe.encode(ByteLevel.encode(word)));
            }
        }
    }

    private int id(String token) {
        int id = added.id(token);
        return id >= 0 ? id : vocabulary.ids().getOrDefault(token, unkId);
    }

    @Override
    public Tokenizer withTokens(List<String> more) {
        var all = added.with(more, vocabulary::idOrNone, size);
        return new ClipTokenizer(vocabulary, all, settings);
    }

    @Override
    public int size() {
        return size;
    }

    @Override
    public String decode(int[] ids) {
        var bytes = new ByteArrayOutputStream();
        for (int id : ids) {
            var token = added.token(id);
            if (token != null) {
                bytes.writeBytes(token.special() ? new byte[0] : Utf8.bytes(token.content()));
                continue;
            }
            var text = tokens.get(id);
            if (text == null) {
                throw notAnId(id);
            }
            bytes.writeBytes(ByteLevel.decode(text));
        }
        return Whitespace.strip(
                bytes.toString(StandardCharsets.UTF_8).replace(END_OF_WORD, " "),
                Whitespace::isPython);
    }
}
