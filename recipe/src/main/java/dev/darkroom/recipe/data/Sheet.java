package dev.darkroom.recipe.data;

import java.awt.Color;
import java.awt.Font;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;
import java.util.List;

/**
 * Pictures in rows, each under its caption, for a person to look at.
 *
 * <p>Text needs a font on the machine, which some without a desktop lack.
 */
public final class Sheet {
    private static final int TEXT = 26;
    private static final int GAP = 4;
    private static final int LETTERS = 24;

    private Sheet() {}

    /** A picture and what stands above it, in up to two lines. */
    public record Entry(BufferedImage picture, String caption) {}

    /**
     * Draws a sheet.
     *
     * @param entries of pictures of one size
     * @param columns pictures in a row
     */
    public static BufferedImage draw(List<Entry> entries, int columns) {
        int side = entries.getFirst().picture().getWidth();
        int rows = Math.ceilDiv(entries.size(), columns);
        var sheet =
                new BufferedImage(
                        columns * (side + GAP), rows * (side + TEXT), BufferedImage.TYPE_INT_RGB);
        var graphics = sheet.createGraphics();
        graphics.setRenderingHint(
                RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON);
        graphics.setFont(new Font(Font.SANS_SERIF, Font.PLAIN, 10));
        graphics.setColor(new Color(0xf4f4f4));
        graphics.fillRect(0, 0, sheet.getWidth(), sheet.getHeight());
        graphics.setColor(Color.BLACK);
        for (int i = 0; i < entries.size(); i++) {
            int x = i % columns * (side + GAP);
            int y = i / columns * (side + TEXT);
            String caption = entries.get(i).caption();
            int cut = breakAt(caption);
            graphics.drawString(caption.substring(0, cut).strip(), x + 1, y + 10);
            graphics.drawString(caption.substring(cut).strip(), x + 1, y + 22);
            graphics.drawImage(entries.get(i).picture(), x, y + TEXT, null);
        }
        graphics.dispose();
        return sheet;
    }

    private static int breakAt(String caption) {
        if (caption.length() <= LETTERS) {
            return caption.length();
        }
        int space = caption.lastIndexOf(' ', LETTERS);
        return space > 0 ? space : LETTERS;
    }
}
