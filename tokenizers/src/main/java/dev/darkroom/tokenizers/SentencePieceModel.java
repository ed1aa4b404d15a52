package dev.darkroom.tokenizers;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;

/**
 * The parts of a {@code spiece.model} file that encoding and decoding need, as declared in
 * SentencePiece's {@code sentencepiece_model.proto}.
 *
 * @param pieces the vocabulary, in id order
 * @param unkId the id of the one piece of type UNKNOWN
 * @param byteFallback whether unknown characters are spelled in byte pieces
 * @param unkSurface what decodes for an unknown piece
 * @param charsMap the normalisation rules, if any
 */
record SentencePieceModel(
        Path file,
        List<Piece> pieces,
        int unkId,
        boolean byteFallback,
        boolean whitespaceAsSuffix,
        String unkSurface,
        @Nullable CharsMap charsMap,
        boolean addDummyPrefix,
        boolean removeExtraWhitespaces,
        boolean escapeWhitespaces) {

    /** Types of pieces, in the order of their numbers in the file, which start at 1. */
    enum Type {
        NORMAL,
        UNKNOWN,
        CONTROL,
        USER_DEFINED,
        UNUSED,
        BYTE;

        /** Whether text can match a piece of this type. */
        boolean isText() {
            return this == NORMAL || this == USER_DEFINED || this == UNUSED;
        }
    }

    record Piece(String text, float score, Type type) {}

    private static final int UNIGRAM = 1;

    /**
     * What a piece of few letters takes: its text, its node of the trie and its entry among the
     * ids.
     */
    private static final int HEAP_PER_BYTE = 64;

    static SentencePieceModel read(Path file) throws IOException {
        return new Builder(file).read();
    }

    SentencePieceModel withoutDummyPrefix() {
        return new SentencePieceModel(
                file,
                pieces,
                unkId,
                byteFallback,
                whitespaceAsSuffix,
                unkSurface,
                charsMap,
                false,
                removeExtraWhitespaces,
                escapeWhitespaces);
    }

    static String bytePiece(int b) {
        return String.format(Locale.ROOT, "<0x%02X>", b);
    }

    /** Field numbers below are those of the .proto file; so are the defaults. */
    private static final class Builder {
        private final Path file;
        private final List<Piece> pieces = new ArrayList<>();
        private int modelType = UNIGRAM;
        private boolean byteFallback;
        private boolean whitespaceAsSuffix;
        private String unkSurface = " \u2047 ";
        private @Nullable CharsMap charsMap;
        private boolean addDummyPrefix = true;
        private boolean removeExtraWhitespaces = true;
        private boolean escapeWhitespaces = true;

        Builder(Path file) {
            this.file = file;
        }

        SentencePieceModel read() throws IOException {
            var model = new ProtoReader(file, Limits.read(file, HEAP_PER_BYTE));
            while (model.next()) {
                switch (model.field()) {
                    case 1 -> piece(model.message());
                    case 2 -> trainerSpec(model.message());
                    case 3 -> normalizerSpec(model.message());
                    default -> {} // self test, denormaliser
                }
            }
            return new SentencePieceModel(
                    file,
                    List.copyOf(pieces),
                    check(),
                    byteFallback,
                    whitespaceAsSuffix,
                    unkSurface,
                    charsMap,
                    addDummyPrefix,
                    removeExtraWhitespaces,
                    escapeWhitespaces);
        }

        private void piece(ProtoReader in) throws TokenizerException {
            String text = "";
            float score = 0;
            long type = 1;
            while (in.next()) {
                switch (in.field()) {
                    case 1 -> text = in.string();
                    case 2 -> score = in.float32();
                    case 3 -> type = in.integer();
                    default -> {}
                }
            }
            int id = pieces.size();
            if (text.isEmpty()) {
                throw error("piece " + id + " is empty");
            }
            Limits.requireToken(file, "piece " + id, text.length());
            if (!Float.isFinite(score)) {
                throw error("piece " + id + " has the score " + score);
            }
            if (type < 1 || type > Type.values().length) {
                throw error("piece " + id + " has the unknown type " + type);
            }
            pieces.add(new Piece(text, score, Type.values()[(int) type - 1]));
        }

        private void trainerSpec(ProtoReader in) throws TokenizerException {
            while (in.next()) {
                switch (in.field()) {
                    case 3 -> modelType = (int) in.integer();
                    case 24 -> whitespaceAsSuffix = in.integer() != 0;
                    case 35 -> byteFallback = in.integer() != 0;
                    case 44 -> unkSurface = in.string();
                    default -> {}
                }
            }
        }

        private void normalizerSpec(ProtoReader in) throws TokenizerException {
            while (in.next()) {
                switch (in.field()) {
                    case 2 -> {
                        var blob = in.bytes();
                        charsMap = blob.length == 0 ? null : CharsMap.parse(file, blob);
                    }
                    case 3 -> addDummyPrefix = in.integer() != 0;
                    case 4 -> removeExtraWhitespaces = in.integer() != 0;
                    case 5 -> escapeWhitespaces = in.integer() != 0;
                    default -> {}
                }
            }
        }

        /** The rules that SentencePiece itself holds a model to. Returns the unknown piece's id. */
        private int check() throws TokenizerException {
            if (modelType != UNIGRAM) {
                throw error(
                        "the model type is number "
                                + modelType
                                + "; only unigram (1) is supported, which is what T5 uses");
            }
            int unkId = -1;
            var textPieces = new HashSet<String>();
            var otherPieces = new HashSet<String>();
            for (int id = 0; id < pieces.size(); id++) {
                var piece = pieces.get(id);
                if (!(piece.type.isText() ? textPieces : otherPieces).add(piece.text)) {
                    throw error("the piece \"" + piece.text + "\" is there twice");
                }
                if (piece.type == Type.UNKNOWN) {
                    if (unkId >= 0) {
                        throw error("there is more than one unknown piece");
                    }
                    unkId = id;
                }
                if (piece.type == Type.BYTE && !byteFallback) {
                    throw error("there is a byte piece although byte fallback is off");
                }
            }
            if (unkId < 0) {
                throw error("no piece is marked as the unknown one");
            }
            if (textPieces.isEmpty()) {
                throw error("there are no pieces that text could match");
            }
            for (int b = 0; byteFallback && b < 256; b++) {
                if (!otherPieces.contains(bytePiece(b))) {
                    throw error(
                            "byte fallback is on but the piece " + bytePiece(b) + " is missing");
                }
            }
            return unkId;
        }

        private TokenizerException error(String problem) {
            return new TokenizerException(file, problem);
        }
    }
}
