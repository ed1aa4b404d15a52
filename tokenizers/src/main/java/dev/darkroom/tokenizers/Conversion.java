package dev.darkroom.tokenizers;

import static dev.darkroom.tokenizers.SentencePieceModel.Type;
import static dev.darkroom.tokenizers.TokenizerSettings.Role;

import java.text.Normalizer.Form;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;

/**
 * What transformers makes of the slow tokenizers' files when it is asked for the fast tokenizers
 * and there is no {@code tokenizer.json} (its {@code convert_slow_tokenizer}).
 */
final class Conversion {
    private static final Pattern CLIP_WORDS =
            Pattern.compile(
                    "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+",
                    Pattern.UNICODE_CHARACTER_CLASS);

    private Conversion() {}

    static FastTokenizer.Parts t5(SentencePieceModel model, TokenizerSettings settings)
            throws TokenizerException {
        if (model.byteFallback()) {
            throw new TokenizerException(
                    model.file(),
                    "byte fallback has no fast counterpart; use the class T5Tokenizer");
        }
        var vocabulary = new ArrayList<UnigramModel.Entry>();
        var added = new AddedTokens();
        for (var piece : model.pieces()) {
            if (piece.type() == Type.CONTROL || piece.type() == Type.USER_DEFINED) {
                boolean special = piece.type() == Type.CONTROL;
                added.put(
                        vocabulary.size(),
                        new AddedToken(piece.text(), false, false, false, false, special));
            }
            vocabulary.add(new UnigramModel.Entry(piece.text(), piece.score()));
        }
        int extraIds = Objects.requireNonNullElse(settings.withExtraIds().extraIds(), 0);
        for (int i = extraIds - 1; i >= 0; i--) {
            vocabulary.add(new UnigramModel.Entry("<extra_id_" + i + ">", 0));
        }
        var normalizers = new ArrayList<UnaryOperator<String>>();
        var charsMap = model.charsMap();
        if (charsMap != null) {
            normalizers.add(Normalizers.precompiled(charsMap));
        }
        var space = String.valueOf(SentencePiece.SPACE);
        normalizers.add(Normalizers.strip(false, true));
        normalizers.add(Normalizers.replace(UnicodeVersion.V16, Pattern.compile(" {2,}"), space));
        var prepend =
                Boolean.FALSE.equals(settings.addPrefixSpace())
                        ? PreTokenizer.Prepend.NEVER
                        : settings.legacy()
                                ? PreTokenizer.Prepend.ALWAYS
                                : PreTokenizer.Prepend.FIRST;
        var unigram = new UnigramModel(vocabulary, model.unkId(), false);
        return new FastTokenizer.Parts(
                Normalizers.sequence(normalizers),
                PreTokenizer.metaspace(space, prepend, true),
                unigram,
                added,
                new int[0],
                new int[] {idOf(unigram, "</s>", settings)},
                Decoders.metaspace(space, prepend != PreTokenizer.Prepend.NEVER));
    }

    private static int idOf(FastTokenizer.Model model, String token, TokenizerSettings settings)
            throws TokenizerException {
        int id = model.id(token);
        if (id < 0) {
            throw new TokenizerException(
                    settings.folder(), "the vocabulary has no \"" + token + "\"");
        }
        return id;
    }

    /**
     * @param settings with a token for each of CLIP's roles
     */
    static FastTokenizer.Parts clip(ClipVocabulary vocabulary, TokenizerSettings settings)
            throws TokenizerException {
        var ids = vocabulary.ids();
        var unk = settings.special(Role.UNK).content();
        var spelling =
                new Bpe.Spelling(
                        "",
                        ClipTokenizer.END_OF_WORD,
                        ids.getOrDefault(unk, -1),
                        false,
                        false,
                        false);
        var model = new BpeModel(ids, new Bpe(ids, vocabulary.merges(), spelling));
        return new FastTokenizer.Parts(
                Normalizers.sequence(
                        List.of(
                                Normalizers.form(Form.NFC),
                                Normalizers.replace(UnicodeVersion.V16, ClipTokenizer.SPACES, " "),
                                Lowercase::simple)),
                PreTokenizer.sequence(
                        List.of(
                                PreTokenizer.split(CLIP_WORDS, true, false),
                                PreTokenizer.byteLevel(false, true))),
                model,
                new AddedTokens(),
                new int[] {idOf(model, settings.special(Role.BOS).content(), settings)},
                new int[] {idOf(model, settings.special(Role.EOS).content(), settings)},
                Decoders.byteLevel(ClipTokenizer.END_OF_WORD));
    }
}
