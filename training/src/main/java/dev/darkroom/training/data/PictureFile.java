package dev.darkroom.training.data;

import dev.darkroom.common.UntrustedFile;
import dev.darkroom.models.pipeline.Picture;

import org.w3c.dom.NamedNodeMap;
import org.w3c.dom.Node;

import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

import javax.imageio.IIOException;
import javax.imageio.ImageReader;
import javax.imageio.metadata.IIOMetadata;
import javax.imageio.stream.MemoryCacheImageInputStream;

/**
 * Decodes pictures: upright, as their EXIF or XMP orientation says, and onto white where they are
 * transparent. The pixels count as sRGB whatever colour profile a file holds, as they do for
 * Pillow's {@code convert("RGB")}. What is cut off, damaged or unclear is refused.
 */
public final class PictureFile {
    /** Pillow refuses larger ones too. */
    private static final long MAX_PIXELS = 178_956_970;

    /** Warnings after which decoders go on with grey pixels in place of what is lost. */
    private static final Pattern DAMAGE = Pattern.compile("Corrupt JPEG data(?!: \\d+ extraneous)");

    /** More than as many pixels take in any format. */
    private static final long LONGEST = 1L << 30;

    private PictureFile() {}

    /**
     * Decodes a file.
     *
     * @throws DataException that names the file and says why it can't be read
     */
    public static Picture read(Path file) throws DataException {
        return read(
                file,
                (bytes, format) -> decode(bytes, format, reader -> Pixels.of(reader.read(0))));
    }

    /**
     * Decodes how transparent a PNG is.
     *
     * @return black where it is opaque, white where it is transparent
     * @throws DataException that names the file and says why it can't be read, or that it is
     *     nowhere transparent
     */
    public static Picture transparency(Path file) throws DataException {
        return read(
                file,
                (bytes, format) -> {
                    if (format != PictureFormat.PNG) {
                        throw new IIOException("transparency is read of PNG alone; save it as one");
                    }
                    return decode(bytes, format, reader -> Pixels.transparency(reader.read(0)));
                });
    }

    private interface Format {
        Picture decode(byte[] file, PictureFormat format) throws IOException;
    }

    private static Picture read(Path file, Format decoding) throws DataException {
        try {
            byte[] bytes = UntrustedFile.read(file, LONGEST, 1);
            return decoding.decode(bytes, PictureFormat.of(bytes));
        } catch (NoSuchFileException e) {
            throw new DataException(file, "the picture is missing", e);
        } catch (IOException | RuntimeException e) {
            // Decoders meet broken files with any exception.
            throw new DataException(file, "the picture can't be read: " + reason(e), e);
        } catch (OutOfMemoryError e) {
            throw new DataException(
                    file, "the picture does not fit into Java's memory: raise -Xmx", e);
        }
    }

    private static String reason(Exception e) {
        if (e instanceof EOFException || e.getCause() instanceof EOFException) {
            return "it is cut off";
        }
        return e.getMessage() == null ? e.toString() : e.getMessage();
    }

    /**
     * Decodes a file, upright.
     *
     * @param pixels of a PNG or BMP
     */
    private static Picture decode(byte[] file, PictureFormat format, Decoding pixels)
            throws IOException {
        byte[] bytes = file;
        if (format == PictureFormat.PNG) {
            PngFile.check(file);
            bytes = PngFile.withFewTexts(file);
        }
        Picture stored =
                switch (format) {
                    case JPEG -> jpeg(JpegFile.of(bytes));
                    case WEBP -> WebpFile.decode(bytes);
                    case GIF -> decode(format, bytes, PictureFile::onScreen);
                    case PNG, BMP -> decode(format, bytes, pixels);
                };
        return Orientation.of(bytes, format).upright(stored);
    }

    private static Picture jpeg(JpegFile file) throws IOException {
        return decode(
                PictureFormat.JPEG,
                file.plain(),
                reader ->
                        file.components() == 4
                                ? Pixels.ofCmyk(reader.readRaster(0, null), file.isYcck())
                                : Pixels.of(reader.read(0)));
    }

    /** Returns the first frame of a GIF, where it lies on the screen. */
    private static Picture onScreen(ImageReader reader) throws IOException {
        NamedNodeMap screen = attributes(reader.getStreamMetadata(), "LogicalScreenDescriptor");
        NamedNodeMap frame = attributes(reader.getImageMetadata(0), "ImageDescriptor");
        int width = number(screen, "logicalScreenWidth");
        int height = number(screen, "logicalScreenHeight");
        requireSize(width, height);
        return Pixels.onWhite(
                Pixels.of(reader.read(0)),
                width,
                height,
                number(frame, "imageLeftPosition"),
                number(frame, "imageTopPosition"));
    }

    private static NamedNodeMap attributes(IIOMetadata metadata, String name) {
        Node root = metadata.getAsTree(metadata.getNativeMetadataFormatName());
        Node child = root.getFirstChild();
        while (!child.getNodeName().equals(name)) {
            child = child.getNextSibling();
        }
        return child.getAttributes();
    }

    private static int number(NamedNodeMap attributes, String name) {
        return Integer.parseInt(attributes.getNamedItem(name).getNodeValue());
    }

    private interface Decoding {
        Picture read(ImageReader reader) throws IOException;
    }

    private static Picture decode(PictureFormat format, byte[] bytes, Decoding decoding)
            throws IOException {
        ImageReader reader = format.reader();
        try {
            List<String> warnings = new ArrayList<>();
            reader.addIIOReadWarningListener((source, warning) -> warnings.add(warning));
            // A stream in memory: there is nothing to close, and no file of a cache
            reader.setInput(new MemoryCacheImageInputStream(new ByteArrayInputStream(bytes)));
            requireSize(reader.getWidth(0), reader.getHeight(0));
            Picture picture = decoding.read(reader);
            for (String warning : warnings) {
                if (DAMAGE.matcher(warning).find()) {
                    throw new IIOException("it is damaged: " + warning);
                }
            }
            return picture;
        } finally {
            reader.dispose();
        }
    }

    static IIOException cutOff(byte[] file) {
        return new IIOException("it is cut off after " + file.length + " bytes");
    }

    static void requireSize(int width, int height) throws IIOException {
        if ((long) width * height > MAX_PIXELS) {
            throw new IIOException(
                    "it has " + width + "×" + height + " pixels, more than " + MAX_PIXELS);
        }
    }
}
