package dev.darkroom.training.data;

import java.io.IOException;
import java.util.Iterator;
import java.util.List;
import java.util.Set;

import javax.imageio.IIOException;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.spi.IIORegistry;
import javax.imageio.spi.ImageReaderSpi;

/** What a picture is encoded in, whatever its file is called. */
enum PictureFormat {
    PNG,
    JPEG,
    GIF,
    BMP,
    WEBP;

    /** How their files end, in small letters. */
    static final Set<String> EXTENSIONS = Set.of("png", "jpg", "jpeg", "bmp", "gif", "webp");

    /** The extensions for messages. */
    static final String NAMES = "png, jpg, jpeg, bmp, gif or webp";

    /**
     * Returns the format of a file, by its first bytes.
     *
     * @throws IIOException if it is none of these
     */
    static PictureFormat of(byte[] file) throws IIOException {
        if (startsWith(file, 0, "\u0089PNG\r\n\u001a\n")) {
            return PNG;
        }
        if (startsWith(file, 0, "\u00ff\u00d8\u00ff")) {
            return JPEG;
        }
        if (startsWith(file, 0, "GIF8")) {
            return GIF;
        }
        if (startsWith(file, 0, "BM")) {
            return BMP;
        }
        if (startsWith(file, 0, "RIFF") && startsWith(file, 8, "WEBP")) {
            return WEBP;
        }
        throw new IIOException(
                file.length == 0 ? "the file is empty" : "it is no PNG, JPEG, GIF, BMP or WebP");
    }

    /**
     * @param text in ISO 8859-1
     */
    static boolean startsWith(byte[] bytes, int from, String text) {
        if (from + text.length() > bytes.length) {
            return false;
        }
        for (int i = 0; i < text.length(); i++) {
            if ((bytes[from + i] & 0xff) != text.charAt(i)) {
                return false;
            }
        }
        return true;
    }

    /**
     * Returns the JDK's reader of the format, and never one that an application or its libraries
     * gave to ImageIO, which may read otherwise.
     *
     * @throws IIOException if there is none, as for WebP
     */
    ImageReader reader() throws IOException {
        Iterator<ImageReaderSpi> readers =
                IIORegistry.getDefaultInstance()
                        .getServiceProviders(ImageReaderSpi.class, this::isOfTheJdk, true);
        if (!readers.hasNext()) {
            throw new IIOException("ImageIO no longer has the JDK's reader of " + name());
        }
        return readers.next().createReaderInstance();
    }

    private boolean isOfTheJdk(Object provider) {
        return provider instanceof ImageReaderSpi reader
                && reader.getClass().getModule() == ImageIO.class.getModule()
                && List.of(reader.getFormatNames()).contains(name());
    }
}
