package dev.darkroom.training.data;

import dev.darkroom.models.pipeline.Picture;

import org.ngengine.webp.decoder.DecodedWebP;
import org.ngengine.webp.decoder.WebPDecodeException;
import org.ngengine.webp.decoder.WebPDecoder;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

import javax.imageio.IIOException;

/** Decodes WebP files (RFC 9649), lossy, lossless and transparent ones. */
final class WebpFile {
    /** Signature, length and type, and the header of the first chunk. */
    private static final int HEADER = 30;

    private static final int ANIMATION = 2;

    private WebpFile() {}

    static Picture decode(byte[] file) throws IIOException {
        var bytes = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
        if (file.length < HEADER || Integer.toUnsignedLong(bytes.getInt(4)) + 8 > file.length) {
            throw PictureFile.cutOff(file);
        }
        if (PictureFormat.startsWith(file, 12, "VP8X")) {
            if ((bytes.get(20) & ANIMATION) != 0) {
                throw new IIOException("it is animated; save one picture of it");
            }
            // Of 24 bits each; the sizes of other files fit
            PictureFile.requireSize(
                    1 + (bytes.getInt(24) & 0xffffff), 1 + (bytes.getInt(26) >>> 8));
        }
        try {
            DecodedWebP decoded = WebPDecoder.decode(file);
            return Pixels.of(decoded.width, decoded.height, decoded.rgba);
        } catch (WebPDecodeException e) {
            throw new IIOException(e.getMessage(), e);
        }
    }
}
