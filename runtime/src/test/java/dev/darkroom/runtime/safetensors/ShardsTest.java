package dev.darkroom.runtime.safetensors;

import static dev.darkroom.runtime.safetensors.RawFile.entry;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.safetensors.SafetensorsException.Kind;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;

class ShardsTest {
    private static final String FIRST = "model-00001-of-00002.safetensors";
    private static final String SECOND = "model-00002-of-00002.safetensors";

    @TempDir Path folder;

    @BeforeEach
    void shards() throws IOException {
        shard(FIRST, "a", "b");
        shard(SECOND, "c");
    }

    /** A shard with tensors of a byte each. */
    private void shard(String file, String... names) throws IOException {
        var json = new StringBuilder();
        for (int i = 0; i < names.length; i++) {
            json.append(i == 0 ? "{" : ",").append(entry(names[i], "U8", "[1]", i, i + 1));
        }
        Files.write(folder.resolve(file), RawFile.of(json + "}", names.length));
    }

    private Path index(String json) throws IOException {
        return Files.writeString(folder.resolve("model.safetensors.index.json"), json);
    }

    private Path weightMap(String... tensorsAndFiles) throws IOException {
        var json = new StringBuilder("{\"metadata\":{\"total_size\":3},\"weight_map\":{");
        for (int i = 0; i < tensorsAndFiles.length; i += 2) {
            json.append(i == 0 ? "" : ",")
                    .append("\"%s\":\"%s\"".formatted(tensorsAndFiles[i], tensorsAndFiles[i + 1]));
        }
        return index(json + "}}");
    }

    private static SafetensorsException refusal(Path file) {
        return assertThrows(
                SafetensorsException.class, () -> Safetensors.open(file, LoadMode.READ).close());
    }

    @Test
    void shardsAreOneCheckpoint() throws IOException {
        var file = weightMap("a", FIRST, "b", FIRST, "c", SECOND);
        try (var checkpoint = Safetensors.open(file, LoadMode.READ)) {
            assertEquals(file, checkpoint.path());
            assertEquals(Set.of("a", "b", "c"), checkpoint.names());
            assertEquals(3, checkpoint.tensorBytes());
            assertEquals(2, checkpoint.headers().size());
            assertEquals(folder.resolve(SECOND), checkpoint.info("c").file());
            assertEquals(
                    Kind.NO_SUCH_TENSOR,
                    assertThrows(SafetensorsException.class, () -> checkpoint.info("d")).kind());
        }
    }

    @Test
    void shardsMayBeLinksOutOfTheFolder() throws IOException {
        var blob =
                Files.move(
                        folder.resolve(FIRST),
                        folder.resolveSibling(folder.getFileName() + "-blob"));
        try {
            Files.createSymbolicLink(folder.resolve(FIRST), blob);
            var file = weightMap("a", FIRST, "b", FIRST, "c", SECOND);
            try (var checkpoint = Safetensors.open(file, LoadMode.READ)) {
                assertEquals(3, checkpoint.names().size());
            }
        } finally {
            Files.delete(blob);
        }
    }

    @Test
    void missingShardsAndTensorsAreReportedTogether() throws IOException {
        var error =
                refusal(
                        weightMap(
                                "a",
                                FIRST,
                                "x",
                                FIRST,
                                "y",
                                "model-00003.safetensors",
                                "z",
                                "model-00004.safetensors"));
        assertEquals(Kind.MISSING_SHARD, error.kind());
        for (var part :
                List.of(
                        "missing shards \"model-00003.safetensors\", \"model-00004.safetensors\"",
                        "not in the shard the index names \"x\"",
                        "tensors that the index does not name \"b\"")) {
            assertTrue(error.getMessage().contains(part), error.getMessage());
        }
    }

    @Test
    void tensorInAnotherShardThanTheIndexSays() throws IOException {
        var error = refusal(weightMap("a", FIRST, "b", SECOND, "c", SECOND));
        assertEquals(Kind.INDEX_MISMATCH, error.kind());
        assertTrue(error.getMessage().contains("the index names \"b\""), error.getMessage());
    }

    @Test
    void tensorThatTheIndexDoesNotName() throws IOException {
        assertEquals(Kind.INDEX_MISMATCH, refusal(weightMap("a", FIRST, "c", SECOND)).kind());
    }

    @Test
    void tensorInTwoShards() throws IOException {
        shard(SECOND, "c", "a");
        var error = refusal(weightMap("a", FIRST, "b", FIRST, "c", SECOND));
        assertEquals(Kind.DUPLICATE_ACROSS_SHARDS, error.kind());
        assertEquals("a", error.tensor().orElseThrow());
    }

    @Test
    void malformedShardIsNamed() throws IOException {
        Files.write(folder.resolve(SECOND), new byte[3]);
        var error = refusal(weightMap("a", FIRST, "b", FIRST, "c", SECOND));
        assertEquals(Kind.FILE_TOO_SHORT, error.kind());
        assertEquals(folder.resolve(SECOND), error.file());
    }

    @Test
    void wrongTotalSizeIsNoReasonToRefuse() throws IOException {
        var file =
                index(
                        "{\"metadata\":{\"total_size\":999},\"weight_map\":{\"a\":\"%s\",\"b\":\"%s\",\"c\":\"%s\"}}"
                                .formatted(FIRST, FIRST, SECOND));
        assertEquals(OptionalLong.of(999), ShardIndex.read(file).totalSize());
        Safetensors.open(file, LoadMode.READ).close();
    }

    @Test
    void otherMetadataIsFree() throws IOException {
        var file =
                index(
                        " {\"weight_map\":{\"a\":\"s.safetensors\"},\"more\":[{}],"
                                + "\"metadata\":{\"total_size\":1.5e9,\"deep\":[[{\"a\":[]}]]}}\n");
        assertEquals(OptionalLong.empty(), ShardIndex.read(file).totalSize());
        assertEquals(Set.of("s.safetensors"), ShardIndex.read(file).shards());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "../model.safetensors",
                "/etc/passwd",
                "sub/model.safetensors",
                "sub\\\\model.safetensors",
                "..\\\\model.safetensors",
                "C:model.safetensors",
                "C:\\\\model.safetensors",
                "model\\u0000.safetensors",
                "model\\n.safetensors",
                "..",
                ".",
                "",
                "a..b"
            })
    void shardNamesThatAreNotBare(String name) throws IOException {
        var error = refusal(weightMap("a", name));
        assertEquals(Kind.INDEX_FILE_NAME, error.kind());
        assertEquals("a", error.tensor().orElseThrow());
    }

    /** In some locales, Java has no path of that name, and its own exception for it. */
    @Test
    void shardNamesThatTheLocaleLacks() throws IOException {
        assertEquals(Kind.MISSING_SHARD, refusal(weightMap("a", "\u00e9\ud83d\ude00")).kind());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{}|INDEX_MALFORMED",
                "{\"metadata\":{}}|INDEX_MALFORMED",
                "{\"weight_map\":null}|INDEX_MALFORMED",
                "{\"weight_map\":[\"a\"]}|INDEX_MALFORMED",
                "{\"weight_map\":{\"a\":1}}|INDEX_MALFORMED",
                "{\"weight_map\":{\"a\":[\"s.safetensors\"]}}|INDEX_MALFORMED",
                "{\"weight_map\":{},\"weight_map\":{}}|DUPLICATE_FIELD",
                "{\"weight_map\":{\"a\":\"s.safetensors\",\"a\":\"s.safetensors\"}}|DUPLICATE_NAME",
                "{\"weight_map\":{\"a\":\"pytorch_model-00001.bin\"}}|PICKLE",
                "{\"weight_map\":{\"\\ud800\":\"s.safetensors\"}}|LONE_SURROGATE",
                "{\"metadata\":{\"total_size\":-1},\"weight_map\":{}}|NEGATIVE_NUMBER",
                "[]|WRONG_TYPE",
                "``|WRONG_TYPE",
                "{\"weight_map\":{}|MALFORMED_JSON",
                "{\"weight_map\":{}} x|TRAILING_CONTENT",
                "\ufeff{\"weight_map\":{}}|BYTE_ORDER_MARK"
            })
    void malformedIndexes(String json, Kind kind) throws IOException {
        assertEquals(kind, refusal(index(json)).kind());
    }

    @Test
    void endlesslyNestedIndex() throws IOException {
        assertEquals(Kind.TOO_DEEP, refusal(index("{\"metadata\":" + "[".repeat(100_000))).kind());
    }

    @Test
    void endlesslyLongIndex() throws IOException {
        assertEquals(
                Kind.HEADER_TOO_LARGE,
                refusal(index("{\"weight_map\":{}}" + " ".repeat(32_000_000))).kind());
    }

    @Test
    void nameWithoutADotIsNoExtension() throws IOException {
        assertEquals(Kind.MISSING_SHARD, refusal(weightMap("a", "bin")).kind());
    }

    @Test
    void indexThatIsNotUtf8() throws IOException {
        var file = folder.resolve("model.safetensors.index.json");
        Files.write(file, new byte[] {'{', '"', (byte) 0xff, '"', ':', '1', '}'});
        assertEquals(Kind.INVALID_UTF8, refusal(file).kind());
    }

    @ParameterizedTest
    @CsvSource({
        "m.safetensors,                    ,     m.safetensors,                     false",
        "m.safetensors.index.json,         ,     m.safetensors.index.json,          false",
        "m.safetensors m.safetensors.index.json, , m.safetensors,                   false",
        "m.fp16.safetensors m.safetensors, fp16, m.fp16.safetensors,                true",
        "m.fp16.safetensors m.safetensors, ,     m.safetensors,                     false",
        "m.safetensors.index.fp16.json m.safetensors, fp16, m.safetensors.index.fp16.json, true",
        "m.safetensors.fp16.index.json m.safetensors, fp16, m.safetensors.fp16.index.json, true",
        "m.safetensors,                    fp16, m.safetensors,                     false",
        "m.safetensors.index.json,         fp16, m.safetensors.index.json,          false"
    })
    void weightsAreFoundByTheHubsNames(
            String files, String variant, String found, boolean isVariant) throws IOException {
        for (var file : files.split(" ")) {
            Files.writeString(folder.resolve(file), "");
        }
        assertEquals(
                new WeightFiles(folder.resolve(found), isVariant),
                WeightFiles.find(folder, "m", variant));
    }

    @ParameterizedTest
    @CsvSource({
        "m.fp16.safetensors,                                               fp16",
        "m.safetensors.index.fp16.json m.fp16-00001-of-00002.safetensors,  fp16",
        "m.safetensors.fp16.index.json m-00001-of-00002.fp16.safetensors,  fp16",
        "m.bf16.safetensors m.non_ema.safetensors other.fp16.safetensors,  bf16"
    })
    void otherVariantsAreNamed(String files, String variant) throws IOException {
        for (var file : files.split(" ")) {
            Files.writeString(folder.resolve(file), "");
        }
        Files.writeString(folder.resolve("m.bin"), "");
        assertEquals(variant, WeightFiles.variants(folder, "m").first());
        for (String asked : new String[] {null, "fp8"}) {
            var error =
                    assertThrows(
                            SafetensorsException.class, () -> WeightFiles.find(folder, "m", asked));
            assertEquals(Kind.OTHER_VARIANT, error.kind());
            assertTrue(
                    error.getMessage().contains("give --variant " + variant), error.getMessage());
        }
    }

    @Test
    void theWholeFilesAndTheIndexAreNoVariant() throws IOException {
        Files.writeString(folder.resolve("model.safetensors"), "");
        weightMap("a", FIRST);
        assertEquals(Set.of(), WeightFiles.variants(folder, "model"));
        assertEquals(Set.of(), WeightFiles.variants(folder.resolve("absent"), "model"));
    }

    @Test
    void shardsWithoutAnIndexSaySo() {
        var error =
                assertThrows(
                        SafetensorsException.class, () -> WeightFiles.find(folder, "model", null));
        assertTrue(
                error.getMessage().contains("shards, but not model.safetensors.index.json"),
                error.getMessage());
    }

    private static void assertUnfinished(Path file, Executable action) {
        var error = assertThrows(SafetensorsException.class, action);
        assertEquals(Kind.UNFINISHED_DOWNLOAD, error.kind());
        assertTrue(error.getMessage().contains("download unfinished: " + file), error.getMessage());
    }

    @Test
    void aLinkThatLeadsNowhereIsAnUnfinishedDownload() throws IOException {
        var blob = folder.resolve("blobs/0123");
        var file = Files.createSymbolicLink(folder.resolve("m.fp16.safetensors"), blob);
        Files.writeString(folder.resolve("m.safetensors"), ""); // must not take its place
        assertUnfinished(file, () -> WeightFiles.find(folder, "m", "fp16"));
        assertUnfinished(file, () -> Safetensors.open(file, LoadMode.READ));
        assertUnfinished(file, () -> SafetensorsHeader.read(file));
        assertUnfinished(file, () -> Inspection.of(folder));
    }

    @Test
    void aShardMayBeUnfinished() throws IOException {
        var index = weightMap("a", FIRST, "b", FIRST, "c", SECOND);
        var second = folder.resolve(SECOND);
        Files.createDirectory(folder.resolve("blobs"));
        Files.move(second, folder.resolve("blobs/0123.incomplete"));
        Files.createSymbolicLink(second, folder.resolve("blobs/0123.incomplete"));
        assertUnfinished(second, () -> Safetensors.open(index, LoadMode.READ));
    }

    @Test
    void aFileThatACacheStillFetchesIsUnfinished() throws IOException {
        var part = Files.createDirectories(folder.resolve("hub/snapshots/abc/vae"));
        var blob = Files.createDirectories(folder.resolve("hub/blobs")).resolve("01.incomplete");
        assertEquals(Kind.MISSING_FILE, missing(part).kind());
        Files.writeString(blob, "");
        assertEquals(Kind.UNFINISHED_DOWNLOAD, missing(part).kind());
        assertEquals(Kind.UNFINISHED_DOWNLOAD, missing(part.resolve("absent")).kind());
    }

    private static SafetensorsException missing(Path folder) {
        return assertThrows(SafetensorsException.class, () -> WeightFiles.find(folder, "m", null));
    }

    @Test
    void absentWeightsAreExplained() throws IOException {
        var absent =
                assertThrows(
                        SafetensorsException.class, () -> WeightFiles.find(folder, "m", "fp16"));
        assertEquals(Kind.MISSING_FILE, absent.kind());
        assertTrue(absent.getMessage().contains("neither m.safetensors nor m.safetensors.index"));
        Files.writeString(folder.resolve("pytorch_model.bin"), "");
        var pickle =
                assertThrows(SafetensorsException.class, () -> WeightFiles.find(folder, "m", null));
        assertEquals(Kind.PICKLE, pickle.kind());
        var noFolder = folder.resolve("absent");
        assertEquals(
                Kind.MISSING_FILE,
                assertThrows(
                                SafetensorsException.class,
                                () -> WeightFiles.find(noFolder, "m", null))
                        .kind());
        assertThrows(
                IllegalArgumentException.class, () -> WeightFiles.find(folder, "m", "../other"));
    }
}
