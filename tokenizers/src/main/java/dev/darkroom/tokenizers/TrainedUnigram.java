package dev.darkroom.tokenizers;

import static dev.darkroom.tokenizers.UnigramEstimation.Piece;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.common.WholeFile;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** A vocabulary that {@link UnigramTrainer} trained, and the files that hold it. */
public final class TrainedUnigram {
    /** How many tokens go before the pieces. */
    static final int SPECIAL = 3;

    private static final List<String> SPECIAL_TOKENS = List.of("<pad>", "</s>", "<unk>");
    private static final int PAD = 0;
    private static final int EOS = 1;
    private static final int UNK = 2;
    private static final ObjectMapper JSON = new ObjectMapper();

    private final List<Piece> pieces;
    private final CaptionRules rules;
    private final UnigramTrainer.Options options;

    TrainedUnigram(List<Piece> pieces, CaptionRules rules, UnigramTrainer.Options options) {
        this.pieces = pieces;
        this.rules = rules;
        this.options = options;
    }

    /** The number of tokens, special ones included: the rows that a text encoder needs. */
    public int size() {
        return SPECIAL + pieces.size();
    }

    /**
     * Writes a tokenizer folder: {@code spiece.model}, {@code tokenizer.json}, {@code
     * tokenizer_config.json} and {@code special_tokens_map.json}. {@link Tokenizers} and
     * transformers read it, as T5Tokenizer from the first file and as T5TokenizerFast from the
     * second, with the same ids.
     *
     * @param folder is made where it is missing
     */
    public void save(Path folder) throws IOException {
        Files.createDirectories(folder);
        WholeFile.write(
                folder.resolve("spiece.model"), temporary -> Files.write(temporary, spieceModel()));
        write(folder.resolve("tokenizer.json"), tokenizerJson());
        write(folder.resolve("tokenizer_config.json"), tokenizerConfig());
        write(folder.resolve("special_tokens_map.json"), roles());
    }

    private static void write(Path file, ObjectNode json) throws IOException {
        WholeFile.write(
                file,
                temporary ->
                        JSON.writerWithDefaultPrettyPrinter().writeValue(temporary.toFile(), json));
    }

    /** The field numbers are those of SentencePiece's {@code sentencepiece_model.proto}. */
    private byte[] spieceModel() {
        var model = new ProtoWriter();
        for (int id = 0; id < SPECIAL; id++) {
            var type =
                    id == UNK ? SentencePieceModel.Type.UNKNOWN : SentencePieceModel.Type.CONTROL;
            model.message(
                    1,
                    new ProtoWriter()
                            .string(1, SPECIAL_TOKENS.get(id))
                            .float32(2, 0)
                            .integer(3, type.ordinal() + 1));
        }
        for (var piece : pieces) {
            model.message(1, new ProtoWriter().string(1, piece.text()).float32(2, piece.score()));
        }
        return model.message(2, trainerSpec()).message(3, normalizerSpec()).toByteArray();
    }

    private ProtoWriter trainerSpec() {
        return new ProtoWriter()
                .integer(3, 1) // unigram
                .integer(4, size())
                .float32(10, options.characterCoverage())
                .integer(20, options.maxPieceLength())
                .integer(40, UNK)
                .integer(41, -1) // no token for the beginning
                .integer(42, EOS)
                .integer(43, PAD)
                .string(45, SPECIAL_TOKENS.get(UNK))
                .string(47, SPECIAL_TOKENS.get(EOS))
                .string(48, SPECIAL_TOKENS.get(PAD));
    }

    private ProtoWriter normalizerSpec() {
        return new ProtoWriter()
                .string(1, "user_defined")
                .bytes(2, rules.charsMap())
                .integer(3, 1) // a space goes before the text
                .integer(4, 1) // of several spaces one stays
                .integer(5, 1); // U+2581 stands for the space
    }

    private ObjectNode tokenizerJson() {
        var root = JSON.createObjectNode().put("version", "1.0");
        root.putNull("truncation").putNull("padding");
        var added = root.putArray("added_tokens");
        for (int id = 0; id < SPECIAL; id++) {
            added.add(addedToken(id).put("id", id));
        }
        var normalizers =
                root.putObject("normalizer").put("type", "Sequence").putArray("normalizers");
        var spaces = normalizers.addObject().put("type", "Replace").put("content", " ");
        spaces.putObject("pattern").put("Regex", CaptionRules.SPACES);
        normalizers
                .addObject()
                .put("type", "Strip")
                .put("strip_left", true)
                .put("strip_right", true);
        if (rules.lowercase()) {
            normalizers.addObject().put("type", "Lowercase");
        }
        root.set("pre_tokenizer", metaspace());
        root.set("post_processor", endOfText());
        root.set("decoder", metaspace());
        root.set("model", model());
        return root;
    }

    private static ObjectNode metaspace() {
        return JSON.createObjectNode()
                .put("type", "Metaspace")
                .put("replacement", String.valueOf(SentencePiece.SPACE))
                .put("prepend_scheme", "always")
                .put("split", true);
    }

    /** {@code </s>} ends each text. */
    private static ObjectNode endOfText() {
        var end = SPECIAL_TOKENS.get(EOS);
        var processor = JSON.createObjectNode().put("type", "TemplateProcessing");
        template(processor.putArray("single"), List.of("A"), end);
        template(processor.putArray("pair"), List.of("A", "B"), end);
        var token = processor.putObject("special_tokens").putObject(end).put("id", end);
        token.putArray("ids").add(EOS);
        token.putArray("tokens").add(end);
        return processor;
    }

    private static void template(ArrayNode template, List<String> texts, String end) {
        for (var text : texts) {
            template.addObject().putObject("Sequence").put("id", text).put("type_id", 0);
            template.addObject().putObject("SpecialToken").put("id", end).put("type_id", 0);
        }
    }

    private ObjectNode model() {
        var model = JSON.createObjectNode().put("type", "Unigram").put("unk_id", UNK);
        var vocabulary = model.putArray("vocab");
        SPECIAL_TOKENS.forEach(token -> vocabulary.addArray().add(token).add(0.0));
        // In the precision of spiece.model, so that equal ways are equal in both.
        pieces.forEach(
                piece ->
                        vocabulary
                                .addArray()
                                .add(piece.text())
                                .add((double) (float) piece.score()));
        return model.put("byte_fallback", false);
    }

    private ObjectNode tokenizerConfig() {
        var config = roles();
        var added = config.putObject("added_tokens_decoder");
        for (int id = 0; id < SPECIAL; id++) {
            added.set(String.valueOf(id), addedToken(id));
        }
        config.putArray("additional_special_tokens");
        return config.put("clean_up_tokenization_spaces", false)
                .put("extra_ids", 0)
                .put("legacy", true)
                .put("model_max_length", options.maxLength())
                .put("tokenizer_class", "T5Tokenizer");
    }

    private static ObjectNode roles() {
        return JSON.createObjectNode()
                .put("eos_token", SPECIAL_TOKENS.get(EOS))
                .put("pad_token", SPECIAL_TOKENS.get(PAD))
                .put("unk_token", SPECIAL_TOKENS.get(UNK));
    }

    private static ObjectNode addedToken(int id) {
        return JSON.createObjectNode()
                .put("content", SPECIAL_TOKENS.get(id))
                .put("single_word", false)
                .put("lstrip", false)
                .put("rstrip", false)
                .put("normalized", false)
                .put("special", true);
    }
}
