package dev.darkroom.runtime.safetensors;

import dev.darkroom.runtime.safetensors.SafetensorsException.Kind;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Set;

/** Recognises what people pass by mistake. */
final class ForeignFormats {
    private static final Set<String> PICKLE_EXTENSIONS = Set.of("bin", "ckpt", "pt", "pth", "pkl");
    private static final String LFS = "version https://git-lfs";

    private ForeignFormats() {}

    static boolean isPickleName(String fileName) {
        int dot = fileName.lastIndexOf('.');
        return dot >= 0
                && PICKLE_EXTENSIONS.contains(fileName.substring(dot + 1).toLowerCase(Locale.ROOT));
    }

    /** Refuses what is no regular file, and pickles by their extension. */
    static void checkPath(Path file) throws SafetensorsException {
        requireFinished(file);
        if (!Files.exists(file)) {
            throw new SafetensorsException(Kind.MISSING_FILE, file, null, "there is no such file");
        }
        if (!Files.isRegularFile(file)) {
            throw new SafetensorsException(
                    Kind.NOT_A_FILE,
                    file,
                    null,
                    Files.isDirectory(file) ? "this is a folder" : "this is not a regular file");
        }
        if (isPickleName(String.valueOf(file.getFileName()))) {
            throw pickle(file);
        }
    }

    /** Refuses what a download did not finish. */
    static void requireFinished(Path file) throws SafetensorsException {
        var unfinished = UnfinishedDownload.of(file);
        if (unfinished.isPresent()) {
            throw new SafetensorsException(Kind.UNFINISHED_DOWNLOAD, file, null, unfinished.get());
        }
    }

    /** Looks at the first bytes of a file whose header makes no sense. */
    static void checkContent(Path file, FileChannel channel) throws IOException {
        var start = ByteBuffer.allocate(64);
        channel.read(start, 0);
        var text = new String(start.array(), 0, start.position(), StandardCharsets.ISO_8859_1);
        // PyTorch's zip archives, and bare pickles of protocol 2 to 5
        if (text.startsWith("PK\u0003\u0004") || text.matches("(?s)\u0080[\u0002-\u0005].*")) {
            throw pickle(file);
        }
        if (text.startsWith(LFS)) {
            throw new SafetensorsException(
                    Kind.LFS_POINTER, file, null, "this is a Git LFS pointer, not the file itself");
        }
    }

    static SafetensorsException pickle(Path file) {
        return new SafetensorsException(
                Kind.PICKLE, file, null, "this is a pickled PyTorch checkpoint");
    }
}
