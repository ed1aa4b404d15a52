package dev.darkroom.runtime.safetensors;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;

import dev.darkroom.runtime.safetensors.SafetensorsException.Kind;

import org.jspecify.annotations.Nullable;

import java.io.ByteArrayInputStream;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Locale;

/**
 * One JSON document, token by token, under stricter rules than JSON's own: valid UTF-8 without a
 * byte order mark, no lone surrogates, limited depth, whole numbers only.
 */
final class StrictJson implements Closeable {
    /** A name or a number may be as long as its document, whose length is limited. */
    private static final JsonFactory FACTORY =
            JsonFactory.builder()
                    .streamReadConstraints(
                            StreamReadConstraints.builder()
                                    .maxStringLength(Integer.MAX_VALUE)
                                    .maxNameLength(Integer.MAX_VALUE)
                                    .maxNumberLength(Integer.MAX_VALUE)
                                    .build())
                    // Names come from strangers and are rarely seen twice: no shared tables of
                    // them.
                    .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
                    .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
                    .build();

    private final Path file;
    private final int maxDepth;
    private final JsonParser parser;
    private int depth;
    private @Nullable String tensor;

    StrictJson(Path file, byte[] text, int maxDepth) throws IOException {
        this.file = file;
        this.maxDepth = maxDepth;
        checkUtf8(text);
        checkSurrogates(text);
        parser =
                FACTORY.createParser(
                        new InputStreamReader(
                                new ByteArrayInputStream(text), StandardCharsets.UTF_8));
    }

    /** Names the tensor in the errors from here on. */
    void at(@Nullable String tensor) {
        this.tensor = tensor;
    }

    SafetensorsException error(Kind kind, String what) {
        return new SafetensorsException(kind, file, tensor, what);
    }

    /** Reads the next token. At the end of the text: null. */
    @Nullable JsonToken next() throws SafetensorsException {
        var token = token();
        if (token != null && token.isStructStart() && ++depth > maxDepth) {
            throw error(
                    Kind.TOO_DEEP,
                    "the JSON is nested deeper than the " + maxDepth + " levels of the format");
        }
        if (token != null && token.isStructEnd()) {
            depth--;
        }
        return token;
    }

    /** Skips the value that begins with this token. */
    void skip(@Nullable JsonToken token) throws SafetensorsException {
        if (token != null && token.isStructStart()) {
            for (int outside = depth - 1; depth > outside; ) {
                next();
            }
        }
    }

    /** Fails unless the token is of that type. */
    void expect(JsonToken type, @Nullable JsonToken token, String place)
            throws SafetensorsException {
        if (token != type) {
            throw error(Kind.WRONG_TYPE, place + " is " + describe(token));
        }
    }

    /** Reads an object's next key, or null at the object's end. */
    @Nullable String nextKey() throws SafetensorsException {
        return next() == JsonToken.END_OBJECT ? null : text();
    }

    /** Returns the current key's or string's text. */
    String text() throws SafetensorsException {
        try {
            return parser.getText();
        } catch (IOException e) {
            throw malformed(e);
        }
    }

    /** Returns the current token as a whole number from 0 to 2⁶³ − 1. */
    long number(@Nullable JsonToken token, String place) throws SafetensorsException {
        var text = text();
        if (token == JsonToken.VALUE_NUMBER_FLOAT) {
            throw error(
                    Kind.NOT_AN_INTEGER,
                    place + " holds " + Names.quote(text) + ", which is not a whole number");
        }
        expect(JsonToken.VALUE_NUMBER_INT, token, "an element of " + place);
        if (text.startsWith("-")) {
            throw error(
                    Kind.NEGATIVE_NUMBER,
                    place + " holds the negative number " + Names.quote(text));
        }
        try {
            return Long.parseLong(text);
        } catch (NumberFormatException e) {
            throw error(
                    Kind.NUMBER_OVERFLOW,
                    place + " holds " + Names.quote(text) + ", which is more than 2^63 - 1");
        }
    }

    /** Fails unless only white space follows. */
    void end() throws SafetensorsException {
        try {
            if (token() == null) {
                return;
            }
        } catch (SafetensorsException e) {
            // not even JSON: no better
        }
        throw error(Kind.TRAILING_CONTENT, "something follows the JSON object");
    }

    @Override
    public void close() throws IOException {
        parser.close();
    }

    /** Describes a JSON type. */
    static String describe(@Nullable JsonToken token) {
        return switch (token) {
            case null -> "missing";
            case START_OBJECT -> "an object";
            case START_ARRAY -> "an array";
            case VALUE_STRING -> "a string";
            case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT -> "a number";
            case VALUE_TRUE, VALUE_FALSE -> "a boolean";
            case VALUE_NULL -> "null";
            default -> "of another type";
        };
    }

    private @Nullable JsonToken token() throws SafetensorsException {
        try {
            return parser.nextToken();
        } catch (IOException e) {
            throw malformed(e);
        }
    }

    private SafetensorsException malformed(IOException e) {
        var reason = e instanceof JsonProcessingException json ? json.getOriginalMessage() : "" + e;
        return error(
                Kind.MALFORMED_JSON,
                String.format(
                        Locale.ROOT,
                        "the JSON is malformed at character %d (%s)",
                        parser.currentLocation().getCharOffset(),
                        reason.lines().findFirst().orElse("")));
    }

    private void checkUtf8(byte[] text) throws SafetensorsException {
        if (text.length >= 3
                && text[0] == (byte) 0xef
                && text[1] == (byte) 0xbb
                && text[2] == (byte) 0xbf) {
            throw error(Kind.BYTE_ORDER_MARK, "the JSON begins with a byte order mark");
        }
        var decoder =
                StandardCharsets.UTF_8
                        .newDecoder()
                        .onMalformedInput(CodingErrorAction.REPORT)
                        .onUnmappableCharacter(CodingErrorAction.REPORT);
        var in = ByteBuffer.wrap(text);
        var out = CharBuffer.allocate(8192);
        while (true) {
            var result = decoder.decode(in, out.clear(), true);
            if (result.isError()) {
                throw error(
                        Kind.INVALID_UTF8,
                        "byte " + in.position() + " of the JSON is not valid UTF-8");
            }
            if (result.isUnderflow()) {
                return;
            }
        }
    }

    /** Checks that an escaped half of a surrogate pair stands directly beside its other half. */
    private void checkSurrogates(byte[] text) throws SafetensorsException {
        boolean open = false; // the first half was just read
        for (int i = 0; i < text.length; i++) {
            boolean escape = text[i] == '\\';
            int unit = escape ? escapedUnit(text, i + 1) : -1;
            if (open != (unit >= 0 && Character.isLowSurrogate((char) unit))) {
                throw error(
                        Kind.LONE_SURROGATE,
                        String.format(
                                Locale.ROOT,
                                "an escape at byte %d of the JSON is half a surrogate pair",
                                open ? i - 6 : i));
            }
            open = unit >= 0 && Character.isHighSurrogate((char) unit);
            if (escape) {
                i += unit < 0 ? 1 : 5;
            }
        }
    }

    /**
     * The UTF-16 unit of a {@code u} and four hexadecimal digits; -1 if something else is there.
     */
    private static int escapedUnit(byte[] text, int at) {
        if (at + 5 > text.length || text[at] != 'u') {
            return -1;
        }
        int unit = 0;
        for (int i = at + 1; i < at + 5; i++) {
            int digit = text[i] < 0 ? -1 : Character.digit(text[i], 16);
            if (digit < 0) {
                return -1;
            }
            unit = unit << 4 | digit;
        }
        return unit;
    }
}
