package dev.darkroom.runtime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.Kernels.Way;
import dev.darkroom.runtime.Kernels.Work;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicInteger;

/** The choice; {@link SixteenBitsTest} is about what follows from it. */
class KernelsTest {
    private static final String AVX2 = "fma avx avx2 f16c";
    private static final String AVX512 = AVX2 + " avx512f avx512bw avx512vl avx512dq avx512_vnni";
    private static final String ZEN4 = AVX512 + " avx512_bf16";
    private static final String SAPPHIRE = ZEN4 + " avx512_fp16 amx_bf16 amx_tile amx_int8";
    private static final String GRANITE = SAPPHIRE + " amx_fp16";

    private static MachineKernels machine(
            String architecture, String instructions, boolean mkl, boolean blocks, String limit) {
        var processor = new Processor("any", architecture, Set.of(instructions.split(" ")));
        return new MachineKernels(
                processor,
                true,
                mkl,
                blocks,
                false,
                MachineKernels.limit(limit.isEmpty() ? null : limit, null));
    }

    /** "o" for own, "f" for float32, "b" for blocks, "?" for what is to be measured. */
    private static String decided(MachineKernels machine) {
        var text = new StringBuilder();
        for (DType type : List.of(DType.BFLOAT16, DType.FLOAT16)) {
            for (Work work : Work.values()) {
                Optional<Way> way = machine.decide(type, work);
                text.append(
                        way.map(each -> each.name().toLowerCase(Locale.ROOT).charAt(0))
                                .orElse('?'));
            }
            text.append(' ');
        }
        return text.toString().strip();
    }

    /** Products, convolutions, attention without and with gradients; bfloat16, then float16. */
    @ParameterizedTest
    @CsvSource({
        // instructions, MKL, blocks, ONEDNN_MAX_CPU_ISA, expected
        "AVX2, false, false, '', ffff ffff",
        "AVX512, false, false, '', ffff ffff",
        "ZEN4, false, false, '', ooff ffff",
        "ZEN4, false, false, ALL, ooff ffff",
        "ZEN4, false, false, AVX512_CORE_BF16, ooff ffff",
        "ZEN4, false, false, AVX512_CORE, ffff ffff",
        "ZEN4, false, false, avx2, ffff ffff",
        "ZEN4, true, false, '', oooo ff??",
        "AVX512, true, false, '', ff?? ff??",
        "SAPPHIRE, false, false, '', ooof ??ff",
        "SAPPHIRE, false, false, AVX512_CORE_AMX, ooof ??ff",
        "SAPPHIRE, false, false, AVX512_CORE_FP16, ooff ??ff",
        "SAPPHIRE, false, false, AVX512_CORE_BF16, ooff ffff",
        "SAPPHIRE, false, false, AVX2_VNNI_2, ffff ffff",
        "GRANITE, false, false, '', ooof ooof",
        "GRANITE, false, false, AVX512_CORE_AMX, ooof ??ff",
        "GRANITE, true, false, '', oooo ooo?",
        "GRANITE, false, false, AVX512_CORE_AMX_FP16, ooof ooof",
        "AVX512, false, true, '', ffff ffff",
        "ZEN4, false, true, '', oobf ffff",
        "ZEN4, true, true, '', oobo ff??",
        "ZEN4, false, true, AVX512_CORE_BF16, oobf ffff",
        "ZEN4, false, true, AVX512_CORE, ffff ffff",
        "SAPPHIRE, false, true, '', ooof ??ff",
        "SAPPHIRE, false, true, AVX512_CORE_FP16, oobf ??ff"
    })
    void instructionsDecide(
            String cpu, boolean mkl, boolean blocks, String limit, String expected) {
        assertEquals(expected, decided(machine("amd64", instructions(cpu), mkl, blocks, limit)));
    }

    private static String instructions(String cpu) {
        return switch (cpu) {
            case "AVX2" -> AVX2;
            case "AVX512" -> AVX512;
            case "ZEN4" -> ZEN4;
            case "SAPPHIRE" -> SAPPHIRE;
            default -> GRANITE;
        };
    }

    @Test
    void whatIsNotKnownIsMeasured() {
        assertEquals("???? ????", decided(machine("aarch64", "asimd bf16", false, false, "")));
        var silent =
                new MachineKernels(
                        new Processor("any", "amd64", Set.of()), true, false, false, false, null);
        assertEquals("???? ????", decided(silent));
        var bare =
                new MachineKernels(
                        new Processor("any", "amd64", Set.of(ZEN4.split(" "))),
                        false,
                        false,
                        false,
                        false,
                        null);
        assertEquals("ffff ffff", decided(bare));
    }

    @ParameterizedTest
    @CsvSource({
        // instructions, ONEDNN_MAX_CPU_ISA, in bfloat16 with and without
        "AVX2, '', WINOGRAD, FLOAT32",
        "ZEN4, '', WINOGRAD, OWN",
        "SAPPHIRE, '', OWN, OWN",
        "SAPPHIRE, AVX512_CORE_FP16, WINOGRAD, OWN"
    })
    void convolutionsAreTheShimsWhereItHasThem(String cpu, String limit, Way shims, Way libtorchs) {
        for (boolean winograd : new boolean[] {true, false}) {
            var machine =
                    new MachineKernels(
                            new Processor("any", "amd64", Set.of(instructions(cpu).split(" "))),
                            true,
                            false,
                            false,
                            winograd,
                            MachineKernels.limit(limit, null));
            assertEquals(
                    Optional.of(winograd ? Way.WINOGRAD : Way.OWN),
                    machine.decide(DType.FLOAT32, Work.CONVOLUTIONS));
            assertEquals(
                    Optional.of(winograd ? shims : libtorchs),
                    machine.decide(DType.BFLOAT16, Work.CONVOLUTIONS));
            assertNotEquals(
                    Optional.of(Way.WINOGRAD), machine.decide(DType.FLOAT16, Work.CONVOLUTIONS));
        }
    }

    @Test
    void theOldNameOfTheLimitCountsWhereTheNewOneIsNotSet() {
        assertEquals("AVX2", MachineKernels.limit(null, " avx2"));
        assertEquals("AVX512_CORE", MachineKernels.limit("avx512_core", "avx2"));
        assertEquals(null, MachineKernels.limit("default", "avx2"));
    }

    @Test
    void readsWhatTheSystemSaysOfTheProcessor() {
        var lines =
                List.of(
                        "processor\t: 0",
                        "model name\t: Some CPU @ 2:4 GHz",
                        "flags\t\t: fpu AVX2  avx512_bf16",
                        "");
        var processor = Processor.read(lines, "amd64");
        assertEquals("Some CPU @ 2:4 GHz", processor.name());
        assertEquals(
                new TreeSet<>(List.of("fpu", "avx2", "avx512_bf16")), processor.instructions());
        var unknown = Processor.read(List.of(), "aarch64");
        assertEquals("aarch64", unknown.name());
        assertEquals(Set.of(), unknown.instructions());
    }

    @Test
    void aChoiceIsWrittenAsItIsRead() {
        var own = parse("own");
        assertEquals(own, parse(own.toString()));
        assertEquals(Way.OWN, own.way(DType.FLOAT16, Work.CONVOLUTIONS));
        var blocks = parse("own,bfloat16.attention=blocks");
        assertEquals(Way.BLOCKS, blocks.way(DType.BFLOAT16, Work.ATTENTION));
        assertEquals(blocks, parse(blocks.toString()));
        var mixed = parse(" Float32 , bfloat16.products=own");
        assertEquals(Way.OWN, mixed.way(DType.BFLOAT16, Work.PRODUCTS));
        assertEquals(Way.FLOAT32, mixed.way(DType.FLOAT16, Work.PRODUCTS));
        assertEquals(Way.FLOAT32, mixed.way(DType.BFLOAT16, Work.ATTENTION));
        assertEquals(mixed, parse(mixed.toString()));
        assertEquals(mixed.hashCode(), parse(mixed.toString()).hashCode());
        assertNotEquals(own, mixed);
        assertEquals(9, Arrays.asList(mixed.toString().split(",")).size());
        assertEquals(Way.OWN, mixed.way(DType.FLOAT32, Work.CONVOLUTIONS));
        var winograd = parse("own,float32.convolutions=winograd,bfloat16.convolutions=winograd");
        assertEquals(Way.WINOGRAD, winograd.way(DType.FLOAT32, Work.CONVOLUTIONS));
        assertEquals(Way.WINOGRAD, winograd.way(DType.BFLOAT16, Work.CONVOLUTIONS));
        assertEquals(winograd, parse(winograd.toString()));
    }

    @ParameterizedTest
    @CsvSource({
        "own, own, false",
        "own, float32, true",
        "own, winograd, false",
        "float32, winograd, true",
        "float32, own, false"
    })
    void convolutionsThatWinogradDoesNotKnowAreComputedAsProductsAre(
            String products, String convolutions, boolean cast) {
        var kernels =
                parse(
                        "own,bfloat16.products=%s,bfloat16.convolutions=%s"
                                .formatted(products, convolutions));
        assertEquals(cast, kernels.castsFor(DType.BFLOAT16, Work.CONVOLUTIONS));
    }

    private static Kernels parse(String text) {
        return Kernels.parse(
                text,
                (type, work) -> {
                    throw new AssertionError("nothing is left out");
                });
    }

    @Test
    void whatIsLeftOutIsTheMachines() {
        var asked = new HashSet<String>();
        var kernels =
                Kernels.parse(
                        "bfloat16.attention=own,float16.products=own",
                        (type, work) -> {
                            asked.add(type + " " + work);
                            return Way.FLOAT32;
                        });
        assertEquals(
                Set.of(
                        "bfloat16 PRODUCTS",
                        "bfloat16 CONVOLUTIONS",
                        "float16 CONVOLUTIONS",
                        "float16 ATTENTION",
                        "bfloat16 ATTENTION_GRADIENTS",
                        "float16 ATTENTION_GRADIENTS",
                        "float32 CONVOLUTIONS"),
                asked);
        assertEquals(Way.OWN, kernels.way(DType.BFLOAT16, Work.ATTENTION));
        assertEquals(Way.FLOAT32, kernels.way(DType.BFLOAT16, Work.PRODUCTS));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "fast",
                "bfloat16=own",
                "float32.attention=own",
                "bfloat16.softmax=own",
                "bfloat16.attention=fast",
                "blocks",
                "bfloat16.products=blocks",
                "float16.attention=blocks",
                "winograd",
                "float16.convolutions=winograd",
                "bfloat16.products=winograd",
                "float32.convolutions=float32",
                "bfloat16.attention=own=own",
                "own,"
            })
    void whatCannotBeUnderstoodIsNamed(String text) {
        var refusal = assertThrows(IllegalArgumentException.class, () -> Kernels.parse(text));
        String part = text.substring(text.indexOf(',') + 1);
        assertTrue(refusal.getMessage().contains("\"" + part + "\""), refusal::getMessage);
        assertTrue(refusal.getMessage().contains("-Ddarkroom.kernels"), refusal::getMessage);
    }

    @Test
    void otherTypesHaveNoChoice() {
        var refusal =
                assertThrows(
                        IllegalArgumentException.class,
                        () -> parse("own").way(DType.FLOAT32, Work.PRODUCTS));
        assertTrue(refusal.getMessage().contains("float32"), refusal::getMessage);
    }

    @Test
    void aMeasuredAnswerIsKept(@TempDir Path cache) throws IOException {
        withCache(
                cache,
                () -> {
                    var measured = new AtomicInteger();
                    for (int i = 0; i < 2; i++) {
                        // The second measurement would say otherwise.
                        Way way =
                                KernelMeasurement.kept(
                                        "key",
                                        DType.FLOAT16,
                                        Work.ATTENTION,
                                        (type, work) ->
                                                measured.getAndIncrement() == 0
                                                        ? Way.OWN
                                                        : Way.FLOAT32);
                        assertEquals(Way.OWN, way);
                    }
                    assertEquals(1, measured.get());
                    Path file = cache.resolve("kernels/key/float16-attention/way");
                    Files.writeString(file, "nonsense");
                    Way healed =
                            KernelMeasurement.kept(
                                    "key",
                                    DType.FLOAT16,
                                    Work.ATTENTION,
                                    (type, work) -> Way.FLOAT32);
                    assertEquals(Way.FLOAT32, healed);
                    assertEquals("FLOAT32", Files.readString(file).strip());
                });
    }

    @Test
    void anAnswerThatCannotBeKeptIsNotTaken(@TempDir Path folder) throws IOException {
        Path file = Files.writeString(folder.resolve("file"), "no folder");
        withCache(
                file,
                () ->
                        assertEquals(
                                Way.FLOAT32,
                                KernelMeasurement.kept(
                                        "key",
                                        DType.BFLOAT16,
                                        Work.PRODUCTS,
                                        (type, work) -> Way.OWN)));
    }

    @Test
    void aMachineThatDecidesNothingMeasures(@TempDir Path cache) throws IOException {
        withCache(
                cache,
                () -> {
                    var unknown = machine("unknown", "", false, false, "");
                    for (Work work : Work.values()) {
                        Way way = unknown.way(DType.BFLOAT16, work);
                        assertEquals(way, unknown.way(DType.BFLOAT16, work));
                    }
                    try (var kept = Files.walk(cache)) {
                        assertEquals(4, kept.filter(file -> file.endsWith("way")).count());
                    }
                });
    }

    private interface Action {
        void run() throws IOException;
    }

    private static void withCache(Path cache, Action work) throws IOException {
        Diagnosis.loaded(); // from the usual cache
        String before = System.getProperty("darkroom.cache");
        System.setProperty("darkroom.cache", cache.toString());
        try {
            work.run();
        } finally {
            if (before == null) {
                System.clearProperty("darkroom.cache");
            } else {
                System.setProperty("darkroom.cache", before);
            }
        }
    }
}
