package dev.darkroom.recipe.font;

import org.jspecify.annotations.Nullable;

import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

import javax.imageio.ImageIO;

/**
 * The pictures of an OpenType font with colour bitmaps, by code point: the tables {@code cmap}
 * (format 12), {@code CBLC} (index formats 1 to 3) and {@code CBDT} (PNG: image formats 17 to 19)
 * of the OpenType specification 1.9. Sequences, which {@code GSUB} holds, are not looked up.
 */
public final class ColorFont {
    private static final int COLLECTION = tag("ttcf");
    private static final int BIG_METRICS = 8;
    private static final int SMALL_METRICS = 5;

    private final ByteBuffer data;
    private final Map<Integer, ByteBuffer> tables = new HashMap<>();
    private final Map<Integer, Integer> glyphs = new HashMap<>();
    private final Map<Integer, Location> bitmaps = new HashMap<>();

    /** A glyph's data in {@code CBDT}. */
    private record Location(int imageFormat, long offset) {}

    private ColorFont(ByteBuffer data) throws IOException {
        this.data = data;
        try {
            readDirectory();
            readCmap(table("cmap"));
            readIndexes(table("CBLC"));
        } catch (BufferUnderflowException | IndexOutOfBoundsException e) {
            throw new IOException("the font is cut short or damaged", e);
        }
    }

    /**
     * Reads a font's tables.
     *
     * @throws IOException if it can't be read, is damaged, or has no colour bitmaps
     */
    public static ColorFont read(Path file) throws IOException {
        try {
            return new ColorFont(ByteBuffer.wrap(Files.readAllBytes(file)));
        } catch (IOException e) {
            throw new IOException(file + ": " + e.getMessage(), e);
        }
    }

    /**
     * The picture of a code point in the largest size that the font has, with its transparency.
     *
     * @return null if the font has none
     * @throws IOException if the picture is damaged or no PNG
     */
    public @Nullable BufferedImage picture(int codePoint) throws IOException {
        Integer glyph = glyphs.get(codePoint);
        Location location = glyph == null ? null : bitmaps.get(glyph);
        if (location == null) {
            return null;
        }
        try {
            ByteBuffer png = table("CBDT");
            png.position(Math.toIntExact(location.offset));
            skipMetrics(png, location.imageFormat);
            var bytes = new byte[Math.toIntExact(Integer.toUnsignedLong(png.getInt()))];
            png.get(bytes);
            BufferedImage picture = ImageIO.read(new ByteArrayInputStream(bytes));
            if (picture == null) {
                throw new IOException("the picture of U+" + hex(codePoint) + " is no PNG");
            }
            return picture;
        } catch (BufferUnderflowException | IllegalArgumentException | ArithmeticException e) {
            throw new IOException("the picture of U+" + hex(codePoint) + " is damaged", e);
        }
    }

    private static void skipMetrics(ByteBuffer in, int imageFormat) throws IOException {
        int bytes =
                switch (imageFormat) {
                    case 17 -> SMALL_METRICS;
                    case 18 -> BIG_METRICS;
                    case 19 -> 0;
                    default -> throw new IOException("no PNG image format: " + imageFormat);
                };
        in.position(in.position() + bytes);
    }

    private void readDirectory() throws IOException {
        if (data.getInt(0) == COLLECTION) {
            throw new IOException("a collection of fonts; name a file with one font");
        }
        int count = u16(data, 4);
        for (int i = 0; i < count; i++) {
            int at = 12 + 16 * i;
            tables.put(data.getInt(at), data.slice(data.getInt(at + 8), data.getInt(at + 12)));
        }
    }

    private ByteBuffer table(String name) throws IOException {
        ByteBuffer table = tables.get(tag(name));
        if (table == null) {
            throw new IOException(
                    "no table " + name + "; a font with colour bitmaps (CBDT) is needed");
        }
        return table.duplicate();
    }

    private void readCmap(ByteBuffer cmap) throws IOException {
        int count = u16(cmap, 2);
        for (int i = 0; i < count; i++) {
            int at = cmap.getInt(4 + 8 * i + 4);
            if (u16(cmap, at) == 12) {
                readGroups(cmap, at);
                return;
            }
        }
        throw new IOException("no cmap of format 12, which emoji need");
    }

    private void readGroups(ByteBuffer cmap, int at) {
        int count = cmap.getInt(at + 12);
        for (int i = 0; i < count; i++) {
            int group = at + 16 + 12 * i;
            int first = cmap.getInt(group);
            int last = cmap.getInt(group + 4);
            for (int code = first; code <= last; code++) {
                glyphs.put(code, cmap.getInt(group + 8) + code - first);
            }
        }
    }

    /** The glyphs of the largest strike, a strike being the pictures of one size. */
    private void readIndexes(ByteBuffer cblc) throws IOException {
        int strikes = cblc.getInt(4);
        int best = -1;
        for (int i = 0; i < strikes; i++) {
            int at = 8 + 48 * i;
            if (best < 0 || pixelsPerEm(cblc, at) > pixelsPerEm(cblc, best)) {
                best = at;
            }
        }
        if (best < 0) {
            throw new IOException("no pictures in the font");
        }
        int array = cblc.getInt(best);
        int subtables = cblc.getInt(best + 8);
        for (int i = 0; i < subtables; i++) {
            int at = array + 8 * i;
            readIndex(cblc, u16(cblc, at), u16(cblc, at + 2), array + cblc.getInt(at + 4));
        }
    }

    private static int pixelsPerEm(ByteBuffer cblc, int strike) {
        return cblc.get(strike + 44) & 0xff;
    }

    private void readIndex(ByteBuffer cblc, int first, int last, int at) throws IOException {
        int format = u16(cblc, at);
        int imageFormat = u16(cblc, at + 2);
        long base = Integer.toUnsignedLong(cblc.getInt(at + 4));
        for (int glyph = first; glyph <= last; glyph++) {
            int i = glyph - first;
            long begin;
            long end;
            switch (format) {
                case 1 -> {
                    begin = Integer.toUnsignedLong(cblc.getInt(at + 8 + 4 * i));
                    end = Integer.toUnsignedLong(cblc.getInt(at + 12 + 4 * i));
                }
                case 2 -> {
                    long size = Integer.toUnsignedLong(cblc.getInt(at + 8));
                    begin = size * i;
                    end = begin + size;
                }
                case 3 -> {
                    begin = u16(cblc, at + 8 + 2 * i);
                    end = u16(cblc, at + 10 + 2 * i);
                }
                default -> throw new IOException("bitmap index format " + format + " is not read");
            }
            if (end > begin) {
                bitmaps.put(glyph, new Location(imageFormat, base + begin));
            }
        }
    }

    private static int u16(ByteBuffer in, int at) {
        return in.getShort(at) & 0xffff;
    }

    private static int tag(String name) {
        return ByteBuffer.wrap(name.getBytes(StandardCharsets.US_ASCII)).getInt();
    }

    private static String hex(int codePoint) {
        return Integer.toHexString(codePoint).toUpperCase(java.util.Locale.ROOT);
    }
}
