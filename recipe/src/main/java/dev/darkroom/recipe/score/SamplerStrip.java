package dev.darkroom.recipe.score;

import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;
import java.util.List;
import java.util.Map;

/** Pictures of samplers in rows, by evaluations in columns; the rows stand in two blocks. */
final class SamplerStrip {
    private static final int BLOCKS = 2;
    private static final int SIDE = 56;
    private static final int GAP = 3;
    private static final int NAMES = 116;
    private static final int HEAD = 18;

    private SamplerStrip() {}

    /**
     * Draws the strip.
     *
     * @param columns numbers of evaluations
     * @param rows a sampler's pictures by those numbers; some may be missing
     */
    static BufferedImage draw(
            List<Integer> columns, Map<String, Map<Integer, BufferedImage>> rows) {
        int cell = SIDE + GAP;
        int block = NAMES + columns.size() * cell;
        int height = Math.ceilDiv(rows.size(), BLOCKS);
        var strip =
                new BufferedImage(BLOCKS * block, HEAD + height * cell, BufferedImage.TYPE_INT_RGB);
        Graphics2D graphics = strip.createGraphics();
        graphics.setRenderingHint(
                RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON);
        graphics.setRenderingHint(
                RenderingHints.KEY_INTERPOLATION, RenderingHints.VALUE_INTERPOLATION_BILINEAR);
        graphics.setFont(new Font(Font.SANS_SERIF, Font.PLAIN, 12));
        graphics.setColor(Color.WHITE);
        graphics.fillRect(0, 0, strip.getWidth(), strip.getHeight());
        graphics.setColor(Color.BLACK);
        int row = 0;
        for (var each : rows.entrySet()) {
            int left = row / height * block;
            int top = HEAD + row % height * cell;
            graphics.drawString(each.getKey(), left + GAP, top + SIDE / 2 + 4);
            for (int i = 0; i < columns.size(); i++) {
                int x = left + NAMES + i * cell;
                graphics.drawString("" + columns.get(i), x + SIDE / 2 - 6, HEAD - 5);
                BufferedImage picture = each.getValue().get(columns.get(i));
                if (picture != null) {
                    graphics.drawImage(picture, x, top, SIDE, SIDE, null);
                }
            }
            row++;
        }
        graphics.dispose();
        return strip;
    }
}
