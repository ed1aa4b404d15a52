package dev.darkroom.training.data;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

import javax.imageio.ImageIO;

/** Makes folders of small pictures. */
final class TestPictures {
    private TestPictures() {}

    /** A picture in which no two pixels are alike, and none of another number. */
    static BufferedImage picture(int number, int width, int height) {
        var image = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                image.setRGB(x, y, number * 7 % 256 << 16 | x << 8 | y);
            }
        }
        return image;
    }

    static void write(Path file, BufferedImage image) throws IOException {
        ImageIO.write(image, "png", file.toFile());
    }

    /** Pictures {@code 000.png} and on, each with a caption beside it. */
    static PictureFolder folder(Path folder, int count, int width, int height) throws IOException {
        Files.createDirectories(folder);
        for (int i = 0; i < count; i++) {
            write(folder.resolve("%03d.png".formatted(i)), picture(i, width, height));
            Files.writeString(folder.resolve("%03d.txt".formatted(i)), "number " + i + "\n");
        }
        return PictureFolder.open(folder);
    }

    static List<String> names(PictureBatch batch) {
        return batch.examples().stream()
                .map(example -> example.file().getFileName().toString())
                .toList();
    }
}
