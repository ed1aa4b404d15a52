package dev.darkroom.cli;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * How a terminal shows pictures, as far as the environment tells: as files, by the protocol of
 * kitty or that of iTerm2, or as half blocks, two pixels in a cell.
 *
 * @param kind of pictures
 * @param unicode whether the terminal's text may hold half blocks
 */
record TerminalImages(Kind kind, boolean unicode) {
    /** What a terminal understands. */
    enum Kind {
        /** sw.kovidgoyal.net/kitty/graphics-protocol. */
        KITTY,
        /** iterm2.com/documentation-images.html. */
        ITERM2,
        /** Cells of two colours out of 16 million. */
        TRUE_COLOUR,
        /** Cells of two colours out of 256. */
        COLOURS_256,
        /** No pictures. */
        NONE
    }

    private static final String ESC = "\u001b";
    private static final String HALF_BLOCK = "▀";

    /** The number that kitty keeps the picture under, so that the next one takes its place. */
    private static final int KITTY_ID = 20_826;

    private static final int KITTY_CHUNK = 4096;
    private static final List<String> KITTY_TERMINALS = List.of("kitty", "ghostty");
    private static final List<String> ITERM2_PROGRAMS = List.of("iterm.app", "wezterm", "mintty");

    /** Steps of a colour in the cube of 256 colours; the first is dark, the others are even. */
    private static final int CUBE = 6;

    /**
     * What standard error shows.
     *
     * @param isTerminal whether it is a terminal at all
     */
    static TerminalImages ofStderr(boolean isTerminal) {
        Charset charset = Charset.forName(System.getProperty("stderr.encoding", "UTF-8"));
        return of(System.getenv(), isTerminal, charset.newEncoder().canEncode('▀'));
    }

    static TerminalImages of(Map<String, String> environment, boolean isTerminal, boolean unicode) {
        String term = lower(environment, "TERM");
        boolean isPlain =
                !isTerminal
                        || term.equals("dumb")
                        || !lower(environment, "NO_COLOR").isEmpty(); // no-color.org
        return new TerminalImages(isPlain ? Kind.NONE : kind(environment, term), unicode);
    }

    private static Kind kind(Map<String, String> environment, String term) {
        // A multiplexer keeps what it does not understand from the terminal around it.
        boolean multiplexed =
                environment.containsKey("TMUX")
                        || term.startsWith("screen")
                        || term.startsWith("tmux");
        String program = lower(environment, "TERM_PROGRAM");
        if (!multiplexed) {
            boolean isKitty =
                    environment.containsKey("KITTY_WINDOW_ID")
                            || KITTY_TERMINALS.stream().anyMatch(term::contains)
                            || KITTY_TERMINALS.contains(program);
            if (isKitty) {
                return Kind.KITTY;
            }
            boolean isIterm2 =
                    ITERM2_PROGRAMS.contains(program)
                            || lower(environment, "LC_TERMINAL").equals("iterm2");
            if (isIterm2) {
                return Kind.ITERM2;
            }
        }
        String colours = lower(environment, "COLORTERM");
        if (colours.equals("truecolor") || colours.equals("24bit") || term.endsWith("-direct")) {
            return Kind.TRUE_COLOUR;
        }
        return term.contains("256color") ? Kind.COLOURS_256 : Kind.NONE;
    }

    private static String lower(Map<String, String> environment, String name) {
        return environment.getOrDefault(name, "").toLowerCase(Locale.ROOT);
    }

    /** Whether it shows any. */
    boolean areShown() {
        return kind != Kind.NONE;
    }

    /**
     * Draws a picture from the cursor's line down, and leaves the cursor at the beginning of the
     * line below.
     *
     * @param columns cells of a line that it takes
     * @param rows lines that it takes
     */
    String drawn(Raster raster, int columns, int rows) {
        return switch (kind) {
            case KITTY -> overReserved(kitty(raster, columns, rows), rows);
            case ITERM2 -> overReserved(iterm2(raster, columns, rows), rows);
            case TRUE_COLOUR, COLOURS_256 -> cells(raster, columns, rows);
            case NONE -> "";
        };
    }

    /** Lines are made first, since at the end of the screen a picture would scroll. */
    private static String overReserved(String picture, int rows) {
        return "\n".repeat(rows) + up(rows) + ESC + "7" + picture + ESC + "8" + down(rows);
    }

    /** To the beginning of a line further up. */
    static String up(int lines) {
        return "\r" + ESC + "[" + lines + "A";
    }

    private static String down(int lines) {
        return "\r" + ESC + "[" + lines + "B";
    }

    private static String kitty(Raster raster, int columns, int rows) {
        String data = base64(raster);
        var text = new StringBuilder();
        for (int from = 0; from < data.length(); from += KITTY_CHUNK) {
            int to = Math.min(data.length(), from + KITTY_CHUNK);
            text.append(ESC).append("_G");
            if (from == 0) { // a PNG, transmitted and placed, without an answer or a moved cursor
                text.append("f=100,a=T,p=1,q=2,C=1,i=").append(KITTY_ID);
                text.append(",c=").append(columns).append(",r=").append(rows).append(',');
            }
            text.append("m=").append(to < data.length() ? 1 : 0).append(';');
            text.append(data, from, to).append(ESC).append('\\');
        }
        return text.toString();
    }

    private static String iterm2(Raster raster, int columns, int rows) {
        return ESC
                + "]1337;File=inline=1;preserveAspectRatio=1;width="
                + columns
                + ";height="
                + rows
                + ":"
                + base64(raster)
                + "\u0007";
    }

    private static String base64(Raster raster) {
        var png = new ByteArrayOutputStream();
        try {
            Png.write(raster, Map.of(), png);
        } catch (IOException e) {
            throw new UncheckedIOException("memory can be written", e);
        }
        return new String(Base64.getEncoder().encode(png.toByteArray()), StandardCharsets.US_ASCII);
    }

    // ---- Cells ----

    private String cells(Raster raster, int columns, int rows) {
        int inCell = unicode ? 2 : 1; // without half blocks, the background is all there is
        int[][] pixels = averaged(raster, columns, inCell * rows);
        var text = new StringBuilder();
        for (int row = 0; row < rows; row++) {
            for (int column = 0; column < columns; column++) {
                text.append(ESC).append('[');
                if (unicode) {
                    text.append("38;").append(colour(pixels[2 * row][column])).append(';');
                }
                int below = pixels[inCell * row + inCell - 1][column];
                text.append("48;").append(colour(below)).append('m');
                text.append(unicode ? HALF_BLOCK : " ");
            }
            text.append(ESC).append("[0m\n");
        }
        return text.toString();
    }

    private String colour(int rgb) {
        int red = rgb >> 16;
        int green = rgb >> 8 & 0xff;
        int blue = rgb & 0xff;
        if (kind == Kind.TRUE_COLOUR) {
            return "2;" + red + ";" + green + ";" + blue;
        }
        return "5;" + (16 + (CUBE * step(red) + step(green)) * CUBE + step(blue));
    }

    /** The nearest of 0, 95, 135, 175, 215 and 255. */
    private static int step(int value) {
        return value < 48 ? 0 : value < 115 ? 1 : (value - 35) / 40;
    }

    /** The picture with other numbers of pixels, each the mean of those that it stands for. */
    private static int[][] averaged(Raster raster, int columns, int rows) {
        int width = raster.width();
        var line = new byte[3 * width];
        var averaged = new int[rows][columns];
        for (int row = 0; row < rows; row++) {
            int top = (int) ((long) row * raster.height() / rows);
            int bottom = Math.max(top + 1, (int) ((row + 1L) * raster.height() / rows));
            var sums = new long[3 * columns];
            for (int y = top; y < bottom; y++) {
                raster.copyRow(y, line, 0);
                for (int i = 0; i < sums.length; i++) {
                    int left = left(i / 3, columns, width);
                    for (int x = left; x < right(i / 3, columns, width); x++) {
                        sums[i] += line[3 * x + i % 3] & 0xff;
                    }
                }
            }
            for (int column = 0; column < columns; column++) {
                int across = right(column, columns, width) - left(column, columns, width);
                long count = (long) (bottom - top) * across;
                for (int channel = 0; channel < 3; channel++) {
                    long mean = (2 * sums[3 * column + channel] + count) / (2 * count);
                    averaged[row][column] = averaged[row][column] << 8 | (int) mean;
                }
            }
        }
        return averaged;
    }

    private static int left(int column, int columns, int width) {
        return (int) ((long) column * width / columns);
    }

    private static int right(int column, int columns, int width) {
        return Math.max(left(column, columns, width) + 1, (int) ((column + 1L) * width / columns));
    }
}
