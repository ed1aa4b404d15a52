package dev.darkroom.training.data;

import java.nio.ByteBuffer;
import java.util.zip.CRC32;

import javax.imageio.IIOException;

/** What the JDK's decoder of PNGs does not check. */
final class PngFile {
    private static final int SIGNATURE = 8;

    /** Length, type and checksum of a chunk. */
    private static final int FRAME = 12;

    private static final int IEND = 0x49454e44;

    private PngFile() {}

    /**
     * Checks that a file is whole (ISO/IEC 15948, 5.3): chunks up to the last, and the checksum of
     * each that the picture depends on.
     */
    static void check(byte[] file) throws IIOException {
        var bytes = ByteBuffer.wrap(file);
        for (int at = SIGNATURE; ; ) {
            if (at + FRAME > file.length) {
                throw PictureFile.cutOff(file);
            }
            int length = bytes.getInt(at);
            int type = bytes.getInt(at + 4);
            if (length < 0 || length > file.length - FRAME - at) {
                throw PictureFile.cutOff(file);
            }
            boolean isCritical = (type & 0x20000000) == 0; // begins with a capital letter
            if (isCritical) {
                var crc = new CRC32();
                crc.update(file, at + 4, 4 + length);
                if ((int) crc.getValue() != bytes.getInt(at + 8 + length)) {
                    throw new IIOException("it is damaged: a checksum is wrong");
                }
            }
            if (type == IEND) {
                return;
            }
            at += FRAME + length;
        }
    }
}
