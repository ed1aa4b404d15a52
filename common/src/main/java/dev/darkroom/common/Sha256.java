package dev.darkroom.common;

import java.io.FileInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * SHA-256 in hexadecimal digits: of a file or an array at once, or of what is added piece by piece.
 */
public final class Sha256 {
    private static final int CHUNK = 1 << 20;

    private final MessageDigest digest;

    /** Begins a hash of nothing. */
    public Sha256() {
        try {
            digest = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every JDK has SHA-256", e);
        }
    }

    /** Reads a whole file, which an interrupt of the thread does not end. */
    public static String of(Path file) throws IOException {
        var sha = new Sha256();
        try (var in = new FileInputStream(file.toFile())) {
            var buffer = new byte[CHUNK];
            for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
                sha.digest.update(buffer, 0, read);
            }
        }
        return sha.hex();
    }

    /** The hash of some bytes. */
    public static String of(byte[] bytes) {
        var sha = new Sha256();
        sha.digest.update(bytes);
        return sha.hex();
    }

    /** Adds the bytes that remain in a buffer. */
    public void add(ByteBuffer bytes) {
        digest.update(bytes);
    }

    /** Adds a text's bytes in UTF-8. */
    public void add(String text) {
        digest.update(text.getBytes(StandardCharsets.UTF_8));
    }

    /** Adds texts, each with a zero at its end, so that their borders count. */
    public void addAll(String... texts) {
        for (String text : texts) {
            add(text);
            digest.update((byte) 0);
        }
    }

    /** Ends the hash. */
    public String hex() {
        return HexFormat.of().formatHex(digest.digest());
    }
}
