package dev.darkroom.models.training.run;

import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;

/** SHA-256 of files, texts and tensors. */
public final class Hashes {
    private static final int CHUNK = 1 << 20;

    private Hashes() {}

    /** A new digest. */
    public static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every JDK has SHA-256", e);
        }
    }

    /** Takes texts in, each ended by a zero, so that their borders count. */
    public static void update(MessageDigest digest, String... texts) {
        for (String text : texts) {
            digest.update(text.getBytes(StandardCharsets.UTF_8));
            digest.update((byte) 0);
        }
    }

    /** The end result, in hexadecimal digits. */
    public static String hex(MessageDigest digest) {
        return HexFormat.of().formatHex(digest.digest());
    }

    /** The hash of tensors: their names, types, shapes and elements. */
    public static String of(Map<String, Tensor> tensors) {
        var digest = sha256();
        new TreeMap<>(tensors)
                .forEach(
                        (name, tensor) -> {
                            update(
                                    digest,
                                    name,
                                    tensor.dtype().toString(),
                                    tensor.shape().toString());
                            updateElements(digest, tensor);
                        });
        return hex(digest);
    }

    private static void updateElements(MessageDigest digest, Tensor tensor) {
        try (var scope = TensorScope.open();
                var mode = Mode.NO_GRAD.enter()) {
            Tensor elements = tensor.to(Device.CPU).contiguous();
            long size = elements.elements() * elements.dtype().bytes();
            for (long done = 0; done < size; done += CHUNK) {
                digest.update(elements.buffer(done, (int) Math.min(CHUNK, size - done)));
            }
        }
    }

    /** The hash of a file's bytes. */
    public static String of(Path file) throws IOException {
        var digest = sha256();
        try (var in = Files.newInputStream(file)) {
            var buffer = new byte[CHUNK];
            for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
                digest.update(buffer, 0, read);
            }
        }
        return hex(digest);
    }
}
