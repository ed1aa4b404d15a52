package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.pipeline.CancelledException;
import dev.darkroom.models.pipeline.Picture;
import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineException;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleMonitor;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.models.pipeline.SampleResult;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Kernels;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Tensor;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;

/** How pipelines behave as services use them. */
class PipelineTest {
    private static Pipeline pixart;

    @BeforeAll
    static void load() {
        pixart = load("pixart_alpha");
    }

    @AfterAll
    static void close() {
        pixart.close();
    }

    private static Pipeline load(String name) {
        return Pipeline.load(Cases.named(name).resolve("model"), PipelineOptions.defaults());
    }

    private static SampleRequest.Builder small(String prompt) {
        return SampleRequest.builder()
                .prompt(prompt)
                .steps(3)
                .width(16)
                .height(16)
                .maxTokens(24)
                .binning(false);
    }

    private static int hash(SampleResult result) {
        return Arrays.hashCode(result.pictures().getFirst().rgb());
    }

    @Test
    void eightVirtualCallersGetTheSequentialPictures() throws Exception {
        List<Integer> expected = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            expected.add(hash(pixart.sample(small("cat " + i).seed(i).build())));
        }
        assertEquals(8, expected.stream().distinct().count());
        long before = Memory.liveTensors();
        List<Future<Integer>> callers = new ArrayList<>();
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            for (int i = 0; i < 8; i++) {
                var request = small("cat " + i).seed(i).build();
                callers.add(threads.submit(() -> hash(pixart.sample(request))));
            }
        }
        List<Integer> actual = new ArrayList<>();
        for (Future<Integer> caller : callers) {
            actual.add(caller.get());
        }
        assertEquals(expected, actual);
        assertEquals(before, Memory.liveTensors());
    }

    @Test
    void pictureOfABatchIsTheOneOfItsSeed() {
        List<Picture> batch = pixart.sample(small("a dog").seed(5).batch(3).build()).pictures();
        for (int i = 0; i < 3; i++) {
            Picture alone = pixart.sample(small("a dog").seed(5 + i).build()).pictures().getFirst();
            assertClose(alone, batch.get(i));
        }
        assertNotEquals(Arrays.hashCode(batch.get(0).rgb()), Arrays.hashCode(batch.get(1).rgb()));
    }

    /** Matrix products of other sizes round differently: at most one step of 255. */
    private static void assertClose(Picture expected, Picture actual) {
        assertEquals(expected.width(), actual.width());
        for (int i = 0; i < expected.rgb().length; i++) {
            int difference = Math.abs((expected.rgb()[i] & 0xff) - (actual.rgb()[i] & 0xff));
            assertTrue(difference <= 1, "pixels differ by " + difference);
        }
    }

    @Test
    void cancellationStopsWithinOneEvaluation() {
        var evaluations = new AtomicInteger();
        var monitor =
                new SampleMonitor() {
                    @Override
                    public void evaluated(int done, int total, Tensor latents, Tensor denoised) {
                        evaluations.set(done);
                    }

                    @Override
                    public boolean isCancelled() {
                        return evaluations.get() >= 2;
                    }
                };
        long before = Memory.liveTensors();
        assertThrows(
                CancelledException.class,
                () -> pixart.sample(small("a dog").steps(20).build(), monitor, null));
        assertEquals(2, evaluations.get());
        assertEquals(before, Memory.liveTensors());
    }

    @Test
    void interruptOfTheCallerCancels() throws Exception {
        var sampling = new CountDownLatch(1);
        var outcome = new AtomicReference<Throwable>();
        var interrupted = new AtomicReference<Boolean>();
        Thread caller =
                Thread.ofVirtual()
                        .start(
                                () -> {
                                    try {
                                        pixart.sample(
                                                small("a dog").steps(1000).build(),
                                                signalling(sampling),
                                                null);
                                    } catch (RuntimeException e) {
                                        outcome.set(e);
                                        interrupted.set(Thread.currentThread().isInterrupted());
                                    }
                                });
        assertTrue(sampling.await(30, TimeUnit.SECONDS));
        caller.interrupt();
        assertTrue(caller.join(java.time.Duration.ofSeconds(30)));
        assertEquals(CancelledException.class, outcome.get().getClass());
        assertTrue(interrupted.get());
    }

    private static SampleMonitor signalling(CountDownLatch latch) {
        return new SampleMonitor() {
            @Override
            public void evaluated(int done, int total, Tensor latents, Tensor denoised) {
                latch.countDown();
            }
        };
    }

    @Test
    void tellsOfEachEvaluationAndDecodesOnTheWay() {
        List<Integer> done = new ArrayList<>();
        List<Picture> previews = new ArrayList<>();
        var monitor =
                new SampleMonitor() {
                    @Override
                    public void evaluated(int count, int total, Tensor latents, Tensor denoised) {
                        assertEquals(5, total);
                        done.add(count);
                        previews.addAll(pixart.preview(denoised));
                    }
                };
        // Heun's method: two evaluations in each step but the last
        SampleResult result = pixart.sample(small("a dog").sampler("heun").build(), monitor, null);
        assertEquals(List.of(1, 2, 3, 4, 5), done);
        assertEquals(5, previews.size());
        assertEquals("heun", result.used().get("sampler"));
    }

    @Test
    void tellsWhatWasUsed() {
        SampleRequest request =
                SampleRequest.builder().prompt("a dog " + "x ".repeat(200)).steps(1).build();
        SampleResult result;
        try (var sigma = load("pixart_sigma")) {
            result = sigma.sample(request);
            assertEquals(
                    3,
                    sigma.hashWeights().keySet().stream()
                            .map(file -> file.substring(0, file.indexOf('/')))
                            .distinct()
                            .count());
        }
        assertEquals(request, result.request());
        assertEquals(4.5, result.used().get("guidanceScale"));
        assertEquals(300, result.used().get("maxTokens"));
        assertEquals("float32", result.used().get("dtype"));
        assertEquals(List.of(0L), result.used().get("seeds"));
        assertTrue(result.warnings().getFirst().contains("only the first 300"), result::toString);
        assertEquals(
                List.of("encode", "sample", "decode", "total"),
                List.copyOf(result.seconds().keySet()));
    }

    /** The ends are Python's white space, which Java's U+0085 is not. */
    @Test
    void aPromptIsStrippedAsPythonDoes() {
        int expected = hash(pixart.sample(small("red heart").build()));
        assertEquals(expected, hash(pixart.sample(small("\u0085red heart").build())));
        assertEquals(expected, hash(pixart.sample(small("\u001CRed Heart\u00A0").build())));
        assertNotEquals(expected, hash(pixart.sample(small("a red heart").build())));
    }

    @Test
    void moreTokensThanTheModelWasTrainedOnAreWarnedOf() {
        String longText = "a red heart on a blue background " + "and a cat ".repeat(10);
        try (var embedded = Pipeline.embedded()) {
            assertEquals(List.of(), embedded.sample(SampleRequest.of("a red heart")).warnings());
            var result = embedded.sample(SampleRequest.of(longText));
            assertEquals(120, result.used().get("maxTokens"));
            assertEquals(1, result.warnings().size(), result::toString);
            String warning = result.warnings().getFirst();
            assertTrue(warning.matches("the prompt has \\d+ tokens, more than the 16 .*"), warning);
        }
    }

    @Test
    void halfTypesGiveNearlyThePicture() {
        double[] difference = new double[1];
        Picture full = pixart.sample(small("a dog").build()).pictures().getFirst();
        try (var half =
                Pipeline.load(
                        Cases.named("pixart_alpha").resolve("model"),
                        PipelineOptions.defaults().withDtype(DType.BFLOAT16))) {
            var result = half.sample(small("a dog").build());
            assertEquals(Kernels.current().toString(), result.used().get("kernels"));
            Picture rounded = result.pictures().getFirst();
            for (int i = 0; i < full.rgb().length; i++) {
                difference[0] += Math.abs((full.rgb()[i] & 0xff) - (rounded.rgb()[i] & 0xff));
            }
        }
        assertTrue(difference[0] / full.rgb().length < 12, "mean difference " + difference[0]);
    }

    /** It is what guidance compares with, so that guidance has nothing to do. */
    @Test
    void theEmptyPromptIsATextLikeAnyOther() {
        List<Picture> pictures = new ArrayList<>();
        for (double guidance : new double[] {1, 9}) {
            SampleRequest request = small("").guidanceScale(guidance).build();
            pictures.add(pixart.sample(request).pictures().getFirst());
            assertClose(pictures.getFirst(), pictures.getLast());
        }
        Picture blank = pixart.sample(small("  ").guidanceScale(1.0).build()).pictures().getFirst();
        assertClose(pictures.getFirst(), blank);
        int dog = hash(pixart.sample(small("a dog").guidanceScale(1.0).build()));
        assertNotEquals(Arrays.hashCode(blank.rgb()), dog);
    }

    private static void assertUsed(Pipeline pipeline, String sampler, int steps, double guidance) {
        var used = pipeline.sample(small("a dog").steps(null).sampler(sampler).build()).used();
        assertEquals(steps, used.get("steps"), sampler);
        assertEquals(guidance, used.get("guidanceScale"), sampler);
    }

    @Test
    void stepsAndGuidanceAreTheCheckpointsWhateverTheSampler(@TempDir Path folder)
            throws IOException {
        for (String sampler : new String[] {null, "euler", "lcm"}) {
            assertUsed(pixart, sampler, 20, 4.5);
        }
        try (var student = load("pixart_lcm")) {
            for (String sampler : new String[] {null, "euler", "dpm++2m"}) {
                assertUsed(student, sampler, 4, 1);
            }
        }
        Path said = Cases.copyModel("pixart_alpha", folder);
        Files.writeString(said.resolve("darkroom.json"), "{\"steps\": 3, \"guidance_scale\": 2}");
        try (var pipeline = Pipeline.load(said, PipelineOptions.defaults())) {
            assertUsed(pipeline, null, 3, 2);
            assertUsed(pipeline, "lcm", 3, 2);
        }
        Files.writeString(said.resolve("darkroom.json"), "{\"steps\": 5}");
        try (var pipeline = Pipeline.load(said, PipelineOptions.defaults())) {
            assertUsed(pipeline, null, 5, 4.5);
        }
        Files.writeString(said.resolve("darkroom.json"), "{\"steps\": -1}");
        var error =
                assertThrows(
                        PipelineException.class,
                        () -> Pipeline.load(said, PipelineOptions.defaults()));
        assertTrue(error.getMessage().contains("darkroom.json"), error.getMessage());
    }

    @Test
    void picturesHaveTheSizeThatWasAskedFor() {
        try (var binning = load("pixart_binning")) {
            for (int[] size : new int[][] {{640, 480}, {100, 64}, {65, 333}}) {
                var request =
                        SampleRequest.builder()
                                .prompt("a dog")
                                .steps(1)
                                .width(size[0])
                                .height(size[1])
                                .build();
                Picture picture = binning.sample(request).pictures().getFirst();
                assertEquals(size[0], picture.width());
                assertEquals(size[1], picture.height());
            }
        }
    }

    @Test
    void requestsThatDoNotFitTheCheckpointSayWhy() {
        assertMessage(SampleRequest.builder().build(), "there is no prompt");
        assertMessage(small("x".repeat(100_000)).build(), "a prompt has at most 10000 characters");
        assertMessage(small("a dog").width(18).build(), "multiples of 4");
        assertMessage(small("a dog").sampler("nonsense").build(), "no sampler is called nonsense");
        assertMessage(small("a dog").classes(List.of("1")).build(), "takes a prompt, not a class");
        try (var dit = load("dit")) {
            assertMessage(dit, SampleRequest.of("a dog"), "draws classes and takes no prompt");
            assertMessage(dit, SampleRequest.builder().build(), "name one");
            assertMessage(
                    dit,
                    SampleRequest.builder().classes(List.of("unicorn")).build(),
                    "no class \"unicorn\"");
            assertMessage(
                    dit,
                    SampleRequest.builder().classes(List.of("1")).width(640).build(),
                    "the width can't be 640");
        }
        assertThrows(IllegalArgumentException.class, () -> small("a dog").steps(0).build());
        assertThrows(IllegalArgumentException.class, () -> small("a dog").steps(10_000).build());
        assertThrows(
                IllegalArgumentException.class,
                () -> small("a dog").guidanceScale(Double.NaN).build());
        assertThrows(IllegalArgumentException.class, () -> small("a dog").batch(0).build());
    }

    private static void assertMessage(SampleRequest request, String expected) {
        assertMessage(pixart, request, expected);
    }

    private static void assertMessage(Pipeline pipeline, SampleRequest request, String expected) {
        var error = assertThrows(PipelineException.class, () -> pipeline.sample(request));
        assertTrue(error.getMessage().contains(expected), error.getMessage());
    }

    @Test
    void aClosedPipelineSaysSoAndLeavesNothing() {
        long before = Memory.liveTensors();
        Pipeline closed = load("dit");
        assertTrue(Memory.liveTensors() > before);
        closed.close();
        assertEquals(before, Memory.liveTensors());
        var error =
                assertThrows(
                        IllegalStateException.class,
                        () -> closed.sample(SampleRequest.builder().classes(List.of("1")).build()));
        assertEquals("the pipeline is closed", error.getMessage());
    }
}
