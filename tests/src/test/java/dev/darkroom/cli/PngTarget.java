package dev.darkroom.cli;

import com.fasterxml.jackson.databind.json.JsonMapper;

import dev.darkroom.models.pipeline.Picture;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.models.pipeline.SampleResult;
import dev.darkroom.runtime.Diagnosis;
import dev.darkroom.tests.fuzz.Answers;
import dev.darkroom.training.data.CacheListener;
import dev.darkroom.training.data.DataReport;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.Deflater;

/**
 * Texts in PNGs. After a {@code w}: any prompt and name of a model is written into a picture, and
 * stands in it as the specification has it. After an {@code r}: any chunks around a picture to
 * train on are read past.
 */
public final class PngTarget {
    private static final byte[] SIGNATURE = {(byte) 137, 'P', 'N', 'G', '\r', '\n', 26, '\n'};
    private static final Picture DOT = new Picture(1, 1, new byte[] {1, 2, 3});
    private static final JsonMapper JSON = new JsonMapper();
    private static final String[] TYPES = {"tEXt", "zTXt", "iTXt", "eXIf", "iCCP", "tIME", "pHYs"};

    private static Path picture = Path.of("");

    private record Chunk(String type, byte[] data) {}

    private PngTarget() {}

    /** Called once. */
    public static void fuzzerInitialize() throws IOException {
        picture = Answers.folder().resolve("picture.png");
        Files.writeString(picture.resolveSibling("picture.txt"), "a caption");
    }

    public static List<byte[]> seeds() {
        var seeds = new ArrayList<byte[]>();
        for (String texts :
                List.of(
                        "a red cat\0blurry\0model",
                        "größer ½\n♥ 😀\0\0a,b:c",
                        "\0\0",
                        "a\tb\0c\nd")) {
            seeds.add(("w8" + texts).getBytes(StandardCharsets.UTF_8));
        }
        for (String chunks :
                List.of(
                        "0\0\7Title\0a",
                        "2\0\12Title\0\0\0\0\0a",
                        "0\0\50Raw profile type exif\0\nexif\n8\n4d4d002a00",
                        "1\0\20Comment\0\0aaaaaaaa",
                        "3\0\32MM\0\52\0\0\0\10\0\1\1\22\0\3\0\0\0\1\0\6\0\0\0\0\0\0",
                        "4\0\12icc\0\0aaaaa")) {
            seeds.add(("r" + chunks).getBytes(StandardCharsets.ISO_8859_1));
        }
        return seeds;
    }

    public static List<String> dictionary() {
        return List.of(
                "Raw profile type exif",
                "XML:com.adobe.xmp",
                "tiff:Orientation",
                "<x:xmpmeta>",
                "<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">",
                "Exif\0\0MM\0\52",
                "II\52\0",
                "\nexif\n",
                "parameters",
                "\0",
                "\0\1\0",
                "Steps: 4, ");
    }

    /** Called by the fuzzer. */
    public static void fuzzerTestOneInput(byte[] input) throws IOException {
        Answers.inTime(() -> use(input));
    }

    private static void use(byte[] input) throws IOException {
        if (input.length > 1 && input[0] == 'w') {
            write(text(input));
        } else if (input.length > 1) {
            read(ByteBuffer.wrap(input, 1, input.length - 1));
        }
    }

    // ---- Writing ----

    /** UTF-8, or pairs of UTF-16, so that there are halves of characters too. */
    private static String text(byte[] input) {
        if (input[1] % 2 == 0) {
            return new String(input, 2, input.length - 2, StandardCharsets.UTF_8);
        }
        return ByteBuffer.wrap(input, 2, (input.length - 2) / 2 * 2).asCharBuffer().toString();
    }

    private static void write(String text) throws IOException {
        String[] parts = Arrays.copyOf(text.split("\0", 3), 3);
        var request =
                SampleRequest.builder()
                        .prompt(parts[0])
                        .negativePrompt(parts[1] == null ? "" : parts[1])
                        .build();
        var recipe =
                new GenerationParameters(
                        new SampleResult(List.of(DOT), request, Map.of(), List.of(), Map.of()),
                        Map.of("model", String.valueOf(parts[2])),
                        Map.of(),
                        null,
                        new Diagnosis.Loaded(
                                "", "", Path.of(""), Path.of(""), 1, "", List.of(), ""));
        Map<String, String> texts = recipe.texts(0);
        var out = new ByteArrayOutputStream();
        Png.write(Raster.of(DOT), texts, out);
        Map<String, String> read = texts(chunks(out.toByteArray()));
        for (var written : texts.entrySet()) {
            String kept = read.get(written.getKey());
            Answers.require(
                    writable(written.getValue()).equals(kept), "another text was written", null);
        }
        var json = JSON.readTree(read.get("darkroom"));
        String prompt = json.at("/request/prompt").textValue();
        Answers.require(whole(parts[0]).equals(prompt), "another prompt was written", null);
    }

    /** A text as PNGs can have it: no half of a character, and no character of value 0. */
    private static String writable(String text) {
        return whole(text).replace('\0', '\ufffd');
    }

    /** A text with a question mark for each half of a character. */
    private static String whole(String text) {
        return new String(text.getBytes(StandardCharsets.UTF_8), StandardCharsets.UTF_8);
    }

    /** Takes a file apart by the letter of the specification. */
    private static List<Chunk> chunks(byte[] png) {
        var in = ByteBuffer.wrap(png);
        var signature = new byte[SIGNATURE.length];
        in.get(signature);
        Answers.require(Arrays.equals(SIGNATURE, signature), "no PNG", null);
        var chunks = new ArrayList<Chunk>();
        while (in.hasRemaining()) {
            var data = new byte[in.getInt()];
            var type = new byte[4];
            in.get(type);
            in.get(data);
            Answers.require(crc(type, data) == in.getInt(), "a wrong checksum", null);
            chunks.add(new Chunk(new String(type, StandardCharsets.US_ASCII), data));
        }
        return chunks;
    }

    private static int crc(byte[] type, byte[] data) {
        var crc = new CRC32();
        crc.update(type);
        crc.update(data);
        return (int) crc.getValue();
    }

    private static Map<String, String> texts(List<Chunk> chunks) {
        var texts = new LinkedHashMap<String, String>();
        for (Chunk chunk : chunks) {
            boolean isLatin = chunk.type.equals("tEXt");
            if (!isLatin && !chunk.type.equals("iTXt")) {
                continue;
            }
            var all =
                    new String(
                            chunk.data,
                            isLatin ? StandardCharsets.ISO_8859_1 : StandardCharsets.UTF_8);
            int keyword = all.indexOf('\0');
            String text = all.substring(keyword + (isLatin ? 1 : 5));
            Answers.require(text.indexOf('\0') < 0, "a zero byte within a text", null);
            texts.put(all.substring(0, keyword), text);
        }
        return texts;
    }

    // ---- Reading ----

    /**
     * Chunks of a type, a length and data; of zTXt and iCCP the data is compressed behind zeros.
     */
    private static void read(ByteBuffer in) throws IOException {
        var out = new ByteArrayOutputStream();
        Png.write(Raster.of(DOT), Map.of(), out);
        byte[] dot = out.toByteArray();
        int header = SIGNATURE.length + 12 + 13;
        var file = new ByteArrayOutputStream();
        file.write(dot, 0, header);
        while (in.remaining() >= 3) {
            String type = TYPES[Math.floorMod(in.get() - '0', TYPES.length)];
            var data = new byte[Math.min(in.getShort() & 0xffff, in.remaining())];
            in.get(data);
            file.writeBytes(chunk(type, type.startsWith("z") ? deflated(data) : data));
        }
        file.write(dot, header, dot.length - header);
        Files.write(picture, file.toByteArray());
        var report = DataReport.of(picture.getParent(), CacheListener.NONE);
        for (var problem : report.problems()) {
            Answers.requireTyped(problem, picture);
        }
        Answers.require(
                report.examples().size() + report.problems().size() == 1, "no answer", null);
    }

    private static byte[] chunk(String name, byte[] data) {
        byte[] type = name.getBytes(StandardCharsets.US_ASCII);
        return ByteBuffer.allocate(12 + data.length)
                .putInt(data.length)
                .put(type)
                .put(data)
                .putInt(crc(type, data))
                .array();
    }

    /** The part behind two zeros, a keyword's end and a method of compression, compressed. */
    private static byte[] deflated(byte[] data) {
        int plain = 0;
        while (plain + 1 < data.length && (data[plain] != 0 || data[plain + 1] != 0)) {
            plain++;
        }
        plain = Math.min(plain + 2, data.length);
        var deflater = new Deflater();
        deflater.setInput(data, plain, data.length - plain);
        deflater.finish();
        var compressed = new byte[data.length + 64];
        int length = deflater.deflate(compressed);
        deflater.end();
        var all = Arrays.copyOf(data, plain + length);
        System.arraycopy(compressed, 0, all, plain, length);
        return all;
    }
}
