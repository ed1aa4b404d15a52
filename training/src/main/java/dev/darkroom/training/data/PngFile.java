package dev.darkroom.training.data;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.util.zip.CRC32;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

import javax.imageio.IIOException;

/** What readers of PNGs do not check. */
final class PngFile {
    private static final int SIGNATURE = 8;

    /** Length, type and checksum of a chunk. */
    private static final int FRAME = 12;

    private static final int IEND = 0x49454e44;
    private static final int TEXT = 0x74455874;
    private static final int PACKED_TEXT = 0x7a545874;
    private static final int INTERNATIONAL_TEXT = 0x69545874;

    /** What the texts of a file may take, unpacked; a megabyte may unpack to a gigabyte. */
    private static final int MOST_TEXT = 16 << 20;

    private PngFile() {}

    /**
     * Checks that a file is whole (ISO/IEC 15948, 5.3): chunks up to the last, and the checksum of
     * each that the picture depends on.
     */
    static void check(byte[] file) throws IIOException {
        var bytes = ByteBuffer.wrap(file);
        for (int at = SIGNATURE; ; ) {
            if (at + FRAME > file.length) {
                throw PictureFile.cutOff(file);
            }
            int length = bytes.getInt(at);
            int type = bytes.getInt(at + 4);
            if (length < 0 || length > file.length - FRAME - at) {
                throw PictureFile.cutOff(file);
            }
            boolean isCritical = (type & 0x20000000) == 0; // begins with a capital letter
            if (isCritical) {
                var crc = new CRC32();
                crc.update(file, at + 4, 4 + length);
                if ((int) crc.getValue() != bytes.getInt(at + 8 + length)) {
                    throw new IIOException("it is damaged: a checksum is wrong");
                }
            }
            if (type == IEND) {
                return;
            }
            at += FRAME + length;
        }
    }

    /**
     * Returns a file that is whole, without its texts from where they take too much memory: readers
     * of metadata unpack them all.
     */
    static byte[] withFewTexts(byte[] file) {
        var bytes = ByteBuffer.wrap(file);
        var kept = new ByteArrayOutputStream(file.length);
        kept.write(file, 0, SIGNATURE);
        long texts = 0;
        int type;
        int at = SIGNATURE;
        do {
            int length = bytes.getInt(at);
            type = bytes.getInt(at + 4);
            texts += unpacked(file, at + 8, length, type);
            if (texts <= MOST_TEXT || !isText(type)) {
                kept.write(file, at, FRAME + length);
            }
            at += FRAME + length;
        } while (type != IEND);
        return texts <= MOST_TEXT ? file : kept.toByteArray();
    }

    private static boolean isText(int type) {
        return type == TEXT || type == PACKED_TEXT || type == INTERNATIONAL_TEXT;
    }

    /** Returns how long a chunk's text is, unpacked, up to where that is too long. */
    private static int unpacked(byte[] file, int from, int length, int type) {
        if (!isText(type)) {
            return 0;
        }
        int end = from + length;
        int at = after(file, from, end); // the keyword
        boolean isPacked = type == PACKED_TEXT;
        if (type == INTERNATIONAL_TEXT) {
            isPacked = at < end && file[at] != 0;
            at = after(file, after(file, at + 2, end), end); // the language, the keyword in it
        } else if (isPacked) {
            at++; // the method
        }
        if (!isPacked || at >= end) {
            return length;
        }
        int count = 0;
        var inflater = new Inflater();
        try {
            inflater.setInput(file, at, end - at);
            var part = new byte[1 << 13];
            for (int read; count <= MOST_TEXT && (read = inflater.inflate(part)) > 0; ) {
                count += read;
            }
        } catch (DataFormatException e) {
            // Readers come no further either.
        } finally {
            inflater.end();
        }
        return count;
    }

    /** Returns where the text ends that begins there, and its zero byte. */
    private static int after(byte[] file, int from, int end) {
        int at = from;
        while (at < end && file[at] != 0) {
            at++;
        }
        return at + 1;
    }
}
