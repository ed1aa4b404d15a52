package dev.darkroom.runtime.safetensors;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.random.RandomGenerator;
import java.util.regex.Pattern;

/** Damages files at random, in ways that get past the first check more often than not. */
final class Mutations {
    private static final List<String> NUMBERS =
            List.of(
                    "0",
                    "1",
                    "2",
                    "3",
                    "4",
                    "7",
                    "8",
                    "12",
                    "255",
                    "65536",
                    "-1",
                    "-0",
                    "1.0",
                    "1e3",
                    "2147483647",
                    "2147483648",
                    "4294967296",
                    "4611686018427387904",
                    "9223372036854775807",
                    "9223372036854775808",
                    "18446744073709551615",
                    "99999999999999999999999",
                    "01",
                    "null",
                    "\"1\"",
                    "[1]",
                    "");

    private static final List<String> SNIPPETS =
            List.of(
                    "{",
                    "}",
                    "[",
                    "]",
                    ",",
                    ":",
                    "\"",
                    "\\",
                    "\\ud800",
                    "\\udc00",
                    "\\u0000",
                    "\0",
                    " ",
                    "\n",
                    "\ufeff",
                    "[[[[[[[[",
                    "{\"a\":{\"a\":{\"a\":",
                    "null",
                    "true",
                    "\"__metadata__\":{}",
                    "\"__metadata__\":{\"a\":1},",
                    "\"dtype\":\"F32\",",
                    "\"shape\":[],",
                    "\"data_offsets\":[0,0],",
                    "\"F4\"",
                    "\"BOOL\"",
                    "\"F64\"",
                    "\"U8\"",
                    "\"F6_E2M3\"",
                    ",\"x\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}",
                    "\u00e9",
                    "😀");

    private static final List<Long> LENGTHS =
            List.of(
                    0L,
                    1L,
                    2L,
                    7L,
                    8L,
                    9L,
                    100_000_000L,
                    100_000_001L,
                    1L << 31,
                    1L << 32,
                    Long.MAX_VALUE - 8,
                    Long.MAX_VALUE,
                    Long.MIN_VALUE,
                    -1L);

    private static final Pattern NUMBER = Pattern.compile("-?\\d+");
    private static final Pattern OFFSETS =
            Pattern.compile("(?<=\"data_offsets\":\\[)(\\d{1,15}),(\\d{1,15})");
    private static final Pattern TOKEN = Pattern.compile("\"[^\"]*\"|\\d+|[\\[\\]{},:]");

    private final RandomGenerator random;

    Mutations(RandomGenerator random) {
        this.random = random;
    }

    /** A few mutations, one after another. */
    byte[] mutate(byte[] file, byte[] other) {
        int rounds = 1 + random.nextInt(3);
        for (int i = 0; i < rounds; i++) {
            file = random.nextInt(3) == 0 ? anywhere(file, other) : inHeader(file);
        }
        return file;
    }

    /** Mutations of JSON text as such. */
    String mutateText(String text) {
        return switch (random.nextInt(6)) {
            case 0 -> replaceOne(text, NUMBER, pick(NUMBERS));
            case 1 -> replaceOne(text, TOKEN, pick(SNIPPETS));
            case 2 -> replaceOne(text, TOKEN, token(text));
            case 3 -> insert(text, random.nextInt(text.length() + 1), pick(SNIPPETS));
            case 4 -> shiftOffsets(text);
            default -> {
                int a = random.nextInt(text.length() + 1);
                int b = random.nextInt(text.length() + 1);
                int from = Math.min(a, b);
                int to = Math.min(Math.max(a, b), from + 40);
                yield random.nextBoolean()
                        ? text.substring(0, from) + text.substring(to)
                        : insert(text, to, text.substring(from, to));
            }
        };
    }

    /** Moves a tensor as it is to other bytes. */
    private String shiftOffsets(String text) {
        var places = OFFSETS.matcher(text).results().toList();
        if (places.isEmpty()) {
            return text;
        }
        var place = places.get(random.nextInt(places.size()));
        long by = random.nextInt(-8, 9);
        return text.substring(0, place.start())
                + (Long.parseLong(place.group(1)) + by)
                + ","
                + (Long.parseLong(place.group(2)) + by)
                + text.substring(place.end());
    }

    private byte[] anywhere(byte[] file, byte[] other) {
        switch (random.nextInt(6)) {
            case 0 -> {
                byte[] flipped = file.clone();
                for (int i = random.nextInt(8); i >= 0 && flipped.length > 0; i--) {
                    flipped[random.nextInt(flipped.length)] ^= (byte) (1 << random.nextInt(8));
                }
                return flipped;
            }
            case 1 -> {
                return Arrays.copyOf(file, random.nextInt(file.length + 1));
            }
            case 2 -> {
                return Arrays.copyOf(file, file.length + 1 + random.nextInt(16));
            }
            case 3 -> {
                return join(
                        Arrays.copyOf(file, random.nextInt(file.length + 1)),
                        Arrays.copyOfRange(other, random.nextInt(other.length + 1), other.length));
            }
            case 4 -> {
                byte[] relabelled = Arrays.copyOf(file, Math.max(file.length, 8));
                long length =
                        random.nextBoolean()
                                ? LENGTHS.get(random.nextInt(LENGTHS.size()))
                                : length(relabelled) + random.nextInt(-9, 10);
                ByteBuffer.wrap(relabelled).order(ByteOrder.LITTLE_ENDIAN).putLong(0, length);
                return relabelled;
            }
            default -> {
                byte[] noisy = file.clone();
                if (noisy.length > 0) {
                    noisy[random.nextInt(noisy.length)] = (byte) random.nextInt(256);
                }
                return noisy;
            }
        }
    }

    /** Changes the JSON and, mostly, the length before it. */
    private byte[] inHeader(byte[] file) {
        if (file.length < 8 || length(file) < 0 || length(file) > file.length - 8) {
            return file;
        }
        int end = 8 + (int) length(file);
        var json = new String(file, 8, end - 8, StandardCharsets.UTF_8);
        byte[] changed = mutateText(json).getBytes(StandardCharsets.UTF_8);
        long length = random.nextInt(8) == 0 ? end - 8 : changed.length;
        return join(
                RawFile.withLength(length, changed, 0), Arrays.copyOfRange(file, end, file.length));
    }

    private static long length(byte[] file) {
        return ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN).getLong(0);
    }

    private String token(String text) {
        var tokens = TOKEN.matcher(text).results().toList();
        return tokens.isEmpty() ? "" : tokens.get(random.nextInt(tokens.size())).group();
    }

    private String replaceOne(String text, Pattern pattern, String replacement) {
        var places = pattern.matcher(text).results().toList();
        if (places.isEmpty()) {
            return text;
        }
        var place = places.get(random.nextInt(places.size()));
        return text.substring(0, place.start()) + replacement + text.substring(place.end());
    }

    private static String insert(String text, int at, String more) {
        return text.substring(0, at) + more + text.substring(at);
    }

    private String pick(List<String> list) {
        return list.get(random.nextInt(list.size()));
    }

    private static byte[] join(byte[] a, byte[] b) {
        byte[] both = Arrays.copyOf(a, a.length + b.length);
        System.arraycopy(b, 0, both, a.length, b.length);
        return both;
    }
}
