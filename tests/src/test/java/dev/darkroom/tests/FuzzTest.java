package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.config.ConfigException;
import dev.darkroom.models.diffusion.diffusers.Scheduler;
import dev.darkroom.models.family.dit.DitConfig;
import dev.darkroom.models.family.pixart.PixArtConfig;
import dev.darkroom.models.t5.T5Config;
import dev.darkroom.models.vae.AutoencoderKlConfig;
import dev.darkroom.tokenizers.Tokenizer;
import dev.darkroom.tokenizers.TokenizerException;
import dev.darkroom.tokenizers.Tokenizers;
import dev.darkroom.tokenizers.TokenizingException;

import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;

/**
 * Damaged configs and tokenizers are refused with their own exceptions or work, and any prompt
 * becomes tokens; nothing else happens, and soon. {@code -Ddarkroom.fuzz.seconds=3600} makes it an
 * hour each; a failure names the seed, and {@code -Ddarkroom.fuzz.seed=SEED} runs that case first.
 */
class FuzzTest {
    private static final long SECONDS = Long.getLong("darkroom.fuzz.seconds", 2);
    private static final long SEED = Long.getLong("darkroom.fuzz.seed", System.nanoTime());
    private static final int MANY = 1000;
    private static final long SOON = TimeUnit.SECONDS.toNanos(20);

    /** Whatever JSON has for a value. */
    private static final Pattern VALUE =
            Pattern.compile("(?<=[:\\[,] ?)(-?[0-9.eE+]+|true|false|null|\"[^\"\\\\]*\")");

    private static final List<String> VALUES =
            List.of(
                    "0",
                    "-1",
                    "1",
                    "2",
                    "7",
                    "1000000000",
                    "2147483647",
                    "-2147483648",
                    "1e308",
                    "NaN",
                    "-Infinity",
                    "0.5",
                    "9".repeat(400),
                    "true",
                    "false",
                    "null",
                    "\"\"",
                    "\"x\"",
                    "\"(.*)*\\\\1z\"",
                    "\"((a?)*)*\\\\1b\"",
                    "\"[\"",
                    "\"\\u0000\"",
                    "[]",
                    "{}",
                    "[[]]",
                    "[1,2]",
                    "{\"type\":\"Lowercase\"}",
                    "\"" + "y".repeat(3000) + "\"");

    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir private static Path tokenizers;

    @TempDir private Path folder;

    @BeforeAll
    static void unpack() throws IOException {
        Cases.unpack(Cases.named("tokenizers"), tokenizers);
    }

    /** What a file is read with. */
    private interface Reader {
        Object read(Path file) throws IOException;
    }

    /** Kinds of files. */
    private enum Kind {
        T5(
                "{\"d_model\": 64, \"d_kv\": 8, \"num_layers\": 2, \"feed_forward_proj\":"
                        + " \"gated-gelu\"}"),
        PIXART(
                "{\"num_layers\": 2, \"sample_size\": 16, \"patch_size\": 2, \"norm_eps\": 1e-6,"
                        + " \"caption_channels\": 32, \"interpolation_scale\": null}"),
        DIT("{\"num_layers\": 2, \"sample_size\": 16, \"num_embeds_ada_norm\": 10}"),
        VAE(
                "{\"block_out_channels\": [32, 64], \"down_block_types\": [\"DownEncoderBlock2D\","
                        + " \"DownEncoderBlock2D\"], \"up_block_types\": [\"UpDecoderBlock2D\","
                        + " \"UpDecoderBlock2D\"], \"scaling_factor\": 0.5}"),
        SCHEDULER(
                "{\"_class_name\": \"DPMSolverMultistepScheduler\", \"num_train_timesteps\": 1000,"
                    + " \"beta_schedule\": \"linear\", \"trained_betas\": null, \"solver_order\":"
                    + " 2, \"use_karras_sigmas\": false, \"timestep_spacing\": \"linspace\"}"),
        TOKENIZER_JSON("t5", "tokenizer.json", "T5TokenizerFast"),
        SPIECE_MODEL("t5", "spiece.model", "T5Tokenizer"),
        TOKENIZER_CONFIG("t5", "tokenizer_config.json", "T5Tokenizer"),
        VOCABULARY("clip", "vocab.json", "CLIPTokenizer"),
        MERGES("clip", "merges.txt", "CLIPTokenizerFast");

        private final String source;
        private final String file;
        private final String className;

        Kind(String json) {
            this(json, "config.json", "");
        }

        Kind(String source, String file, String className) {
            this.source = source;
            this.file = file;
            this.className = className;
        }

        boolean isConfig() {
            return className.isEmpty();
        }

        Object read(Path path) throws IOException {
            Reader reader =
                    switch (this) {
                        case T5 -> T5Config::read;
                        case PIXART -> PixArtConfig::read;
                        case DIT -> DitConfig::read;
                        case VAE -> AutoencoderKlConfig::read;
                        case SCHEDULER -> file -> Scheduler.read(file).plan(5);
                        default -> file -> use(Tokenizers.load(file.getParent(), className));
                    };
            return reader.read(path);
        }

        private static Tokenizer use(Tokenizer tokenizer) {
            var text = "a red <extra_id_0> ab ½ 日本 </s> “cat” aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
            tokenizer.decode(tokenizer.encode(text, 16).ids());
            return tokenizer;
        }
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void damagedFilesAreRefusedOrWork(Kind kind) throws IOException {
        byte[] original;
        if (kind.isConfig()) {
            original = kind.source.getBytes(StandardCharsets.UTF_8);
        } else {
            try (var files = Files.list(tokenizers.resolve(kind.source))) {
                for (var file : files.toList()) {
                    Files.copy(file, folder.resolve(file.getFileName()));
                }
            }
            if (kind == Kind.TOKENIZER_JSON) {
                Files.delete(folder.resolve("spiece.model")); // it would go first
            }
            shorten();
            original = Files.readAllBytes(folder.resolve(kind.file));
        }
        Path file = folder.resolve(kind.file);
        Files.write(file, original);
        kind.read(file);
        int refused = 0;
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);
        long seed = SEED;
        for (; System.nanoTime() < end; seed++) {
            long begin = System.nanoTime();
            try {
                Files.write(file, mutated(original, new SplittableRandom(seed)));
                kind.read(file);
            } catch (ConfigException | TokenizerException | TokenizingException e) {
                refused++;
                requireShort(e, seed);
            } catch (IllegalArgumentException e) {
                // Of a plan for 5 steps, or of maxLength.
                requireShort(e, seed);
            } catch (Throwable e) {
                throw new AssertionError("-Ddarkroom.fuzz.seed=" + seed + " fails", e);
            }
            long taken = System.nanoTime() - begin;
            long last = seed;
            assertTrue(taken < SOON, () -> "-Ddarkroom.fuzz.seed=" + last + " takes long");
        }
        System.out.printf("%s: %d files, %d refused%n", kind, seed - SEED, refused);
        assertTrue(
                seed - SEED < MANY || (refused > 0 && refused < seed - SEED),
                kind + ": only one sort of file");
    }

    /** Fewer tokens, so that there is time for more files, and more of them hit the rules. */
    private void shorten() throws IOException {
        Path json = folder.resolve("tokenizer.json");
        if (Files.exists(json)) {
            var root = (ObjectNode) JSON.readTree(json.toFile());
            var vocabulary = (ArrayNode) root.get("model").get("vocab");
            while (vocabulary.size() > 20) {
                vocabulary.remove(vocabulary.size() - 1);
            }
            root.set("added_tokens", null);
            root.set("post_processor", null);
            JSON.writeValue(json.toFile(), root);
        }
        if (Files.exists(folder.resolve("vocab.json"))) {
            Files.writeString(
                    folder.resolve("vocab.json"),
                    "{\"a\":0,\"b\":1,\"a</w>\":2,\"b</w>\":3,\"ab</w>\":4,\"ba\":5,"
                            + "\"<|startoftext|>\":6,\"<|endoftext|>\":7}");
            Files.writeString(folder.resolve("merges.txt"), "#version: 0.2\na b</w>\nb a\n");
        }
    }

    private static void requireShort(Exception refusal, long seed) {
        String message = String.valueOf(refusal.getMessage());
        assertTrue(
                message.length() < 1000 && message.lines().count() <= 1,
                () -> "-Ddarkroom.fuzz.seed=" + seed + " says too much: " + message);
    }

    /** Values exchanged, or bytes changed, cut out or doubled. */
    private static byte[] mutated(byte[] original, SplittableRandom random) {
        if (random.nextBoolean()) {
            String text = new String(original, StandardCharsets.ISO_8859_1);
            int from = random.nextInt(text.length());
            int window = Math.min(text.length(), from + 200);
            List<MatchResult> values = VALUE.matcher(text).region(from, window).results().toList();
            if (!values.isEmpty()) {
                var value = values.get(random.nextInt(values.size()));
                String other = VALUES.get(random.nextInt(VALUES.size()));
                text = text.substring(0, value.start()) + other + text.substring(value.end());
                return text.getBytes(StandardCharsets.ISO_8859_1);
            }
        }
        byte[] bytes = original.clone();
        int from = random.nextInt(bytes.length);
        int to = Math.min(bytes.length, from + 1 + random.nextInt(40));
        return switch (random.nextInt(5)) {
            case 0 -> Arrays.copyOf(bytes, from);
            case 1 ->
                    concat(Arrays.copyOf(bytes, from), Arrays.copyOfRange(bytes, to, bytes.length));
            case 2 ->
                    concat(Arrays.copyOf(bytes, to), Arrays.copyOfRange(bytes, from, bytes.length));
            default -> {
                for (int i = 1 + random.nextInt(4); i > 0; i--) {
                    bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
                }
                yield bytes;
            }
        };
    }

    private static byte[] concat(byte[] first, byte[] second) {
        byte[] both = Arrays.copyOf(first, first.length + second.length);
        System.arraycopy(second, 0, both, first.length, second.length);
        return both;
    }

    @Test
    void anyPromptBecomesTokens() throws IOException {
        List<Tokenizer> all =
                List.of(
                        Tokenizers.load(tokenizers.resolve("t5"), "T5Tokenizer"),
                        Tokenizers.load(tokenizers.resolve("t5"), "T5TokenizerFast"),
                        Tokenizers.load(tokenizers.resolve("clip"), "CLIPTokenizer"),
                        Tokenizers.load(tokenizers.resolve("clip"), "CLIPTokenizerFast"));
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);
        long seed = SEED;
        for (; System.nanoTime() < end; seed++) {
            String prompt = prompt(new SplittableRandom(seed));
            for (var tokenizer : all) {
                try {
                    int[] ids = tokenizer.encode(prompt);
                    tokenizer.decode(ids);
                    tokenizer.encode(prompt, 77);
                } catch (Throwable e) {
                    throw new AssertionError("-Ddarkroom.fuzz.seed=" + seed + " fails", e);
                }
            }
        }
        System.out.printf("%d prompts%n", seed - SEED);
    }

    private static final List<String> PARTS =
            List.of(
                    "</s>",
                    "<pad>",
                    "<extra_id_3>",
                    "<|endoftext|>",
                    "  ",
                    "\n",
                    "&amp;",
                    "▁",
                    "ﷺ");

    private static String prompt(SplittableRandom random) {
        var text = new StringBuilder();
        for (int i = random.nextInt(60); i > 0; i--) {
            switch (random.nextInt(6)) {
                case 0 -> text.append(PARTS.get(random.nextInt(PARTS.size())));
                case 1 -> text.append((char) random.nextInt(0x10000)); // half characters too
                case 2 -> text.appendCodePoint(random.nextInt(0x110000));
                case 3 -> text.append((char) random.nextInt(0x300));
                default -> text.append((char) (' ' + random.nextInt(95)));
            }
        }
        return text.toString();
    }
}
