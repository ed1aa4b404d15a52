package dev.darkroom.training.stage;

import dev.darkroom.common.WholeFile;
import dev.darkroom.models.pipeline.Picture;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

import javax.imageio.ImageIO;

/** Sheets of pictures of one size. */
final class Sheets {
    private Sheets() {}

    /** Writes pictures row by row. */
    static void write(List<Picture> pictures, int columns, Path png) throws IOException {
        int width = pictures.getFirst().width();
        int height = pictures.getFirst().height();
        int rows = Math.ceilDiv(pictures.size(), columns);
        var sheet = new BufferedImage(columns * width, rows * height, BufferedImage.TYPE_INT_RGB);
        for (int i = 0; i < pictures.size(); i++) {
            int x = i % columns * width;
            int y = i / columns * height;
            sheet.getRaster().setRect(x, y, pictures.get(i).toBufferedImage().getRaster());
        }
        WholeFile.write(png, temporary -> ImageIO.write(sheet, "png", temporary.toFile()));
    }
}
