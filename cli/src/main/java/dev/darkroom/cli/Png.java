package dev.darkroom.cli;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.Deflater;
import java.util.zip.DeflaterOutputStream;

/**
 * Writes PNG files (W3C, Portable Network Graphics, third edition) of 8-bit RGB with texts. The
 * same picture and texts give the same bytes. The JDK's writer would bring AWT and its native
 * libraries into every start.
 */
final class Png {
    private static final byte[] SIGNATURE = {(byte) 137, 'P', 'N', 'G', '\r', '\n', 26, '\n'};
    private static final int DATA_BYTES = 1 << 16;
    private static final int PIXEL_BYTES = 3;
    private static final int FILTERS = 5;

    private Png() {}

    /**
     * Writes a file.
     *
     * @param texts by keyword, which is 1 to 79 Latin letters
     */
    static void write(Raster raster, Map<String, String> texts, OutputStream out)
            throws IOException {
        out.write(SIGNATURE);
        var header = new ByteArrayOutputStream();
        var fields = new DataOutputStream(header);
        fields.writeInt(raster.width());
        fields.writeInt(raster.height());
        fields.write(
                new byte[] {8, 2, 0, 0, 0}); // bits, RGB, deflate, filters by row, no interlacing
        chunk("IHDR", header.toByteArray(), header.size(), out);
        for (var text : texts.entrySet()) {
            text(text.getKey(), text.getValue(), out);
        }
        writeRows(raster, out);
        chunk("IEND", new byte[0], 0, out);
    }

    private static void chunk(String type, byte[] data, int length, OutputStream out)
            throws IOException {
        byte[] name = type.getBytes(StandardCharsets.US_ASCII);
        var crc = new CRC32();
        crc.update(name);
        crc.update(data, 0, length);
        var fields = new DataOutputStream(out);
        fields.writeInt(length);
        fields.write(name);
        fields.write(data, 0, length);
        fields.writeInt((int) crc.getValue());
    }

    /**
     * Latin-1 goes into tEXt, which every reader knows, anything else into iTXt. Neither may hold a
     * character of value 0 (section 11.3.3), for which U+FFFD stands.
     */
    private static void text(String keyword, String given, OutputStream out) throws IOException {
        String text = given.replace('\0', '\ufffd');
        boolean latin = text.chars().allMatch(Png::isLatin);
        var data = new ByteArrayOutputStream();
        data.write(keyword.getBytes(StandardCharsets.ISO_8859_1));
        data.write(0);
        if (!latin) {
            data.write(new byte[4]); // not compressed; no language, no translated keyword
        }
        data.write(text.getBytes(latin ? StandardCharsets.ISO_8859_1 : StandardCharsets.UTF_8));
        chunk(latin ? "tEXt" : "iTXt", data.toByteArray(), data.size(), out);
    }

    private static boolean isLatin(int character) {
        return character == '\n'
                || character >= 0x20 && character < 0x7f
                || character >= 0xa0 && character <= 0xff;
    }

    private static void writeRows(Raster raster, OutputStream out) throws IOException {
        var deflater = new Deflater();
        try (var data = new DeflaterOutputStream(new DataChunks(out), deflater, DATA_BYTES)) {
            // Left of a row lies one black pixel, so that filters need no special case.
            int length = PIXEL_BYTES * raster.width();
            var above = new byte[PIXEL_BYTES + length];
            var row = new byte[PIXEL_BYTES + length];
            var filtered = new byte[FILTERS][1 + length];
            for (int y = 0; y < raster.height(); y++) {
                raster.copyRow(y, row, PIXEL_BYTES);
                data.write(filtered[filter(row, above, filtered)]);
                byte[] next = above;
                above = row;
                row = next;
            }
        } finally {
            deflater.end();
        }
    }

    /**
     * Tries every filter on a row and picks the one with the smallest sum of absolute values
     * (section 12.7).
     *
     * @return which one
     */
    private static int filter(byte[] row, byte[] above, byte[][] filtered) {
        var sums = new long[FILTERS];
        for (int i = PIXEL_BYTES; i < row.length; i++) {
            int here = row[i] & 0xff;
            int a = row[i - PIXEL_BYTES] & 0xff;
            int b = above[i] & 0xff;
            int c = above[i - PIXEL_BYTES] & 0xff;
            int to = i - PIXEL_BYTES + 1;
            filtered[0][to] = (byte) here;
            filtered[1][to] = (byte) (here - a);
            filtered[2][to] = (byte) (here - b);
            filtered[3][to] = (byte) (here - (a + b) / 2);
            filtered[4][to] = (byte) (here - paeth(a, b, c));
            for (int f = 0; f < FILTERS; f++) {
                sums[f] += Math.abs(filtered[f][to]);
            }
        }
        int best = 0;
        for (int i = 0; i < FILTERS; i++) {
            filtered[i][0] = (byte) i;
            if (sums[i] < sums[best]) {
                best = i;
            }
        }
        return best;
    }

    /** Whichever of left, above and upper left is nearest to left + above − upper left. */
    private static int paeth(int a, int b, int c) {
        int toA = Math.abs(b - c);
        int toB = Math.abs(a - c);
        int toC = Math.abs(a + b - 2 * c);
        return toA <= toB && toA <= toC ? a : toB <= toC ? b : c;
    }

    /** Puts what is written into IDAT chunks. */
    private static final class DataChunks extends OutputStream {
        private final OutputStream out;
        private final byte[] buffer = new byte[DATA_BYTES];
        private int length;

        DataChunks(OutputStream out) {
            this.out = out;
        }

        @Override
        public void write(int b) throws IOException {
            write(new byte[] {(byte) b}, 0, 1);
        }

        @Override
        public void write(byte[] bytes, int offset, int count) throws IOException {
            for (int done = 0; done < count; ) {
                int part = Math.min(count - done, buffer.length - length);
                System.arraycopy(bytes, offset + done, buffer, length, part);
                done += part;
                length += part;
                if (length == buffer.length) {
                    end();
                }
            }
        }

        private void end() throws IOException {
            chunk("IDAT", buffer, length, out);
            length = 0;
        }

        /** Ends the last chunk; the file goes on. */
        @Override
        public void close() throws IOException {
            if (length > 0) {
                end();
            }
        }
    }
}
