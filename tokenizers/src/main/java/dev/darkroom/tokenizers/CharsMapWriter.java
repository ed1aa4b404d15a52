package dev.darkroom.tokenizers;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;

/** Writes the normalisation rules that {@link CharsMap} reads; the format is described there. */
final class CharsMapWriter {
    private static final int VALUE_BIT = 1 << 31;
    private static final int LEAF_BIT = 1 << 8;
    private static final int BLOCK = 256;

    private static final class Node {
        final TreeMap<Integer, Node> children = new TreeMap<>(); // by unsigned byte
        int value = -1;
    }

    private int[] units = new int[BLOCK];
    private final BitSet taken = new BitSet();
    // Two nodes must not share a base, or the one would find the other's children.
    private final BitSet bases = new BitSet();
    private int firstFree = 1;

    private CharsMapWriter() {
        // A value never matches a label, so nothing is found in a unit that stays unused.
        Arrays.fill(units, VALUE_BIT);
        taken.set(0);
    }

    static byte[] write(Map<String, String> rules) {
        var replacements = new ByteArrayOutputStream();
        var offsets = new LinkedHashMap<String, Integer>();
        var root = new Node();
        rules.forEach(
                (from, to) -> {
                    int offset =
                            offsets.computeIfAbsent(
                                    to,
                                    text -> {
                                        int start = replacements.size();
                                        replacements.writeBytes(Utf8.bytes(text));
                                        replacements.write(0);
                                        return start;
                                    });
                    var node = root;
                    for (byte b : Utf8.bytes(from)) {
                        node = node.children.computeIfAbsent(b & 0xFF, key -> new Node());
                    }
                    node.value = offset;
                });
        var trie = new CharsMapWriter();
        trie.place(root, 0, 0);
        var blob =
                ByteBuffer.allocate(4 + 4 * trie.units.length + replacements.size())
                        .order(ByteOrder.LITTLE_ENDIAN);
        blob.putInt(4 * trie.units.length);
        blob.asIntBuffer().put(trie.units);
        return blob.position(4 + 4 * trie.units.length).put(replacements.toByteArray()).array();
    }

    /** Writes a node's unit, and its children's where they fit. */
    private void place(Node node, int at, int label) {
        int base = base(node);
        bases.set(base);
        units[at] = label | (at ^ base) << 10 | (node.value < 0 ? 0 : LEAF_BIT);
        if (node.value >= 0) {
            taken.set(base);
            units[base] = VALUE_BIT | node.value;
        }
        node.children.keySet().forEach(child -> taken.set(base ^ child));
        firstFree = taken.nextClearBit(firstFree);
        node.children.forEach((child, next) -> place(next, base ^ child, child));
    }

    private int base(Node node) {
        int first = node.value >= 0 ? 0 : node.children.firstKey();
        for (int at = firstFree; ; at = taken.nextClearBit(at + 1)) {
            int base = at ^ first;
            boolean fits =
                    !bases.get(base)
                            && node.children.keySet().stream()
                                    .noneMatch(label -> taken.get(base ^ label));
            if (fits) {
                int size = units.length;
                if ((base | BLOCK - 1) >= size) {
                    units = Arrays.copyOf(units, (base | BLOCK - 1) + 1);
                    Arrays.fill(units, size, units.length, VALUE_BIT);
                }
                return base;
            }
        }
    }
}
