package dev.darkroom.tests.fuzz;

import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.SafetensorsWriter;
import dev.darkroom.tests.Cases;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Stream;

/** Checkpoints as somebody would make them who means harm, each from a good one by one change. */
final class HostileCases {
    private static final String PIXART = "pixart";
    private static final String SHARDED = "sharded";
    private static final String DIT = "dit";
    private static final String WEIGHTS = "diffusion_pytorch_model.safetensors";
    private static final String INDEX = WEIGHTS + ".index.json";
    private static final long TERABYTE = 1L << 40;

    private static final List<String> NUMBERS =
            List.of(
                    "0",
                    "-1",
                    "1000000000",
                    "2147483647",
                    "-2147483648",
                    "9223372036854775808",
                    "1e308",
                    "NaN");
    private static final List<String> TEXTS =
            List.of(
                    "\"\"",
                    "\"../outside\"",
                    "\"\\u0000\"",
                    "\"\\ud800\"",
                    "\"" + "y".repeat(100_000) + "\"",
                    "\"\u202ea\\nb\"");
    private static final List<String> OTHERS = List.of("null", "{}", "[[]]", "-1", "\"x\"");

    private final Path bases;
    private final Path outside;
    private final List<HostileCase> all = new ArrayList<>();

    /**
     * Makes the good checkpoints.
     *
     * @param bases folder for them
     * @param outside folder with files that would do in place of a checkpoint's own
     */
    HostileCases(Path bases, Path outside) throws IOException {
        this.bases = bases;
        this.outside = outside;
        Cases.copyModel("pixart_alpha", Files.createDirectories(bases.resolve(PIXART)));
        Cases.copyModel("dit", Files.createDirectories(bases.resolve(DIT)));
        Path sharded = bases.resolve(SHARDED);
        Cases.copyModel("pixart_alpha", Files.createDirectories(sharded));
        split(sharded.resolve("transformer"));
        Cases.copyModel("pixart_alpha", outside);
        split(outside.resolve("transformer"));
    }

    /** Replaces a folder's weights by two shards and their index. */
    private static void split(Path folder) throws IOException {
        Path whole = folder.resolve(WEIGHTS);
        Map<String, String> files = new TreeMap<>();
        try (var scope = TensorScope.open();
                var weights = Safetensors.open(whole, LoadMode.READ)) {
            List<String> names = List.copyOf(weights.names());
            for (int shard = 1; shard <= 2; shard++) {
                String file =
                        String.format(
                                Locale.ROOT,
                                "diffusion_pytorch_model-%05d-of-00002.safetensors",
                                shard);
                Map<String, Tensor> tensors = new TreeMap<>();
                for (int i = shard - 1; i < names.size(); i += 2) {
                    tensors.put(names.get(i), weights.tensor(names.get(i)));
                    files.put(names.get(i), file);
                }
                SafetensorsWriter.write(folder.resolve(file), tensors, Map.of("format", "pt"));
            }
        }
        Files.delete(whole);
        var index = new StringBuilder("{\"metadata\":{\"total_size\":1},\"weight_map\":{");
        files.forEach((name, file) -> index.append('"' + name + "\":\"" + file + "\","));
        index.setCharAt(index.length() - 1, '}');
        Files.writeString(folder.resolve(INDEX), index.append('}'));
    }

    /** A folder with hard links to a good checkpoint's files. */
    Path copy(String base, Path to) throws IOException {
        Path from = bases.resolve(base);
        try (Stream<Path> files = Files.walk(from)) {
            for (Path file : files.toList()) {
                Path copy = to.resolve(from.relativize(file).toString());
                if (Files.isDirectory(file)) {
                    Files.createDirectories(copy);
                } else {
                    Files.createLink(copy, file);
                }
            }
        }
        return to;
    }

    /** All cases. */
    List<HostileCase> all() throws IOException {
        configs(PIXART);
        configs(DIT);
        parts();
        shards();
        files(SHARDED);
        folders(PIXART);
        weights(PIXART, "transformer/" + WEIGHTS);
        weights(PIXART, "text_encoder/model.safetensors");
        weights(DIT, "vae/" + WEIGHTS);
        tokenizers();
        names();
        return all;
    }

    private static List<String> list(Path folder, String ending) throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            return files.filter(Files::isRegularFile)
                    .map(file -> folder.relativize(file).toString())
                    .filter(file -> file.endsWith(ending))
                    .sorted()
                    .toList();
        }
    }

    /** Every value of every config, by others. */
    private void configs(String base) throws IOException {
        for (String file : list(bases.resolve(base), ".json")) {
            byte[] json = Files.readAllBytes(bases.resolve(base).resolve(file));
            for (List<String> path : HostileCase.values(json)) {
                var value = HostileCase.value(json, path);
                List<String> others =
                        value.isNumber() ? NUMBERS : value.isTextual() ? TEXTS : OTHERS;
                for (String other : others) {
                    all.add(
                            HostileCase.ofBytes(
                                    String.join(".", path) + " = " + shortened(other),
                                    base,
                                    file,
                                    bytes -> HostileCase.with(bytes, path, other)));
                }
            }
        }
    }

    private static String shortened(String value) {
        return value.length() > 40 ? value.substring(0, 40) + "…" : value;
    }

    // ---- Names that lead elsewhere ----

    private List<String> hostileNames(String file) {
        Path target = outside.resolve("transformer").resolve(file);
        return List.of(
                "../../outside/transformer/" + file,
                "../../../outside/transformer/" + file,
                target.toString(),
                "/" + target,
                "file://" + target,
                "~/" + file,
                "..",
                ".",
                "",
                "a/../" + file,
                "..\\\\..\\\\outside\\\\" + file,
                "C:" + file,
                "\\\\\\\\host\\\\share\\\\" + file,
                "\\u002e\\u002e/" + file,
                "%2e%2e%2f" + file,
                "\\uff0e\\uff0e\\uff0f" + file,
                file + "\\u0000",
                file + "\\n",
                "\\u0000",
                "\\ud800.safetensors",
                "\\ud83d\\ude00.safetensors",
                "e\\u0301.safetensors",
                "\\u202efdp.safetensors",
                "x".repeat(255) + ".safetensors",
                "x".repeat(100_000),
                INDEX,
                "config.json",
                "CON",
                "nul.safetensors",
                "-rf",
                "$HOME/" + file,
                "model.pt");
    }

    private void parts() {
        List<String> names = new ArrayList<>(hostileNames("vae"));
        names.addAll(hostileNames(".")); // some are folders that are there
        for (String name : names) {
            for (String other : List.of("x", "AutoencoderKL")) {
                all.add(
                        HostileCase.ofBytes(
                                        "the part " + shortened(name) + " of " + other,
                                        PIXART,
                                        "model_index.json",
                                        json ->
                                                HostileCase.withFirst(
                                                        json,
                                                        "\""
                                                                + name
                                                                + "\":[\"x\",\""
                                                                + other
                                                                + "\"]"))
                                .withVariant("fp16"));
            }
        }
    }

    private void shards() throws IOException {
        String file = "transformer/" + INDEX;
        byte[] json = Files.readAllBytes(bases.resolve(SHARDED).resolve(file));
        List<String> first =
                HostileCase.values(json).stream()
                        .filter(path -> path.size() == 2 && path.getFirst().equals("weight_map"))
                        .findFirst()
                        .orElseThrow();
        String shard = HostileCase.value(json, first).textValue();
        for (String name : hostileNames(shard)) {
            String text = "\"" + name + "\"";
            all.add(
                    HostileCase.ofBytes(
                            "one shard is " + shortened(name),
                            SHARDED,
                            file,
                            bytes -> HostileCase.with(bytes, first, text)));
            all.add(
                    HostileCase.ofBytes(
                            "all of a shard is " + shortened(name),
                            SHARDED,
                            file,
                            bytes ->
                                    new String(bytes, StandardCharsets.UTF_8)
                                            .replace("\"" + shard + "\"", text)
                                            .getBytes(StandardCharsets.UTF_8)));
        }
        all.add(
                HostileCase.ofBytes(
                        "a million tensors in no shard",
                        SHARDED,
                        file,
                        bytes -> {
                            var many = new StringBuilder("{\"weight_map\":{");
                            for (int i = 0; i < 1_000_000; i++) {
                                many.append("\"t").append(i).append("\":\"a\",");
                            }
                            many.setCharAt(many.length() - 1, '}');
                            return Answers.bytes(many.append('}').toString());
                        }));
        all.add(
                HostileCase.ofBytes(
                        "ten thousand shards",
                        SHARDED,
                        file,
                        bytes -> {
                            var many = new StringBuilder("{\"weight_map\":{");
                            for (int i = 0; i < 10_000; i++) {
                                many.append("\"t")
                                        .append(i)
                                        .append("\":\"s")
                                        .append(i)
                                        .append("\",");
                            }
                            many.setCharAt(many.length() - 1, '}');
                            return Answers.bytes(many.append('}').toString());
                        }));
    }

    // ---- Other things in the place of files and folders ----

    private void files(String base) throws IOException {
        for (String path : list(bases.resolve(base), "")) {
            all.add(HostileCase.of("missing", base, path, Files::delete));
            place(base, path, "a folder", Files::createDirectory);
            place(base, path, "a pipe", HostileCases::makePipe);
            place(base, path, "sparse with a terabyte", file -> extend(file, TERABYTE));
            place(base, path, "sparse with 20 MB", file -> extend(file, 20_000_000));
            links(base, path);
            all.add(HostileCase.ofBytes("empty", base, path, b -> new byte[0]));
            all.add(HostileCase.ofBytes("a byte", base, path, b -> new byte[] {'{'}));
            all.add(HostileCase.ofBytes("zeros", base, path, b -> new byte[b.length]));
            all.add(
                    HostileCase.ofBytes(
                            "half of it", base, path, b -> Arrays.copyOf(b, b.length / 2)));
            all.add(
                    HostileCase.ofBytes(
                            "UTF-16",
                            base,
                            path,
                            b ->
                                    new String(b, StandardCharsets.ISO_8859_1)
                                            .getBytes(StandardCharsets.UTF_16)));
            all.add(
                    HostileCase.ofBytes(
                            "a nest of brackets",
                            base,
                            path,
                            b -> Answers.bytes("{\"a\":" + "[".repeat(1_000_000))));
            all.add(
                    HostileCase.ofBytes(
                            "bytes at random",
                            base,
                            path,
                            b -> {
                                var random = new byte[b.length];
                                new Random(b.length).nextBytes(random);
                                return random;
                            }));
        }
    }

    private void folders(String base) {
        for (String path :
                List.of("scheduler", "text_encoder", "tokenizer", "transformer", "vae")) {
            HostileCase.FileChange empty = file -> {};
            place(base, path, "nothing", empty);
            place(base, path, "a file", Files::createFile);
            place(base, path, "a pipe", HostileCases::makePipe);
            place(base, path, "an empty folder", Files::createDirectory);
            links(base, path);
            link(base, path, "the folder around it", "..");
            link(base, path, "the root of the disk", "/");
        }
    }

    private void links(String base, String path) {
        link(base, path, "nothing", "nowhere");
        link(base, path, "itself", Path.of(path).getFileName().toString());
        link(base, path, "/dev/zero", "/dev/zero");
        link(base, path, "/dev/full", "/dev/full");
        link(base, path, "/proc/kmsg", "/proc/kmsg");
        link(base, path, "/proc/self/mem", "/proc/self/mem");
        link(base, path, "/proc/self/maps", "/proc/self/maps");
        link(base, path, "a long name", "x".repeat(4000));
        link(base, path, "outside", outside.resolve(path).toString());
    }

    private void link(String base, String path, String what, String target) {
        HostileCase linked =
                HostileCase.of(
                        "a link to " + what,
                        base,
                        path,
                        file -> {
                            remove(file);
                            Files.createSymbolicLink(file, Path.of(target));
                        });
        all.add(what.equals("outside") || what.contains("disk") ? linked.following() : linked);
    }

    private void place(String base, String path, String what, HostileCase.FileChange make) {
        all.add(
                HostileCase.of(
                        "in its place " + what,
                        base,
                        path,
                        file -> {
                            remove(file);
                            make.apply(file);
                        }));
    }

    /** Deletes a file, a link or a folder. */
    static void remove(Path path) throws IOException {
        try (Stream<Path> below = Files.walk(path)) {
            for (Path each : below.sorted(java.util.Comparator.reverseOrder()).toList()) {
                Files.delete(each);
            }
        }
    }

    private static void makePipe(Path file) throws IOException {
        try {
            new ProcessBuilder("mkfifo", file.toString()).inheritIO().start().waitFor();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    private static void extend(Path file, long length) throws IOException {
        try (var sparse = new RandomAccessFile(file.toFile(), "rw")) {
            sparse.setLength(length);
        }
    }

    // ---- Headers ----

    private void weights(String base, String file) throws IOException {
        byte[] bytes = Files.readAllBytes(bases.resolve(base).resolve(file));
        byte[] header = HostileCase.header(bytes);
        for (long length :
                new long[] {
                    0,
                    1,
                    header.length - 1,
                    header.length + 1,
                    bytes.length,
                    100_000_001,
                    1L << 31,
                    1L << 32,
                    Long.MAX_VALUE,
                    -1
                }) {
            all.add(
                    HostileCase.ofBytes(
                            "a header of " + length,
                            base,
                            file,
                            b -> HostileCase.withLength(b, length)));
        }
        List<String> tensors =
                HostileCase.values(header).stream()
                        .filter(path -> path.size() == 1)
                        .map(List::getFirst)
                        .filter(name -> !name.equals("__metadata__"))
                        .toList();
        for (String tensor : List.of(tensors.getFirst(), tensors.getLast())) {
            for (String dtype : List.of("I64", "BOOL", "F64", "F8_E4M3", "C64", "F4", "F32 ")) {
                header(base, file, List.of(tensor, "dtype"), "\"" + dtype + "\"");
            }
            for (String shape :
                    List.of(
                            "[]",
                            "[0]",
                            "[9223372036854775807]",
                            "[4294967296,4294967296]",
                            "[2,-1]",
                            "[1e3]",
                            "[" + "1,".repeat(100) + "1]",
                            "null")) {
                header(base, file, List.of(tensor, "shape"), shape);
            }
            for (String offsets :
                    List.of(
                            "[0,9223372036854775807]",
                            "[-1,4]",
                            "[4,0]",
                            "[0,0]",
                            "[9223372036854775804,9223372036854775808]",
                            "[0]",
                            "[[]]")) {
                header(base, file, List.of(tensor, "data_offsets"), offsets);
            }
        }
        for (String member :
                List.of(
                        "\"../../x\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}",
                        "\"\\u0000\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}",
                        "\""
                                + "n".repeat(1_000_000)
                                + "\":{\"dtype\":\"F32\",\"shape\":[0],"
                                + "\"data_offsets\":[0,0]}",
                        "\"__metadata__\":{}",
                        "\"a\":" + "[".repeat(100_000),
                        many(
                                100_000,
                                "\"%d\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}"))) {
            all.add(
                    HostileCase.ofBytes(
                            "one more tensor, " + shortened(member),
                            base,
                            file,
                            b ->
                                    HostileCase.withHeader(
                                            b, json -> HostileCase.withFirst(json, member))));
        }
        all.add(
                HostileCase.ofBytes(
                        "values at random",
                        base,
                        file,
                        b -> {
                            byte[] random = b.clone();
                            var source = new Random(1);
                            for (int i = Long.BYTES + header.length; i < random.length; i++) {
                                random[i] = (byte) source.nextInt();
                            }
                            return random;
                        }));
    }

    private static String many(int count, String form) {
        var all = new StringBuilder();
        for (int i = 0; i < count; i++) {
            all.append(i == 0 ? "" : ",").append(form.replace("%d", "t" + i));
        }
        return all.toString();
    }

    private void header(String base, String file, List<String> path, String value) {
        all.add(
                HostileCase.ofBytes(
                        String.join(" ", path) + " = " + shortened(value),
                        base,
                        file,
                        b ->
                                HostileCase.withHeader(
                                        b, json -> HostileCase.with(json, path, value))));
    }

    // ---- Tokenizers and other files ----

    private void tokenizers() {
        for (String json :
                List.of(
                        "{}",
                        "[".repeat(100_000),
                        "{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",0]]},"
                                + "\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":"
                                + "\"((a?)*)*\\\\1b\"},\"content\":\"\"}}",
                        "{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",0],"
                            + "[\"</s>\",0]]},\"added_tokens\":[{\"id\":16777216,\"content\":\"x\"}]}")) {
            all.add(
                    new HostileCase(
                            PIXART + "/tokenizer/tokenizer.json alone: " + shortened(json),
                            PIXART,
                            folder -> {
                                Path tokenizer = folder.resolve("tokenizer");
                                Files.delete(tokenizer.resolve("spiece.model"));
                                Files.writeString(tokenizer.resolve("tokenizer.json"), json);
                                return folder;
                            }));
        }
        for (String json :
                List.of(
                        "{\"steps\":1000000000}",
                        "{\"steps\":-1}",
                        "{\"guidance_scale\":1e308}",
                        "{\"guidance_scale\":NaN}",
                        "[]",
                        "")) {
            all.add(added("darkroom.json", json, file -> Files.writeString(file, json)));
        }
        all.add(added("darkroom.json", "a pipe", HostileCases::makePipe));
        all.add(added("darkroom.json", "a folder", Files::createDirectory));
        all.add(
                added(
                        "darkroom.json",
                        "a terabyte",
                        file -> extend(Files.createFile(file), TERABYTE)));
        all.add(added("vae/model.bin", "a pickle", file -> Files.writeString(file, "\u0080\2.")));
    }

    private static HostileCase added(String path, String what, HostileCase.FileChange make) {
        return HostileCase.of("added, " + what, PIXART, path, make);
    }

    // ---- Names of the folder itself ----

    private void names() {
        for (String name :
                List.of(
                        "a b",
                        "-rf",
                        "a\nb",
                        "a\tb",
                        "%s%n",
                        "$(id)",
                        "'\"`",
                        "\\",
                        "C:",
                        "...",
                        "x".repeat(255),
                        "{seed}",
                        "model.bin",
                        "a.incomplete",
                        "model_index.json",
                        "~")) {
            all.add(
                    new HostileCase(
                            "the folder is called " + shortened(name),
                            PIXART,
                            folder -> Files.move(folder, folder.resolveSibling(name))));
        }
    }
}
