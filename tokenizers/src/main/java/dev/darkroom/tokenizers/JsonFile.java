package dev.darkroom.tokenizers;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;

import dev.darkroom.common.OneLine;
import dev.darkroom.common.UntrustedFile;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Path;
import java.util.function.Predicate;

/** A JSON file and the checked access to its fields; every complaint names file and field. */
record JsonFile(Path path, JsonNode root) {
    private static final ObjectMapper MAPPER =
            new ObjectMapper()
                    .enable(DeserializationFeature.FAIL_ON_READING_DUP_TREE_KEY)
                    .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

    static JsonFile read(Path path) throws IOException {
        JsonNode root;
        try {
            root = MAPPER.readTree(Limits.read(path, UntrustedFile.JSON_TREE));
        } catch (JsonProcessingException e) {
            throw new TokenizerException(
                    path, "not valid JSON: " + OneLine.ofJsonProblem(e.getOriginalMessage()), e);
        } catch (TokenizerException e) {
            throw e;
        } catch (IOException e) { // of Jackson, for bytes that are no text
            throw new TokenizerException(path, UntrustedFile.problem(e), e);
        }
        if (!root.isObject()) {
            throw new TokenizerException(path, "should hold a JSON object");
        }
        return new JsonFile(path, root);
    }

    TokenizerException error(String problem) {
        return new TokenizerException(path, problem);
    }

    /** The field, or null where it is missing or null. */
    @Nullable JsonNode optional(JsonNode parent, String field) {
        var node = parent.get(field);
        return node == null || node.isNull() ? null : node;
    }

    JsonNode object(JsonNode parent, String field) throws TokenizerException {
        return checked(parent, field, JsonNode::isObject, "an object");
    }

    JsonNode array(JsonNode parent, String field) throws TokenizerException {
        return checked(parent, field, JsonNode::isArray, "an array");
    }

    String string(JsonNode parent, String field) throws TokenizerException {
        return checked(parent, field, JsonNode::isTextual, "a string").textValue();
    }

    @Nullable String string(JsonNode parent, String field, @Nullable String otherwise)
            throws TokenizerException {
        return optional(parent, field) == null ? otherwise : string(parent, field);
    }

    int integer(JsonNode parent, String field) throws TokenizerException {
        return checked(parent, field, JsonNode::canConvertToExactIntegral, "an integer", true)
                .intValue();
    }

    boolean bool(JsonNode parent, String field, boolean otherwise) throws TokenizerException {
        return optional(parent, field) == null
                ? otherwise
                : checked(parent, field, JsonNode::isBoolean, "true or false").booleanValue();
    }

    /** The id of a token, which errors call {@code what}. */
    int id(JsonNode parent, String field, String what) throws TokenizerException {
        int id = integer(parent, field);
        if (id < 0) {
            throw error(what + " is negative");
        }
        if (id > Limits.ID) {
            throw error(what + " is " + id + ", more than " + Limits.ID);
        }
        return id;
    }

    /** Fails where a part such as a normalizer has more parts than anybody has need for. */
    void requireFewParts(JsonNode part, String what) throws TokenizerException {
        int parts = part.findValues("type").size();
        if (parts > Limits.PARTS) {
            throw error(
                    "the "
                            + what
                            + " has "
                            + parts
                            + " parts; at most "
                            + Limits.PARTS
                            + " are read");
        }
    }

    /** {@code type} of a part such as a normalizer. */
    String type(JsonNode part, String what) throws TokenizerException {
        if (!part.isObject()) {
            throw error("the " + what + " should be an object");
        }
        return string(part, "type");
    }

    AddedToken addedToken(JsonNode node, boolean special) throws TokenizerException {
        if (node.isTextual()) {
            Limits.requireToken(path, "an added token", node.textValue().length());
            return new AddedToken(node.textValue(), false, false, false, !special, special);
        }
        if (!node.isObject()) {
            throw error("a token should be a string or an object, not " + node);
        }
        special |= bool(node, "special", false);
        Limits.requireToken(path, "an added token", string(node, "content").length());
        return new AddedToken(
                string(node, "content"),
                bool(node, "single_word", false),
                bool(node, "lstrip", false),
                bool(node, "rstrip", false),
                bool(node, "normalized", !special),
                special);
    }

    private JsonNode checked(JsonNode parent, String field, Predicate<JsonNode> is, String what)
            throws TokenizerException {
        return checked(parent, field, is, what, false);
    }

    private JsonNode checked(
            JsonNode parent, String field, Predicate<JsonNode> is, String what, boolean inIntRange)
            throws TokenizerException {
        var node = parent.get(field);
        if (node == null) {
            throw error("\"" + field + "\" is missing");
        }
        if (!is.test(node) || (inIntRange && !node.canConvertToInt())) {
            throw error("\"" + field + "\" should be " + what);
        }
        return node;
    }
}
