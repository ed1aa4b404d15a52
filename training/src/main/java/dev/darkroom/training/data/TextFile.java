package dev.darkroom.training.data;

import dev.darkroom.common.UntrustedFile;
import dev.darkroom.tokenizers.Whitespace;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.Charset;
import java.nio.charset.CoderResult;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** Texts that people write: in UTF-8, or in UTF-16 if a byte order mark says so. */
final class TextFile {
    private static final char ZERO_WIDTH_SPACE = '\u200b';
    private static final char BYTE_ORDER_MARK = '\ufeff';

    /** Captions of some millions of pictures. */
    private static final long LONGEST = 1L << 30;

    /** Heap for a byte of the file: bytes, text and examples. */
    private static final int HEAP_PER_BYTE = 6;

    private TextFile() {}

    /**
     * Returns the text of a file, without a byte order mark.
     *
     * @throws DataException that names the file, and the line that is no such text
     */
    static String read(Path file) throws DataException {
        byte[] bytes;
        try {
            bytes = UntrustedFile.read(file, LONGEST, HEAP_PER_BYTE);
        } catch (IOException e) {
            throw new DataException(file, UntrustedFile.problem(e), e);
        }
        if (PictureFormat.startsWith(bytes, 0, "\u00ef\u00bb\u00bf")) {
            return decoded(file, bytes, 3, StandardCharsets.UTF_8);
        }
        if (PictureFormat.startsWith(bytes, 0, "\u00ff\u00fe")) {
            return decoded(file, bytes, 2, StandardCharsets.UTF_16LE);
        }
        if (PictureFormat.startsWith(bytes, 0, "\u00fe\u00ff")) {
            return decoded(file, bytes, 2, StandardCharsets.UTF_16BE);
        }
        return decoded(file, bytes, 0, StandardCharsets.UTF_8);
    }

    private static String decoded(Path file, byte[] bytes, int from, Charset charset)
            throws DataException {
        CharBuffer decoded = CharBuffer.allocate(bytes.length); // a character takes a byte or more
        CoderResult result =
                charset.newDecoder()
                        .decode(ByteBuffer.wrap(bytes, from, bytes.length - from), decoded, true);
        String text = decoded.flip().toString();
        if (result.isError()) {
            throw new DataException(
                    file,
                    line(text),
                    "this is not text in " + charset + "; save it in UTF-8",
                    null);
        }
        int nul = text.indexOf('\0');
        if (nul >= 0) {
            throw new DataException(
                    file,
                    line(text.substring(0, nul)),
                    "there is a character of value 0, as UTF-16 without a byte order mark has"
                            + " them; save it in UTF-8",
                    null);
        }
        return text;
    }

    /** Returns the number of a text's last line. */
    private static int line(String text) {
        return 1 + (int) text.chars().filter(c -> c == '\n').count();
    }

    /**
     * Returns a text without what is white at its ends: what Python's {@code str.strip} takes away,
     * and spaces of no width, among them byte order marks.
     */
    static String strip(String text) {
        return Whitespace.strip(
                text, c -> Whitespace.isPython(c) || c == ZERO_WIDTH_SPACE || c == BYTE_ORDER_MARK);
    }

    /** Returns whether every surrogate of a text is one half of a character. */
    static boolean isWellFormed(String text) {
        return StandardCharsets.UTF_16BE.newEncoder().canEncode(text);
    }
}
