package dev.darkroom.training.data;

import java.io.ByteArrayOutputStream;

import javax.imageio.IIOException;

/**
 * A JPEG file as the JDK's decoder reads it right: without profiles, thumbnails and remarks, which
 * it stumbles over when they are broken, and with Adobe's marker in their place, which says what
 * the components are where the decoder would guess. The markers are those of ITU-T T.81, annex B.
 *
 * @param plain the file
 * @param components of a pixel: 1, 3 or 4
 * @param isYcck whether the first three of four components are luma and chroma
 */
record JpegFile(byte[] plain, int components, boolean isYcck) {
    private static final int SOI = 0xd8;
    private static final int EOI = 0xd9;
    private static final int SOS = 0xda;
    private static final int APP0 = 0xe0;
    private static final int APP2 = 0xe2;
    private static final int APP14 = 0xee;
    private static final int APP15 = 0xef;
    private static final int COM = 0xfe;

    // Adobe's transforms
    private static final int NONE = 0;
    private static final int YCC = 1;
    private static final int YCCK = 2;

    /**
     * Reads the markers of a file.
     *
     * @throws IIOException if it ends before its last marker, or has components of unknown meaning
     */
    static JpegFile of(byte[] file) throws IIOException {
        return new Markers(file).read();
    }

    private static final class Markers {
        private final byte[] file;
        private final ByteArrayOutputStream kept = new ByteArrayOutputStream();
        private int at = 2;
        private int[] ids = {};
        private boolean isJfif;
        private boolean hasProfile;
        private int transform = -1;

        Markers(byte[] file) {
            this.file = file;
        }

        JpegFile read() throws IIOException {
            for (int marker = next(); marker != EOI; marker = next()) {
                if (!isStandalone(marker)) {
                    segment(marker);
                }
                if (marker == SOS) {
                    scan();
                }
            }
            int meaning = meaning();
            var plain = new ByteArrayOutputStream(kept.size() + 20);
            write(plain, 0xff, SOI);
            write(plain, 0xff, APP14, 0, 14, 'A', 'd', 'o', 'b', 'e', 0, 100, 0, 0, 0, 0, meaning);
            plain.writeBytes(kept.toByteArray());
            write(plain, 0xff, EOI);
            return new JpegFile(plain.toByteArray(), ids.length, meaning == YCCK);
        }

        private static void write(ByteArrayOutputStream to, int... bytes) {
            for (int each : bytes) {
                to.write(each);
            }
        }

        private int unsigned(int index) throws IIOException {
            if (index >= file.length) {
                throw PictureFile.cutOff(file);
            }
            return file[index] & 0xff;
        }

        /** Returns the next marker; what lies before it is skipped. */
        private int next() throws IIOException {
            while (unsigned(at) != 0xff || unsigned(at + 1) == 0 || unsigned(at + 1) == 0xff) {
                at++;
            }
            at += 2;
            return unsigned(at - 1);
        }

        /** Restarts, a second start, and TEM. */
        private static boolean isStandalone(int marker) {
            return marker >= 0xd0 && marker <= SOI || marker == 1;
        }

        private static boolean isFrame(int marker) {
            return marker >= 0xc0
                    && marker <= 0xcf
                    && marker != 0xc4
                    && marker != 0xc8
                    && marker != 0xcc;
        }

        private void segment(int marker) throws IIOException {
            int begin = at;
            int end = at + (unsigned(at) << 8 | unsigned(at + 1));
            unsigned(end - 1);
            at = end;
            if (isFrame(marker)) {
                ids = new int[unsigned(begin + 7)];
                for (int i = 0; i < ids.length; i++) {
                    ids[i] = unsigned(begin + 8 + 3 * i);
                }
            }
            boolean isRemark = marker >= APP0 && marker <= APP15 || marker == COM;
            if (!isRemark) {
                write(kept, 0xff, marker);
                kept.write(file, begin, end - begin);
            }
            isJfif |= marker == APP0 && PictureFormat.startsWith(file, begin + 2, "JFIF\0");
            hasProfile |=
                    marker == APP2 && PictureFormat.startsWith(file, begin + 2, "ICC_PROFILE");
            if (marker == APP14 && PictureFormat.startsWith(file, begin + 2, "Adobe")) {
                transform = unsigned(begin + 13);
            }
        }

        /** The coded picture, up to a marker that is not a restart. */
        private void scan() throws IIOException {
            int begin = at;
            while (unsigned(at) != 0xff
                    || unsigned(at + 1) == 0
                    || unsigned(at + 1) >= 0xd0 && unsigned(at + 1) < SOI) {
                at++;
            }
            kept.write(file, begin, at - begin);
        }

        /** Returns what libjpeg takes the components for, as Adobe's transform. */
        private int meaning() throws IIOException {
            return switch (ids.length) {
                case 1 -> NONE;
                case 3 -> isRgb() ? NONE : YCC;
                case 4 -> {
                    if (transform < 0) {
                        throw new IIOException(
                                "it has four components and no Adobe marker that says whether they"
                                        + " are CMYK; convert it to RGB");
                    }
                    if (hasProfile) {
                        throw new IIOException(
                                "it is CMYK with a colour profile; convert it to RGB");
                    }
                    yield transform == NONE ? NONE : YCCK;
                }
                default -> throw new IIOException("it has " + ids.length + " components");
            };
        }

        private boolean isRgb() {
            return !isJfif
                    && (transform >= 0
                            ? transform == NONE
                            : ids[0] == 'R' && ids[1] == 'G' && ids[2] == 'B');
        }
    }
}
