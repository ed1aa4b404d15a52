package dev.darkroom.tokenizers;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;

/**
 * SentencePiece's precompiled normalisation rules: byte strings and what replaces them.
 *
 * <p>The blob is the size of the trie in bytes (little-endian), a double-array trie as Darts-clone
 * lays it out, and the replacements, each ended by a zero byte; the trie's values are offsets among
 * the replacements. A unit of the trie holds a label in bits 0-7, whether a string ends here in bit
 * 8, and the way to its children in the rest; with bit 31 set it is a value instead.
 */
final class CharsMap {
    private static final int VALUE_BIT = 1 << 31;
    private static final int LEAF_BIT = 1 << 8;

    private final Path file;
    private final int[] units;
    private final byte[] replacements;

    private CharsMap(Path file, int[] units, byte[] replacements) {
        this.file = file;
        this.units = units;
        this.replacements = replacements;
    }

    static CharsMap parse(Path file, byte[] blob) throws TokenizerException {
        var in = ByteBuffer.wrap(blob).order(ByteOrder.LITTLE_ENDIAN);
        int trieBytes = blob.length > 4 ? in.getInt() : -1;
        if (trieBytes < 4 || trieBytes % 4 != 0 || trieBytes >= blob.length - 4) {
            throw new TokenizerException(
                    file, "the precompiled normaliser table is truncated or has a wrong size");
        }
        var units = new int[trieBytes / 4];
        in.asIntBuffer().get(units);
        var replacements = new byte[blob.length - 4 - trieBytes];
        in.get(4 + trieBytes, replacements);
        var map = new CharsMap(file, units, replacements);
        map.check();
        return map;
    }

    /** Makes sure, once, that no walk can leave the arrays. */
    private void check() throws TokenizerException {
        for (int start = 0; start < replacements.length; start = end(start) + 1) {
            Limits.requireToken(file, "a replacement of the normaliser table", end(start) - start);
        }
        for (int i = 0; i < units.length; i++) {
            if (units[i] < 0) {
                continue;
            }
            int children = i ^ offset(units[i]);
            boolean ok = (children | 0xFF) >= 0 && (children | 0xFF) < units.length;
            if (ok && (units[i] & LEAF_BIT) != 0) {
                ok = (units[children] & ~VALUE_BIT) < replacements.length;
            }
            if (!ok) {
                throw new TokenizerException(
                        file, "the precompiled normaliser table points outside itself");
            }
        }
    }

    /** The longest rule for the bytes at {@code from}, as a {@link #length} and {@link #start}. */
    long longest(byte[] text, int from, int to) {
        return match(text, from, to, false);
    }

    /** The shortest rule for the bytes at {@code from}. */
    long shortest(byte[] text, int from, int to) {
        return match(text, from, to, true);
    }

    /** How many bytes a match covers; 0 if there is none. */
    static int length(long match) {
        return (int) (match >>> 32);
    }

    /** Where a match's replacement starts. */
    static int start(long match) {
        return (int) match;
    }

    /** The file that the rules are from. */
    Path file() {
        return file;
    }

    byte[] replacements() {
        return replacements;
    }

    /** Where the replacement that starts at {@code start} ends. */
    int end(int start) {
        int end = start;
        while (end < replacements.length && replacements[end] != 0) {
            end++;
        }
        return end;
    }

    private long match(byte[] text, int from, int to, boolean first) {
        long match = 0;
        int node = offset(units[0]);
        for (int i = from; i < to; i++) {
            int label = text[i] & 0xFF;
            int unit = units[node ^ label];
            if ((unit & (VALUE_BIT | 0xFF)) != label || label == 0) {
                break;
            }
            node ^= label ^ offset(unit);
            if ((unit & LEAF_BIT) != 0) {
                match = ((long) (i + 1 - from) << 32) | (units[node] & ~VALUE_BIT);
                if (first) {
                    break;
                }
            }
        }
        return match;
    }

    private static int offset(int unit) {
        return (unit >>> 10) << ((unit & (1 << 9)) >>> 6);
    }
}
