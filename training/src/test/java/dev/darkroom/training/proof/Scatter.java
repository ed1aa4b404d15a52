package dev.darkroom.training.proof;

import dev.darkroom.runtime.Tensor;

import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.geom.Ellipse2D;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

import javax.imageio.ImageIO;

/** A picture of samples of points, in panels side by side. */
final class Scatter {
    private static final int SIDE = 220;

    /** What a panel shows reaches from −EXTENT to EXTENT. */
    private static final double EXTENT = 2.6;

    private final int columns;
    private final List<BufferedImage> panels = new ArrayList<>();

    Scatter(int columns) {
        this.columns = columns;
    }

    /**
     * Adds a panel.
     *
     * @param samples {@code [N,2]}
     */
    void add(String title, Tensor samples) {
        var panel = new BufferedImage(SIDE, SIDE, BufferedImage.TYPE_INT_RGB);
        Graphics2D graphics = panel.createGraphics();
        graphics.setRenderingHint(
                RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON);
        graphics.setColor(Color.WHITE);
        graphics.fillRect(0, 0, SIDE, SIDE);
        graphics.setColor(new Color(0x235fd7));
        float[] values = samples.toFloatArray();
        for (int i = 0; i < values.length; i += 2) {
            double x = SIDE / 2.0 * (1 + values[i] / EXTENT);
            double y = SIDE / 2.0 * (1 - values[i + 1] / EXTENT);
            graphics.fill(new Ellipse2D.Double(x - 1.2, y - 1.2, 2.4, 2.4));
        }
        graphics.setColor(Color.BLACK);
        graphics.drawString(title, 6, 16);
        graphics.dispose();
        panels.add(panel);
    }

    /** Writes the panels, in rows, as a PNG. */
    void write(Path file) throws IOException {
        int rows = (panels.size() + columns - 1) / columns;
        var all = new BufferedImage(columns * SIDE, rows * SIDE, BufferedImage.TYPE_INT_RGB);
        Graphics2D graphics = all.createGraphics();
        for (int i = 0; i < panels.size(); i++) {
            graphics.drawImage(panels.get(i), i % columns * SIDE, i / columns * SIDE, null);
        }
        graphics.dispose();
        ImageIO.write(all, "png", file.toFile());
    }
}
