package dev.darkroom.training.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.concurrent.CountDownLatch;

class PictureLoaderTest {
    private static final Augmentation ALL =
            Augmentation.shorterSide(12)
                    .then(Augmentation.randomCrop(10))
                    .then(Augmentation.randomScaleShift(0.9, 1.1, 0.1))
                    .then(Augmentation.flip(0.5));

    @TempDir private Path folder;

    @AfterEach
    void noThreadIsLeft() {
        assertEquals(0, readers());
    }

    private static long readers() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().startsWith("darkroom-pictures"))
                .count();
    }

    private static PictureLoader.Options options(int threads, long cacheBytes) {
        return new PictureLoader.Options(4, 5, 3, threads, cacheBytes);
    }

    private static List<PictureBatch> read(PictureLoader loader, long from, int batches)
            throws IOException {
        var all = new ArrayList<PictureBatch>();
        loader.start(from);
        for (int i = 0; i < batches; i++) {
            all.add(loader.next());
        }
        return all;
    }

    private static void assertSame(List<PictureBatch> expected, List<PictureBatch> actual) {
        assertEquals(expected.size(), actual.size());
        for (int i = 0; i < expected.size(); i++) {
            assertEquals(expected.get(i).firstSample(), actual.get(i).firstSample());
            assertEquals(expected.get(i).examples(), actual.get(i).examples());
            assertArrayEquals(expected.get(i).pixels(), actual.get(i).pixels());
        }
    }

    @Test
    void batchesDependOnNeitherThreadsNorCacheNorWhereReadingBegan() throws IOException {
        var examples = TestPictures.folder(folder, 10, 20, 16).examples();
        try (var one = new PictureLoader(examples, ALL, options(1, 0));
                var three = new PictureLoader(examples, ALL, options(3, 0));
                var cached = new PictureLoader(examples, ALL, options(2, 1 << 20));
                var little = new PictureLoader(examples, ALL, options(2, 3000))) {
            var expected = read(one, 0, 12);
            assertSame(expected, read(three, 0, 12));
            assertSame(expected, read(cached, 0, 12));
            assertSame(expected, read(little, 0, 12));
            assertSame(expected.subList(7, 12), read(three, 28, 5));
            assertSame(expected.subList(2, 6), read(cached, 8, 4));
        }
    }

    @Test
    void aBatchGoesOnWithTheNextEpoch() throws IOException {
        var examples = TestPictures.folder(folder, 10, 6, 6).examples();
        var order = new Order(10, 5);
        try (var loader = new PictureLoader(examples, Augmentation.none(), options(2, 0))) {
            var shown = new ArrayList<String>();
            for (PictureBatch batch : read(loader, 0, 5)) {
                shown.addAll(TestPictures.names(batch));
                for (int i = 0; i < 4; i++) {
                    int index = order.index(batch.firstSample() + i);
                    assertEquals(examples.get(index), batch.examples().get(i));
                    // The picture is that of the example.
                    assertEquals((byte) (index * 7), batch.pixels()[3 * 6 * 6 * i]);
                }
            }
            assertEquals(10, new HashSet<>(shown.subList(0, 10)).size());
            assertEquals(10, new HashSet<>(shown.subList(10, 20)).size());
        }
    }

    @Test
    void anotherEpochIsAugmentedAnew() throws IOException {
        var examples = TestPictures.folder(folder, 1, 20, 16).examples();
        try (var loader =
                new PictureLoader(examples, ALL, new PictureLoader.Options(1, 5, 1, 1, 1 << 20))) {
            var distinct = new HashSet<List<Byte>>();
            for (PictureBatch batch : read(loader, 0, 20)) {
                var pixels = new ArrayList<Byte>();
                for (byte each : batch.pixels()) {
                    pixels.add(each);
                }
                distinct.add(pixels);
            }
            assertTrue(distinct.size() > 15);
        }
    }

    @Test
    void imagesAreFromMinusOneToOne() throws IOException {
        long live = Memory.liveTensors();
        var examples = TestPictures.folder(folder, 3, 5, 4).examples();
        try (var scope = TensorScope.open();
                var loader = new PictureLoader(examples, Augmentation.none(), options(1, 0))) {
            PictureBatch batch = read(loader, 0, 1).getFirst();
            Tensor images = batch.images();
            assertEquals(Memory.liveTensors(), live + 1);
            assertEquals(Shape.of(4, 3, 4, 5), images.shape());
            assertEquals(DType.FLOAT32, images.dtype());
            assertTrue(images.isContiguous());
            float[] values = images.toFloatArray();
            for (int n = 0, at = 0; n < 4; n++) {
                for (int channel = 0; channel < 3; channel++) {
                    for (int pixel = 0; pixel < 20; pixel++, at++) {
                        int value = batch.pixels()[3 * (20 * n + pixel) + channel] & 0xff;
                        assertEquals(value / 127.5f - 1, values[at], 1e-6);
                    }
                }
            }
            var extremes = new PictureBatch(0, examples.subList(0, 1), 1, 1, new byte[] {0, -1, 1});
            assertArrayEquals(
                    new float[] {-1, 1, 1 / 127.5f - 1}, extremes.images().toFloatArray());
        }
        assertEquals(live, Memory.liveTensors());
    }

    @Test
    void aBrokenPictureIsNamedHoweverOftenOneAsks() throws IOException {
        var examples = TestPictures.folder(folder, 10, 6, 6).examples();
        Files.write(folder.resolve("003.png"), new byte[] {1, 2, 3});
        try (var loader = new PictureLoader(examples, Augmentation.none(), options(2, 0))) {
            loader.start(0);
            for (int times = 0; times < 2; times++) {
                var refusal =
                        assertThrows(
                                DataException.class,
                                () -> {
                                    for (int i = 0; i < 3; i++) {
                                        loader.next();
                                    }
                                });
                assertTrue(refusal.getMessage().contains("003.png"), refusal.getMessage());
            }
        }
    }

    @Test
    void twoSizesInABatchAreNamed() throws IOException {
        TestPictures.folder(folder, 4, 6, 6);
        TestPictures.write(folder.resolve("002.png"), TestPictures.picture(2, 8, 6));
        var examples = PictureFolder.open(folder).examples();
        try (var loader = new PictureLoader(examples, Augmentation.none(), options(1, 0))) {
            loader.start(0);
            var refusal = assertThrows(DataException.class, loader::next);
            assertTrue(
                    refusal.getMessage().matches("(?s).*\\d×6 pixels, but .*\\.png of the same.*"),
                    refusal.getMessage());
            assertTrue(refusal.getMessage().contains("002.png"), refusal.getMessage());
        }
        try (var loader = new PictureLoader(examples, Augmentation.fit(6), options(1, 0))) {
            loader.start(0);
            assertEquals(6, loader.next().width());
        }
    }

    @Test
    void aPictureThatDoesNotSuitIsNamed() throws IOException {
        var examples = TestPictures.folder(folder, 1, 6, 6).examples();
        try (var loader = new PictureLoader(examples, Augmentation.randomCrop(7), options(1, 0))) {
            loader.start(0);
            var refusal = assertThrows(DataException.class, loader::next);
            assertTrue(
                    refusal.getMessage()
                            .endsWith(
                                    "000.png: a picture of 6×6 pixels is too small for a crop of"
                                            + " 7×7"),
                    refusal.getMessage());
        }
    }

    @Test
    void itIsStartedAndNotClosed() throws IOException {
        var examples = TestPictures.folder(folder, 2, 6, 6).examples();
        var loader = new PictureLoader(examples, Augmentation.none(), options(2, 0));
        assertThrows(IllegalStateException.class, loader::next);
        assertThrows(IllegalArgumentException.class, () -> loader.start(-1));
        loader.start(0);
        loader.close();
        loader.close();
        assertThrows(IllegalStateException.class, loader::next);
        assertThrows(IllegalStateException.class, () -> loader.start(0));
        assertThrows(
                IllegalArgumentException.class, () -> new PictureLoader.Options(0, 1, 1, 1, 0));
    }

    @Test
    void closingDoesNotWaitForWhatNobodyWants() throws IOException {
        var examples = TestPictures.folder(folder, 4, 200, 200).examples();
        var many = new PictureLoader.Options(100_000, 1, 2, 2, 0);
        var loader = new PictureLoader(examples, Augmentation.none(), many);
        loader.start(0);
        long begin = System.nanoTime();
        loader.close();
        assertTrue(System.nanoTime() - begin < 5_000_000_000L);
    }

    @Test
    void anInterruptDoesNotKeepItFromClosing() throws IOException {
        var examples = TestPictures.folder(folder, 4, 200, 200).examples();
        var loader = new PictureLoader(examples, Augmentation.none(), options(2, 0));
        loader.start(0);
        Thread.currentThread().interrupt();
        loader.close();
        assertEquals(0, readers());
        assertTrue(Thread.interrupted());
    }

    @Test
    void anInterruptLosesNoBatch() throws IOException {
        var examples = TestPictures.folder(folder, 2, 6, 6).examples();
        var gate = new CountDownLatch(1);
        var waiting =
                new Augmentation(
                        "waiting",
                        (picture, random) -> {
                            try {
                                gate.await();
                            } catch (InterruptedException e) {
                                throw new IllegalStateException(e);
                            }
                            return picture;
                        });
        try (var loader = new PictureLoader(examples, waiting, options(1, 0))) {
            loader.start(0);
            Thread.currentThread().interrupt();
            assertThrows(InterruptedIOException.class, loader::next);
            assertTrue(Thread.interrupted());
            gate.countDown();
            assertEquals(0, loader.next().firstSample());
        }
    }
}
