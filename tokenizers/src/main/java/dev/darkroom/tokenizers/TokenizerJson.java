package dev.darkroom.tokenizers;

import com.fasterxml.jackson.databind.JsonNode;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Reads a {@code tokenizer.json} of the tokenizers library. Its {@code truncation} and {@code
 * padding} are left aside, as transformers does: they are the caller's choice.
 */
final class TokenizerJson {
    private final JsonFile json;

    private TokenizerJson(JsonFile json) {
        this.json = json;
    }

    static FastTokenizer.Parts read(Path file) throws IOException {
        return new TokenizerJson(JsonFile.read(file)).parts();
    }

    private FastTokenizer.Parts parts() throws TokenizerException {
        var root = json.root();
        var model = model(json.object(root, "model"));
        var ends = new Ends(new Ids(), new Ids());
        var added = addedTokens(model);
        readEnds(json.optional(root, "post_processor"), ends);
        var prefix = ends.prefix.toArray();
        var suffix = ends.suffix.toArray();
        for (var ids : List.of(prefix, suffix)) {
            for (int id : ids) {
                if (model.token(id) == null && added.token(id) == null) {
                    throw json.error(
                            "the post_processor adds the id " + id + ", which is no token");
                }
            }
        }
        return new FastTokenizer.Parts(
                Normalizers.read(json, json.optional(root, "normalizer")),
                PreTokenizer.read(json, json.optional(root, "pre_tokenizer")),
                model,
                added,
                prefix,
                suffix,
                decoder(json.optional(root, "decoder"), json.object(root, "model")));
    }

    private AddedTokens addedTokens(FastTokenizer.Model model) throws TokenizerException {
        var added = new AddedTokens();
        if (json.optional(json.root(), "added_tokens") != null) {
            for (var node : json.array(json.root(), "added_tokens")) {
                var token = json.addedToken(node, false);
                int id = json.id(node, "id", "the id of an added token");
                int inModel = model.id(token.content());
                if (inModel >= 0 && inModel != id) {
                    throw json.error(
                            "the added token \"" + token.content() + "\" has the wrong id " + id);
                }
                added.put(id, token);
            }
        }
        return added;
    }

    private FastTokenizer.Model model(JsonNode node) throws TokenizerException {
        // The oldest files do not name the type.
        String type = json.string(node, "type", node.has("merges") ? "BPE" : "Unigram");
        return switch (String.valueOf(type)) {
            case "Unigram" -> unigram(node);
            case "BPE" -> bpe(node);
            default ->
                    throw json.error(
                            "the model \"" + type + "\" is not supported, only Unigram and BPE");
        };
    }

    private UnigramModel unigram(JsonNode node) throws TokenizerException {
        var vocabulary = new ArrayList<UnigramModel.Entry>();
        var seen = new HashSet<String>();
        for (var entry : json.array(node, "vocab")) {
            if (!entry.isArray()
                    || entry.size() != 2
                    || !entry.get(0).isTextual()
                    || !entry.get(1).isNumber()) {
                throw json.error(
                        "token "
                                + vocabulary.size()
                                + " of the vocabulary should be [text, score]");
            }
            var token = entry.get(0).textValue();
            Limits.requireToken(json.path(), "a token", token.length());
            if (token.isEmpty() || !seen.add(token)) {
                throw json.error(
                        "token "
                                + vocabulary.size()
                                + " of the vocabulary, \""
                                + token
                                + "\", is empty or there twice");
            }
            vocabulary.add(new UnigramModel.Entry(token, entry.get(1).doubleValue()));
        }
        int unkId = json.integer(node, "unk_id");
        if (unkId < 0 || unkId >= vocabulary.size()) {
            throw json.error(
                    "unk_id is " + unkId + " but there are " + vocabulary.size() + " tokens");
        }
        return new UnigramModel(vocabulary, unkId, json.bool(node, "byte_fallback", false));
    }

    private BpeModel bpe(JsonNode node) throws TokenizerException {
        var dropout = json.optional(node, "dropout");
        if (dropout != null && dropout.doubleValue() != 0) {
            throw json.error("BPE with dropout is not supported");
        }
        var ids = ClipVocabulary.ids(json, json.object(node, "vocab"));
        var prefix = text(node, "continuing_subword_prefix");
        var merges = new ArrayList<Bpe.Merge>();
        for (var merge : json.array(node, "merges")) {
            merges.add(merge(merge, merges.size(), prefix, ids.keySet()));
        }
        var unk = json.string(node, "unk_token", null);
        Integer unkId = unk == null ? Integer.valueOf(-1) : ids.get(unk);
        if (unkId == null) {
            throw json.error("the unk_token \"" + unk + "\" is not in the vocabulary");
        }
        var spelling =
                new Bpe.Spelling(
                        prefix,
                        text(node, "end_of_word_suffix"),
                        unkId,
                        json.bool(node, "fuse_unk", false),
                        json.bool(node, "byte_fallback", false),
                        json.bool(node, "ignore_merges", false));
        return new BpeModel(ids, new Bpe(ids, merges, spelling));
    }

    private String text(JsonNode node, String field) throws TokenizerException {
        String text = json.optional(node, field) == null ? "" : json.string(node, field);
        Limits.requireToken(json.path(), field, text.length());
        return text;
    }

    /** {@code "left right"} or {@code ["left", "right"]}; both and their union must be tokens. */
    private Bpe.Merge merge(JsonNode node, int index, String prefix, Set<String> vocabulary)
            throws TokenizerException {
        String[] parts = {};
        if (node.isTextual()) {
            parts = node.textValue().split(" ", -1);
        } else if (node.isArray() && node.size() == 2) {
            parts = new String[] {node.get(0).asText(), node.get(1).asText()};
        }
        if (parts.length != 2) {
            throw json.error("merge " + index + " should be two tokens");
        }
        var merge = new Bpe.Merge(parts[0], parts[1]);
        for (var part : List.of(merge.left(), merge.right(), merge.joined(prefix))) {
            if (!vocabulary.contains(part)) {
                throw json.error("merge " + index + " needs \"" + part + "\", which is no token");
            }
        }
        return merge;
    }

    private record Ends(Ids prefix, Ids suffix) {}

    private void readEnds(@Nullable JsonNode node, Ends ends) throws TokenizerException {
        if (node == null) {
            return;
        }
        json.requireFewParts(node, "post_processor");
        String type = json.type(node, "post_processor");
        switch (type) {
            case "ByteLevel" -> {} // only about offsets
            case "TemplateProcessing" -> readTemplate(node, ends);
            case "RobertaProcessing", "BertProcessing" -> {
                ends.prefix.addFirst(tokenAndId(node, "cls"));
                ends.suffix.add(tokenAndId(node, "sep"));
            }
            case "Sequence" -> {
                for (var part : json.array(node, "processors")) {
                    readEnds(part, ends);
                }
            }
            default ->
                    throw json.error(
                            "the post_processor \""
                                    + type
                                    + "\" is not supported; those that are: Sequence,"
                                    + " TemplateProcessing, RobertaProcessing, BertProcessing and"
                                    + " ByteLevel");
        }
    }

    private void readTemplate(JsonNode node, Ends ends) throws TokenizerException {
        var specials = json.object(node, "special_tokens");
        var before = new Ids();
        var after = new Ids();
        int sequences = 0;
        if (json.array(node, "single").size() > Limits.PARTS) {
            throw json.error(
                    "the template for single texts has more than " + Limits.PARTS + " parts");
        }
        for (var piece : json.array(node, "single")) {
            if (piece.has("Sequence")) {
                sequences++;
            } else {
                var name = json.string(json.object(piece, "SpecialToken"), "id");
                for (var id : json.array(json.object(specials, name), "ids")) {
                    if (!id.canConvertToInt() || !id.isIntegralNumber()) {
                        throw json.error("the ids of \"" + name + "\" should be integers");
                    }
                    (sequences == 0 ? before : after).add(id.intValue());
                }
            }
        }
        if (sequences != 1) {
            throw json.error(
                    "the template for single texts has " + sequences + " sequences, not one");
        }
        ends.prefix.addFirst(before.toArray());
        ends.suffix.add(after.toArray());
    }

    private int[] tokenAndId(JsonNode node, String field) throws TokenizerException {
        var pair = json.array(node, field);
        if (pair.size() != 2 || !pair.get(1).isIntegralNumber() || !pair.get(1).canConvertToInt()) {
            throw json.error("\"" + field + "\" should be [token, id]");
        }
        return new int[] {pair.get(1).intValue()};
    }

    private FastTokenizer.Decoder decoder(@Nullable JsonNode node, JsonNode model)
            throws TokenizerException {
        if (node == null) {
            return tokens -> String.join(" ", tokens);
        }
        String type = json.type(node, "decoder");
        return switch (type) {
            case "Metaspace" ->
                    Decoders.metaspace(
                            PreTokenizer.metaspaceCharacter(json, node),
                            PreTokenizer.metaspacePrepend(json, node)
                                    != PreTokenizer.Prepend.NEVER);
            case "ByteLevel" -> Decoders.byteLevel(text(model, "end_of_word_suffix"));
            default ->
                    throw json.error(
                            "the decoder \""
                                    + type
                                    + "\" is not supported, only Metaspace and ByteLevel");
        };
    }
}
