package dev.darkroom.tokenizers;

import java.util.Arrays;

/** A growing list of ids. */
final class Ids {
    private int[] ids = new int[64];
    private int size;

    void add(int id) {
        if (size == ids.length) {
            ids = Arrays.copyOf(ids, size * 2);
        }
        ids[size++] = id;
    }

    void add(int[] more) {
        for (int id : more) {
            add(id);
        }
    }

    void addFirst(int[] more) {
        var rest = toArray();
        size = 0;
        add(more);
        add(rest);
    }

    int[] toArray() {
        return Arrays.copyOf(ids, size);
    }
}
