package dev.darkroom.training.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.pipeline.CancelledException;
import dev.darkroom.models.t5.T5Config;
import dev.darkroom.models.t5.T5Encoder;
import dev.darkroom.models.vae.AutoencoderKl;
import dev.darkroom.models.vae.AutoencoderKlConfig;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.runtime.safetensors.SafetensorsWriter;
import dev.darkroom.tokenizers.Tokenizer;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

class CachesTest {
    private static final Augmentation FIT = Augmentation.fit(8);
    private static final LatentCache.Options ONCE = new LatentCache.Options(1, 1, 4);

    @TempDir private Path folder;

    private final long before = Memory.liveTensors();
    private TensorScope scope;

    @BeforeEach
    void open() {
        scope = TensorScope.open();
    }

    @AfterEach
    void close() {
        scope.close();
        assertEquals(before, Memory.liveTensors());
    }

    /** Counts batches, and cancels before one. */
    private static final class Count implements CacheListener {
        private final int cancelAt;
        private int batches;
        private long done;
        private long total;

        Count(int cancelAt) {
            this.cancelAt = cancelAt;
        }

        @Override
        public void encoded(long done, long total) {
            batches++;
            this.done = done;
            this.total = total;
        }

        @Override
        public boolean isCancelled() {
            return batches == cancelAt;
        }
    }

    private static Count counting() {
        return new Count(-1);
    }

    // ---- Latents ----

    private static AutoencoderKl autoencoder(long seed, DType dtype) {
        var levels = List.of(false, false);
        var config =
                AutoencoderKlConfig.builder()
                        .downBlockAttention(levels)
                        .upBlockAttention(levels)
                        .blockOutChannels(List.of(8, 8))
                        .latentChannels(2)
                        .normGroups(4)
                        .scalingFactor(0.5)
                        .shiftFactor(0.1)
                        .forceUpcast(false)
                        .build();
        return Weights.random(seed, dtype, Device.CPU, w -> new AutoencoderKl(w, config));
    }

    private PictureFolder pictures() throws IOException {
        return TestPictures.folder(folder.resolve("pictures"), 10, 16, 16);
    }

    private LatentCache latents(
            PictureFolder pictures,
            Augmentation augmentation,
            AutoencoderKl autoencoder,
            LatentCache.Options options,
            CacheListener listener)
            throws IOException {
        return LatentCache.openOrMake(
                List.of(folder.resolve("cache/latents.safetensors")),
                pictures,
                augmentation,
                autoencoder,
                options,
                listener);
    }

    private static void assertClose(Tensor expected, Tensor actual) {
        assertEquals(expected.shape(), actual.shape());
        assertArrayEquals(expected.toFloatArray(), actual.toFloatArray(), 1e-5f);
    }

    @Test
    void latentsAreTheAutoencoders() throws IOException {
        var pictures = pictures();
        var count = counting();
        try (var autoencoder = autoencoder(1, DType.FLOAT32);
                var cache = latents(pictures, FIT, autoencoder, ONCE, count);
                var generator = new Generator(3);
                var loader =
                        new PictureLoader(
                                pictures.examples(),
                                FIT,
                                new PictureLoader.Options(10, 0, 1, 1, 0),
                                n -> new PictureLoader.Sample((int) n % 10, 0))) {
            assertEquals(3, count.batches);
            assertEquals(10, count.done);
            assertEquals(10, count.total);
            assertEquals(10, cache.rows());
            loader.start(0);
            var posterior = autoencoder.encode(loader.next().images());
            int[] all = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
            assertClose(autoencoder.scaled(posterior.mode()), cache.mean(all));
            assertClose(autoencoder.scaled(posterior.sample(generator)), drawn(cache, all));
            assertClose(
                    autoencoder.scaled(posterior.mode().narrow(0, 7, 1)),
                    cache.mean(new int[] {7}));
            assertEquals(Shape.of(3, 2, 4, 4), cache.mean(new int[] {2, 2, 0}).shape());
            assertThrows(IndexOutOfBoundsException.class, () -> cache.mean(new int[] {10}));
            assertThrows(IndexOutOfBoundsException.class, () -> cache.mean(new int[] {-1}));
        }
    }

    private static Tensor drawn(LatentCache cache, int[] rows) {
        try (var generator = new Generator(3)) {
            return cache.sample(rows, generator);
        }
    }

    @Test
    void variantsDifferAndRepeat() throws IOException {
        var pictures = pictures();
        var options = new LatentCache.Options(3, 1, 4);
        var crop = Augmentation.randomCrop(8);
        try (var autoencoder = autoencoder(1, DType.BFLOAT16);
                var cache = latents(pictures, crop, autoencoder, options, counting())) {
            assertEquals(30, cache.rows());
            assertEquals(3, cache.variants());
            float[] first = cache.mean(new int[] {0}).toFloatArray();
            assertFalse(Arrays.equals(first, cache.mean(new int[] {1}).toFloatArray()));
            Path again = folder.resolve("again.safetensors");
            // However large the batches are
            var others = new LatentCache.Options(3, 1, 4);
            try (var other =
                    LatentCache.openOrMake(
                            List.of(again),
                            pictures,
                            crop,
                            autoencoder,
                            others,
                            CacheListener.NONE)) {
                assertArrayEquals(first, other.mean(new int[] {0}).toFloatArray());
            }
            assertArrayEquals(
                    Files.readAllBytes(folder.resolve("cache/latents.safetensors")),
                    Files.readAllBytes(again));
        }
    }

    @Test
    void latentsAreMadeAgainOnlyIfSomethingChanged() throws IOException {
        var pictures = pictures();
        try (var autoencoder = autoencoder(1, DType.FLOAT32);
                var other = autoencoder(2, DType.FLOAT32)) {
            assertEquals(3, batches(pictures, FIT, autoencoder, ONCE));
            assertEquals(0, batches(pictures, FIT, autoencoder, ONCE));
            assertEquals(0, batches(pictures, FIT, autoencoder, new LatentCache.Options(1, 1, 7)));
            assertEquals(3, batches(pictures, Augmentation.pad(8), autoencoder, ONCE));
            assertEquals(3, batches(pictures, FIT, autoencoder, ONCE));
            assertEquals(3, batches(pictures, FIT, other, ONCE));
            assertEquals(3, batches(pictures, FIT, other, new LatentCache.Options(1, 2, 4)));
            assertEquals(5, batches(pictures, FIT, other, new LatentCache.Options(2, 2, 4)));
            TestPictures.write(
                    folder.resolve("pictures/004.png"), TestPictures.picture(77, 16, 16));
            assertEquals(5, batches(pictures, FIT, other, new LatentCache.Options(2, 2, 4)));
        }
    }

    @Test
    void latentsOfAnEarlierRunServe() throws IOException {
        var pictures = pictures();
        Path own = folder.resolve("own.safetensors");
        try (var autoencoder = autoencoder(1, DType.FLOAT32);
                var other = autoencoder(2, DType.FLOAT32)) {
            latents(pictures, FIT, autoencoder, ONCE, counting()).close();
            Path earlier = folder.resolve("cache/latents.safetensors");
            byte[] bytes = Files.readAllBytes(earlier);
            var count = counting();
            var files = List.of(own, earlier);
            try (var cache =
                    LatentCache.openOrMake(files, pictures, FIT, autoencoder, ONCE, count)) {
                assertEquals(10, cache.rows());
            }
            assertEquals(0, count.batches);
            assertFalse(Files.exists(own));
            LatentCache.openOrMake(files, pictures, FIT, other, ONCE, count).close();
            assertEquals(3, count.batches);
            assertTrue(Files.exists(own));
            assertArrayEquals(bytes, Files.readAllBytes(earlier));
        }
    }

    private int batches(
            PictureFolder pictures,
            Augmentation augmentation,
            AutoencoderKl autoencoder,
            LatentCache.Options options)
            throws IOException {
        var count = counting();
        latents(pictures, augmentation, autoencoder, options, count).close();
        return count.batches;
    }

    @Test
    void aCancelledCacheLeavesNothingBehind() throws IOException {
        var pictures = pictures();
        try (var autoencoder = autoencoder(1, DType.FLOAT32)) {
            assertThrows(
                    CancelledException.class,
                    () -> latents(pictures, FIT, autoencoder, ONCE, new Count(2)));
        }
        try (var files = Files.list(folder.resolve("cache"))) {
            assertEquals(0, files.count());
        }
        assertThrows(IllegalArgumentException.class, () -> new LatentCache.Options(0, 1, 1));
    }

    @Test
    void whatIsNoCacheIsNotReplaced() throws IOException {
        var pictures = pictures();
        Path file = Files.createDirectories(folder.resolve("cache")).resolve("latents.safetensors");
        try (var autoencoder = autoencoder(1, DType.FLOAT32)) {
            Files.writeString(file, "precious");
            assertNoCache(pictures, autoencoder);
            SafetensorsWriter.write(file, Map.of("x", Tensor.zeros(DType.FLOAT32, 1)), Map.of());
            assertNoCache(pictures, autoencoder);
        }
    }

    private void assertNoCache(PictureFolder pictures, AutoencoderKl autoencoder) {
        var refusal =
                assertThrows(
                        DataException.class,
                        () -> latents(pictures, FIT, autoencoder, ONCE, CacheListener.NONE));
        assertTrue(
                refusal.getMessage()
                        .endsWith("this is no cache of latents: delete it, or name another file"),
                refusal.getMessage());
    }

    // ---- Texts ----

    /** A letter a token. */
    private record Letters(int offset) implements Tokenizer {
        @Override
        public int[] encode(String text) {
            return text.chars().map(c -> (c + offset) % 20 + 1).toArray();
        }

        @Override
        public int[] content(String text) {
            return encode(text);
        }

        @Override
        public Tokens encode(String text, int maxLength) {
            return framed(encode(text), maxLength);
        }

        @Override
        public Tokens framed(int[] ids, int maxLength) {
            var mask = new boolean[maxLength];
            Arrays.fill(mask, 0, Math.min(ids.length, maxLength), true);
            return new Tokens(Arrays.copyOf(ids, maxLength), mask, ids.length);
        }

        @Override
        public int padId() {
            return 0;
        }

        @Override
        public int eosId() {
            return 0;
        }

        @Override
        public int size() {
            return 21;
        }

        @Override
        public int maxLength() {
            return Integer.MAX_VALUE;
        }

        @Override
        public String decode(int[] ids) {
            return Arrays.toString(ids);
        }
    }

    private static T5Encoder encoder(long seed) {
        var config =
                T5Config.builder()
                        .vocabSize(24)
                        .dModel(20)
                        .dKv(6)
                        .dFf(28)
                        .numLayers(2)
                        .numHeads(3)
                        .relativeAttentionNumBuckets(8)
                        .relativeAttentionMaxDistance(20)
                        .build();
        return Weights.random(seed, DType.FLOAT32, Device.CPU, w -> new T5Encoder(w, config));
    }

    private TextCache texts(
            List<String> captions,
            T5Encoder encoder,
            int offset,
            int length,
            CacheListener listener)
            throws IOException {
        return TextCache.openOrMake(
                folder.resolve("texts.safetensors"),
                captions,
                encoder,
                new Letters(offset),
                length,
                listener);
    }

    @Test
    void textStatesAreTheEncoders() throws IOException {
        var captions = List.of("a bee", "an ant", "a bee", "");
        try (var encoder = encoder(1);
                var cache = texts(captions, encoder, 0, 6, CacheListener.NONE)) {
            assertEquals(3, cache.size());
            var texts = cache.of(List.of("an ant", "a bee", "an ant"));
            assertEquals(Shape.of(3, 6, 20), texts.states().shape());
            assertArrayEquals(
                    new long[] {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1},
                    texts.mask().toLongArray());
            var tokens = new Letters(0).encode("a bee", 6);
            Tensor expected =
                    encoder.forward(
                            Tensor.copyOf(tokens.ids(), 1, 6).to(DType.INT64),
                            Tensor.copyOf(tokens.mask(), 1, 6));
            assertClose(expected, texts.states().narrow(0, 1, 1));
            var refusal =
                    assertThrows(IllegalArgumentException.class, () -> cache.of(List.of("a wasp")));
            assertEquals("the cache does not have the caption \"a wasp\"", refusal.getMessage());
        }
    }

    @Test
    void cachesMayBeClosedTwice() throws IOException {
        try (var encoder = encoder(1)) {
            var cache = texts(List.of("a bee"), encoder, 0, 4, counting());
            cache.close();
            cache.close();
        }
    }

    @Test
    void textStatesAreMadeAgainOnlyIfSomethingChanged() throws IOException {
        var captions = List.of("a bee", "an ant");
        try (var encoder = encoder(1);
                var other = encoder(2)) {
            assertEquals(1, made(captions, encoder, 0, 6));
            assertEquals(0, made(captions.reversed(), encoder, 0, 6));
            assertEquals(1, made(captions, other, 0, 6));
            assertEquals(1, made(captions, other, 1, 6));
            assertEquals(1, made(captions, other, 1, 7));
            assertEquals(1, made(List.of("a bee"), other, 1, 7));
            assertThrows(
                    CancelledException.class, () -> texts(captions, other, 1, 7, new Count(0)));
            assertEquals(0, made(List.of("a bee"), other, 1, 7));
            assertThrows(
                    IllegalArgumentException.class,
                    () -> texts(List.of(), other, 1, 7, CacheListener.NONE));
        }
    }

    private int made(List<String> captions, T5Encoder encoder, int offset, int length)
            throws IOException {
        var count = counting();
        texts(captions, encoder, offset, length, count).close();
        return count.batches;
    }
}
