package dev.darkroom.tokenizers;

import java.util.Arrays;

/** Byte strings with int values, walked byte by byte. Nodes are numbers; the root is 0. */
final class ByteTrie {
    static final int ROOT = 0;
    static final int NONE = -1;

    private final LongIntMap children; // node * 256 + byte -> node
    private int[] values = new int[64]; // node -> value + 1
    private int nodes = 1;

    ByteTrie(int expectedNodes) {
        children = new LongIntMap(expectedNodes);
    }

    void put(byte[] key, int value) {
        int node = ROOT;
        for (byte b : key) {
            int next = child(node, b);
            if (next == NONE) {
                next = nodes++;
                children.put(edge(node, b), next);
                if (next == values.length) {
                    values = Arrays.copyOf(values, values.length * 2);
                }
            }
            node = next;
        }
        values[node] = value + 1;
    }

    int child(int node, byte b) {
        return children.get(edge(node, b), NONE);
    }

    /** The value of the string that ends at a node, or {@link #NONE}. */
    int value(int node) {
        return values[node] - 1;
    }

    /** The length of the longest string that {@code text} has at {@code from}, or 0. */
    int longestMatch(byte[] text, int from) {
        int longest = 0;
        int node = ROOT;
        for (int i = from; i < text.length; i++) {
            node = child(node, text[i]);
            if (node == NONE) {
                break;
            }
            if (values[node] > 0) {
                longest = i + 1 - from;
            }
        }
        return longest;
    }

    private static long edge(int node, byte b) {
        return ((long) node << 8) | (b & 0xFF);
    }
}
