package dev.darkroom.hub;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.hub.HubException.Kind;
import dev.darkroom.testing.FakeHub;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** What is downloaded from a hub that works, and how it lies in the cache. */
class HubTest extends WithFakeHub {
    @Test
    void whatIsNeededIsDownloadedInTheLayoutOfHuggingfaceHub() throws Exception {
        var model = tiny();
        var listener = new Record();
        Snapshot snapshot;
        try (Hub hub = hub()) {
            snapshot = hub.get(ID, listener);
        }
        assertSame(model, snapshot, NEEDED);
        assertEquals(
                storage().toRealPath().resolve("snapshots/" + model.commit), snapshot.folder());
        assertEquals(model.commit, Files.readString(storage().resolve("refs/main")));
        assertEquals(
                Path.of("../../../blobs/" + FakeHub.gitHash("{}".getBytes())),
                Files.readSymbolicLink(snapshot.folder().resolve("transformer/config.json")));
        assertEquals(NEEDED.size(), names(storage().resolve("blobs")).size());

        var last = listener.progress.getLast();
        assertEquals(last.totalSize(), last.totalBytes());
        assertEquals(listener.size, last.totalSize());
        assertEquals(
                NEEDED.stream().filter(path -> !path.equals("model_index.json")).toList(),
                List.copyOf(listener.started.keySet()));
        assertEquals(List.of(), listener.warnings);
    }

    /** The oldest checkpoints, of one network and a scheduler, have no folders. */
    @Test
    void partsWithoutFoldersLieBesideTheIndex() throws Exception {
        var model =
                server.model(ID.repository())
                        .add(
                                "model_index.json",
                                "{\"_class_name\":\"DDPMPipeline\","
                                        + "\"scheduler\":[\"diffusers\",\"DDPMScheduler\"],"
                                        + "\"unet\":[\"diffusers\",\"UNet2DModel\"]}")
                        .add("README.md", "# Old")
                        .add("config.json", "{}")
                        .add("scheduler_config.json", "{ }")
                        .add("diffusion_pytorch_model.bin", random(3_000, 1))
                        .add("diffusion_pytorch_model.safetensors", random(3_000, 2));
        try (Hub hub = hub()) {
            assertSame(
                    model,
                    hub.get(ID, new Record()),
                    List.of(
                            "config.json",
                            "diffusion_pytorch_model.safetensors",
                            "model_index.json",
                            "scheduler_config.json"));
        }
    }

    @Test
    void whatIsThereIsNotAskedForAgain() throws Exception {
        tiny();
        get(ID);
        server.requests.clear();
        get(ID);
        try (Hub hub = hub(options().withOffline(true))) {
            hub.get(ID, DownloadListener.NONE);
        }
        assertEquals(List.of(), server.requests);

        try (Hub hub = hub()) {
            hub.download(ID, CheckpointFiles.of(ID), DownloadListener.NONE);
        }
        assertEquals(List.of(), server.asked("/resolve/"));
    }

    @Test
    void aBranchThatMovedIsDownloadedAgainAndSharesWhatIsTheSame() throws Exception {
        var old = tiny();
        get(ID);
        server.requests.clear();
        server.models.clear();
        var moved = new FakeHub.Model("ab".repeat(20));
        moved.files.putAll(old.files);
        moved.add("vae/config.json", "{\"new\":1}");
        server.models.put(ID.repository(), moved);
        assertEquals(old.commit, get(ID).commit());
        try (Hub hub = hub()) {
            var snapshot = hub.download(ID, CheckpointFiles.of(ID), DownloadListener.NONE);
            assertSame(moved, snapshot, NEEDED);
        }
        assertEquals(1, server.asked("/resolve/").size());
        assertEquals(moved.commit, get(ID).commit());
        assertEquals(old.commit, get(ID.withRevision(old.commit)).commit());
    }

    @Test
    void aRevisionWithSlashesIsKeptUnderItsName() throws Exception {
        var model = tiny();
        get(ID.withRevision("refs/pr/1"));
        assertEquals(model.commit, Files.readString(storage().resolve("refs/refs/pr/1")));
        get(ID.withRevision(model.commit));
        assertEquals(List.of("refs/pr/1"), names(storage().resolve("refs")));
    }

    @Test
    void aVariantIsTakenWhereAPartHasIt() throws Exception {
        var model = tiny();
        var snapshot = get(ID.withVariant("fp16"));
        assertEquals(
                List.of(
                        "org/tiny: transformer does not have the variant fp16; its plain weights"
                                + " are taken"),
                snapshot.warnings());
        var expected =
                NEEDED.stream()
                        .map(
                                path ->
                                        path.equals("vae/diffusion_pytorch_model.safetensors")
                                                ? "vae/diffusion_pytorch_model.fp16.safetensors"
                                                : path)
                        .toList();
        assertSame(model, snapshot, expected);

        var missing = failure(ID.withVariant("bf16"));
        assertEquals(Kind.NO_WEIGHTS, missing.kind());
        assertEquals("org/tiny: no part has the variant bf16; there is fp16", missing.getMessage());
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "fp16 new", "fp16 old"})
    void shardsAreThoseOfTheIndex(String form) throws Exception {
        var model = tiny();
        String folder = "transformer/";
        String infix = form.isEmpty() ? "" : ".fp16";
        String index =
                switch (form) {
                    case "" -> "diffusion_pytorch_model.safetensors.index.json";
                    case "fp16 new" -> "diffusion_pytorch_model.safetensors.index.fp16.json";
                    default -> "diffusion_pytorch_model.safetensors.fp16.index.json";
                };
        String one = SHARDS.formatted(1, infix);
        String two = SHARDS.formatted(2, infix);
        model.files.remove(folder + "diffusion_pytorch_model.safetensors");
        model.add(folder + one, random(40_000, 11))
                .add(folder + two, random(41_000, 12))
                .add(folder + "diffusion_pytorch_model-00001-of-00009.safetensors", random(9, 13))
                .add(
                        folder + index,
                        "{\"weight_map\":{\"a\":\"%s\",\"b\":\"%s\",\"c\":\"%s\"}}"
                                .formatted(one, two, one));
        var snapshot = get(ID.withVariant(form.isEmpty() ? null : "fp16"));
        assertTrue(names(snapshot.folder()).containsAll(List.of(folder + one, folder + two)));
        assertTrue(names(snapshot.folder()).contains(folder + index));
        assertFalse(names(snapshot.folder()).toString().contains("of-00009"));
        assertFalse(names(snapshot.folder()).toString().contains(".bin"));
    }

    @Test
    void partsThatNothingUsesAreTakenOnlyWhenAskedFor() throws Exception {
        var model = tiny();
        String index = new String(model.bytes("model_index.json"), StandardCharsets.UTF_8);
        model.add(
                "model_index.json",
                index.replace(
                        "\"safety_checker\":[null,null]",
                        "\"safety_checker\":[\"a\",\"B\"],\"feature_extractor\":[\"a\",\"C\"]"));
        String weights = "safety_checker/model.safetensors";
        String config = "feature_extractor/preprocessor_config.json";
        model.add(weights, random(2000, 8)).add("safety_checker/config.json", "{}");
        model.add(config, "{\"a\":2}");
        assertSame(model, get(ID), NEEDED);
        try (Hub hub = hub()) {
            assertTrue(hub.cache().list().getFirst().isComplete());
            var every = CheckpointFiles.of(ID).withEveryPart();
            assertEquals(Optional.empty(), hub.cache().find(ID, every));
            Path folder = hub.get(ID, every, DownloadListener.NONE).folder();
            assertTrue(names(folder).containsAll(List.of(weights, config)));
        }
    }

    @Test
    void severalControlNetsAreTakenWithTheFirst() throws Exception {
        var model = tiny();
        String index = new String(model.bytes("model_index.json"), StandardCharsets.UTF_8);
        model.add(
                "model_index.json",
                index.replace(
                        "\"safety_checker\":[null,null]",
                        "\"controlnet\":[\"diffusers\",\"MultiControlNetModel\"]"));
        List<String> nets = new ArrayList<>(NEEDED);
        for (String folder : List.of("controlnet", "controlnet_1", "controlnet_2")) {
            String weights = folder + "/diffusion_pytorch_model.safetensors";
            model.add(weights, random(100, folder.length())).add(folder + "/config.json", "{}");
            nets.addAll(List.of(weights, folder + "/config.json"));
        }
        model.add("controlnet_4/config.json", "{}");
        assertSame(model, get(ID), nets.stream().sorted().toList());
    }

    @Test
    void picklesAreNeverTaken() throws Exception {
        var model = tiny();
        model.files.remove("transformer/diffusion_pytorch_model.safetensors");
        assertFails(
                Kind.NO_WEIGHTS,
                "the part transformer has its weights as pickles only, such as"
                        + " diffusion_pytorch_model.bin");
        assertEquals(List.of(), server.asked(".bin"));
        model.add("transformer/diffusion_pytorch_model.fp16.safetensors", random(2000, 3));
        assertFails(Kind.NO_WEIGHTS, "only as the variant fp16; ask for org/tiny:fp16");
    }

    @Test
    void anIndexThatNamesAPickleOrAnotherFolderIsRefused() throws Exception {
        var model = tiny();
        model.files.remove("transformer/diffusion_pytorch_model.safetensors");
        String index = "transformer/diffusion_pytorch_model.safetensors.index.json";
        for (String name : List.of("../vae/x.safetensors", "diffusion_pytorch_model.bin", "")) {
            model.add(index, "{\"weight_map\":{\"a\":\"%s\"}}".formatted(name));
            assertFails(Kind.NO_WEIGHTS, index + " can't be used");
        }
        for (String text : List.of("", "[]", "{\"weight_map\":{}}", "{\"weight_map\":7}", "{{")) {
            model.add(index, text);
            assertFails(Kind.NO_WEIGHTS, index + " can't be used");
        }
        model.add(index, "{\"weight_map\":{\"a\":\"gone.safetensors\"}}");
        assertFails(Kind.NO_WEIGHTS, "names gone.safetensors, which is not there");
    }

    @Test
    void aModelWithoutAnIndexIsOnePart() throws Exception {
        var model =
                server.model(ID.repository())
                        .add("config.json", "{}")
                        .add("README.md", "a")
                        .add("pytorch_lora_weights.safetensors", random(3000, 1))
                        .add("other.safetensors", random(3000, 2));
        assertSame(model, get(ID), List.of("config.json", "pytorch_lora_weights.safetensors"));
    }

    @Test
    void aLongListComesInPages() throws Exception {
        var model = tiny();
        model.pageSize = 3;
        assertSame(model, get(ID), NEEDED);
        assertEquals(5, server.asked("/tree/").size());
    }

    @Test
    void aSingleFileAndOneThatIsMissing() throws Exception {
        var model = tiny();
        try (Hub hub = hub()) {
            var repository = hub.repository(ID);
            Path file = hub.file(repository, "vae/config.json").orElseThrow();
            assertEquals("{ }", Files.readString(file));
            assertEquals(Optional.empty(), hub.file(repository, "vae/none.json"));
            assertEquals(
                    List.of(model.commit + "/vae/none.json"),
                    names(storage().resolve(".no_exist")));
        }
    }

    // ---- Headers ----

    private static byte[] safetensors(String header, int tensors) {
        byte[] text = header.getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate(8 + text.length + tensors)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(text.length)
                .put(text)
                .array();
    }

    private byte[] header(String path) throws IOException, InterruptedException {
        try (Hub hub = hub()) {
            var repository = hub.repository(ID);
            return hub.safetensorsHeader(repository, repository.file(path).orElseThrow());
        }
    }

    @Test
    void aHeaderIsReadByItsRangeAlone() throws Exception {
        String small = "{\"a\":1}";
        String large = "{\"a\":\"" + "x".repeat(300_000) + "\"}";
        tiny().add("small.safetensors", safetensors(small, 4_000_000))
                .add("large.safetensors", safetensors(large, 4_000_000));
        assertEquals(small, new String(header("small.safetensors"), StandardCharsets.UTF_8));
        assertEquals(
                List.of("bytes=0-131071"),
                server.asked("/resolve/").stream().map(each -> each.header("range")).toList());
        assertArrayEquals(large.getBytes(), header("large.safetensors"));
        // A server that knows no ranges sends the whole, which is not read to its end.
        server.change =
                (request, reply) ->
                        reply.status() == 206
                                ? FakeHub.Reply.of(200, safetensors(large, 4_000_000))
                                : reply;
        assertArrayEquals(large.getBytes(), header("large.safetensors"));
        assertEquals(List.of(), names(cache()));
    }

    @Test
    void aHeaderThatLiesIsRefused() throws Exception {
        var model = tiny();
        for (long length : new long[] {-1, 0, 1, 100_000_001, 2_000, Long.MAX_VALUE}) {
            model.add(
                    "x.safetensors",
                    ByteBuffer.allocate(1500)
                            .order(ByteOrder.LITTLE_ENDIAN)
                            .putLong(length)
                            .array());
            var e = assertThrows(HubException.class, () -> header("x.safetensors"));
            assertEquals(Kind.BAD_ANSWER, e.kind());
            assertTrue(e.getMessage().contains("x.safetensors is no safetensors file"));
        }
        model.add("x.safetensors", safetensors("[1]", 2000));
        assertThrows(HubException.class, () -> header("x.safetensors"));
        model.add("x.safetensors", "short");
        assertThrows(HubException.class, () -> header("x.safetensors"));
    }
}
