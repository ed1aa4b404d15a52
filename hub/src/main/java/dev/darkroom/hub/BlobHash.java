package dev.darkroom.hub;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.regex.Pattern;

/**
 * The hash that a hub names a file's contents by: SHA-256 where Git LFS keeps it, else the SHA-1 of
 * Git's blob, which counts a header with the size.
 */
final class BlobHash {
    private static final Pattern FORM = Pattern.compile("[0-9a-f]{40}|[0-9a-f]{64}");
    private static final int SHA1_DIGITS = 40;

    private final RemoteFile file;
    private final MessageDigest digest;

    /** Begins the hash of a file, of the kind that its listed hash is. */
    BlobHash(RemoteFile file) {
        this.file = file;
        boolean isGit = file.hash().length() == SHA1_DIGITS;
        try {
            digest = MessageDigest.getInstance(isGit ? "SHA-1" : "SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every JDK has both", e);
        }
        if (isGit) {
            digest.update(("blob " + file.size() + "\0").getBytes(StandardCharsets.US_ASCII));
        }
    }

    /** Whether a text is such a hash, and so can be a file's name. */
    static boolean isHash(String text) {
        return FORM.matcher(text).matches();
    }

    void add(byte[] bytes, int length) {
        digest.update(bytes, 0, length);
    }

    /** Ends the hash: whether it is the listed one. */
    boolean matches() {
        return HexFormat.of().formatHex(digest.digest()).equals(file.hash());
    }
}
