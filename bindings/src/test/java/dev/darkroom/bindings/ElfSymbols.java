package dev.darkroom.bindings;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Set;
import java.util.TreeSet;

/** Reads the symbols that a shared library exports, from its ELF dynamic symbol table. */
final class ElfSymbols {

    private static final int MAGIC = 0x7f454c46;
    private static final int CLASS_64 = 2;
    private static final int LITTLE_ENDIAN = 1;

    // Elf64_Ehdr
    private static final int SECTION_TABLE = 0x28; // e_shoff
    private static final int SECTION_ENTRY_SIZE = 0x3a; // e_shentsize
    private static final int SECTION_COUNT = 0x3c; // e_shnum

    // Elf64_Shdr
    private static final int TYPE = 4;
    private static final int OFFSET = 24;
    private static final int SIZE = 32;
    private static final int LINK = 40;
    private static final int DYNAMIC_SYMBOLS = 11; // SHT_DYNSYM

    // Elf64_Sym
    private static final int SYMBOL_SIZE = 24;
    private static final int INFO = 4;
    private static final int OTHER = 5;
    private static final int SECTION = 6;
    private static final int LOCAL = 0; // STB_LOCAL
    private static final int HIDDEN = 2; // STV_HIDDEN
    private static final int INTERNAL = 1; // STV_INTERNAL
    private static final int UNDEFINED = 0; // SHN_UNDEF

    private ElfSymbols() {}

    /**
     * The names that other libraries can link to: defined, not local, not hidden.
     *
     * @param library the bytes of a 64-bit little-endian ELF file
     * @throws IllegalArgumentException if it is another kind of file or has no dynamic symbols
     */
    static Set<String> exported(byte[] library) {
        var file = ByteBuffer.wrap(library);
        if (file.getInt(0) != MAGIC || file.get(4) != CLASS_64 || file.get(5) != LITTLE_ENDIAN) {
            throw new IllegalArgumentException("not a 64-bit little-endian ELF file");
        }
        file.order(ByteOrder.LITTLE_ENDIAN);
        int symbols = dynamicSymbols(file);
        int strings = (int) file.getLong(section(file, file.getInt(symbols + LINK)) + OFFSET);
        int start = (int) file.getLong(symbols + OFFSET);
        int end = start + (int) file.getLong(symbols + SIZE);
        var names = new TreeSet<String>();
        for (int symbol = start; symbol < end; symbol += SYMBOL_SIZE) {
            if (isExported(file, symbol)) {
                names.add(text(library, strings + file.getInt(symbol)));
            }
        }
        return names;
    }

    private static boolean isExported(ByteBuffer file, int symbol) {
        int binding = file.get(symbol + INFO) >> 4;
        int visibility = file.get(symbol + OTHER) & 3;
        return binding != LOCAL
                && visibility != HIDDEN
                && visibility != INTERNAL
                && file.getShort(symbol + SECTION) != UNDEFINED;
    }

    private static int dynamicSymbols(ByteBuffer file) {
        int count = Short.toUnsignedInt(file.getShort(SECTION_COUNT));
        for (int i = 0; i < count; i++) {
            if (file.getInt(section(file, i) + TYPE) == DYNAMIC_SYMBOLS) {
                return section(file, i);
            }
        }
        throw new IllegalArgumentException("no dynamic symbol table");
    }

    private static int section(ByteBuffer file, int index) {
        int size = Short.toUnsignedInt(file.getShort(SECTION_ENTRY_SIZE));
        return (int) file.getLong(SECTION_TABLE) + index * size;
    }

    private static String text(byte[] library, int start) {
        int end = start;
        while (library[end] != 0) {
            end++;
        }
        return new String(library, start, end - start, StandardCharsets.US_ASCII);
    }
}
