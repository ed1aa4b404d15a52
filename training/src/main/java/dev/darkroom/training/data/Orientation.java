package dev.darkroom.training.data;

import com.drew.imaging.ImageProcessingException;
import com.drew.imaging.jpeg.JpegMetadataReader;
import com.drew.imaging.png.PngMetadataReader;
import com.drew.imaging.webp.WebpMetadataReader;
import com.drew.lang.ByteArrayReader;
import com.drew.lang.KeyValuePair;
import com.drew.metadata.Metadata;
import com.drew.metadata.exif.ExifIFD0Directory;
import com.drew.metadata.exif.ExifReader;
import com.drew.metadata.png.PngDirectory;
import com.drew.metadata.xmp.XmpDirectory;
import com.drew.metadata.xmp.XmpReader;

import dev.darkroom.models.pipeline.Picture;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.HexFormat;
import java.util.List;

/**
 * How a picture is turned to be seen: the values 1 to 8 of EXIF's tag 274 (CIPA DC-008, 4.6.4),
 * named by what is done.
 */
enum Orientation {
    NONE,
    MIRROR,
    TURN_HALF,
    FLIP,
    TRANSPOSE,
    TURN_RIGHT,
    TRANSVERSE,
    TURN_LEFT;

    /**
     * Returns the orientation that a file names: in EXIF, or else in XMP. Broken or unknown ones
     * count as none, as viewers see them.
     */
    static Orientation of(byte[] file, PictureFormat format) {
        try {
            var in = new ByteArrayInputStream(file);
            return switch (format) {
                case JPEG ->
                        of(
                                JpegMetadataReader.readMetadata(
                                        in, List.of(new ExifReader(), new XmpReader())));
                case PNG -> of(withTexts(PngMetadataReader.readMetadata(in)));
                case WEBP -> of(WebpMetadataReader.readMetadata(in));
                case GIF, BMP -> NONE;
            };
        } catch (ImageProcessingException | IOException | RuntimeException | StackOverflowError e) {
            return NONE;
        }
    }

    private static Orientation of(Metadata metadata) {
        for (var exif : metadata.getDirectoriesOfType(ExifIFD0Directory.class)) {
            Integer value = exif.getInteger(ExifIFD0Directory.TAG_ORIENTATION);
            if (value != null) {
                return of(value);
            }
        }
        for (var xmp : metadata.getDirectoriesOfType(XmpDirectory.class)) {
            String value = xmp.getXmpProperties().get("tiff:Orientation");
            if (value != null) {
                return of(Integer.parseInt(value));
            }
        }
        return NONE;
    }

    /** Adds the EXIF that ImageMagick wrote into PNGs as text before they had a chunk for it. */
    private static Metadata withTexts(Metadata png) {
        for (var text : png.getDirectoriesOfType(PngDirectory.class)) {
            if (text.getObject(PngDirectory.TAG_TEXTUAL_DATA) instanceof List<?> pairs) {
                for (Object pair : pairs) {
                    if (pair instanceof KeyValuePair entry
                            && entry.getKey().equals("Raw profile type exif")) {
                        // A name, a length, and hexadecimal digits in lines
                        String[] fields = entry.getValue().toString().strip().split("\\s+", 3);
                        byte[] exif = HexFormat.of().parseHex(fields[2].replaceAll("\\s", ""));
                        new ExifReader()
                                .extract(new ByteArrayReader(exif), png, "Exif\0\0".length());
                    }
                }
            }
        }
        return png;
    }

    private static Orientation of(int value) {
        return value >= 1 && value <= values().length ? values()[value - 1] : NONE;
    }

    /** Returns a picture as it is to be seen. */
    Picture upright(Picture stored) {
        int w = stored.width();
        int h = stored.height();
        int last = w * h - 1;
        // Where the first pixel lies, and how far the next one is to the right and down
        return switch (this) {
            case NONE -> stored;
            case MIRROR -> read(stored, w, h, w - 1, -1, w);
            case TURN_HALF -> read(stored, w, h, last, -1, -w);
            case FLIP -> read(stored, w, h, last - w + 1, 1, -w);
            case TRANSPOSE -> read(stored, h, w, 0, w, 1);
            case TURN_RIGHT -> read(stored, h, w, last - w + 1, -w, 1);
            case TRANSVERSE -> read(stored, h, w, last, -w, -1);
            case TURN_LEFT -> read(stored, h, w, w - 1, w, -1);
        };
    }

    private static Picture read(
            Picture stored, int width, int height, int first, int right, int down) {
        byte[] from = stored.rgb();
        var rgb = new byte[from.length];
        for (int y = 0, to = 0; y < height; y++) {
            for (int x = 0; x < width; x++, to += 3) {
                int at = 3 * (first + x * right + y * down);
                rgb[to] = from[at];
                rgb[to + 1] = from[at + 1];
                rgb[to + 2] = from[at + 2];
            }
        }
        return new Picture(width, height, rgb);
    }
}
