package dev.darkroom.runtime;

import dev.darkroom.runtime.cache.Cache;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.function.BiFunction;

/**
 * How the CPU computes products, convolutions and attention in bfloat16 and float16: in their own
 * type, or in float32 with arguments and results cast; and attention in a third way. Which is
 * faster depends on the processor and on what libtorch was built with, by a factor of up to 30
 * either way, so it is chosen for the machine: by instructions where they decide, else by a
 * measurement that is kept in the {@link Cache}, so that every run on the machine computes the
 * same. Convolutions in float32 have a choice too.
 *
 * <p>Results agree within the rounding of the type, but not bit for bit. What else computes in
 * float32, in float64 or on another device is not concerned.
 *
 * <p>{@code -Ddarkroom.kernels} fixes the choice: {@code own} or {@code float32} for everything, or
 * parts of what {@link #toString} gives, such as {@code bfloat16.attention=float32}; the rest is
 * chosen for the machine. A program may call {@link #use} instead.
 */
public final class Kernels {
    /** A way of computing. */
    public enum Way {
        /** In the type of the arguments. */
        OWN,
        /** In float32; arguments and results are cast. */
        FLOAT32,
        /**
         * Attention in bfloat16 by the shim's operator, where the processor has AVX512_BF16, on
         * Linux: scores are computed in blocks. Attention that it doesn't know, with a mask or
         * heads of an odd width, is computed in float32.
         */
        BLOCKS,
        /**
         * Convolutions in float32 and bfloat16 by the shim's operator, with less than half of the
         * multiplications, or a quarter, in float32 (Lavin and Gray 2016, arXiv:1509.09308), on
         * Linux on processors with AVX2. Convolutions that it doesn't know, such as those with
         * another kernel than 3×3, and those that record gradients are libtorch's, in the way of
         * products.
         */
        WINOGRAD
    }

    /** What is computed. */
    public enum Work {
        /** Matrix products: linear layers, {@code matmul}, {@code bmm}; and their gradients. */
        PRODUCTS,
        /** Convolutions and their gradients. */
        CONVOLUTIONS,
        /** Attention without gradients, by libtorch's fused operator or the shim's. */
        ATTENTION,
        /** Attention that records gradients, by libtorch's fused operator, and its gradients. */
        ATTENTION_GRADIENTS
    }

    static final String PROPERTY = "darkroom.kernels";

    /** What there is a choice for. */
    private static final Map<DType, List<Work>> CHOICES = choices();

    private static Map<DType, List<Work>> choices() {
        Map<DType, List<Work>> choices = new EnumMap<>(DType.class);
        choices.put(DType.BFLOAT16, List.of(Work.values()));
        choices.put(DType.FLOAT16, List.of(Work.values()));
        choices.put(DType.FLOAT32, List.of(Work.CONVOLUTIONS));
        return choices;
    }

    private static volatile @Nullable Kernels current;

    private final Map<DType, Map<Work, Way>> ways;

    private Kernels(Map<DType, Map<Work, Way>> ways) {
        this.ways = ways;
    }

    /**
     * Returns the choice that operators follow. It is made on the first call, which loads libtorch.
     *
     * @throws IllegalArgumentException if {@code -Ddarkroom.kernels} can't be understood
     */
    public static Kernels current() {
        Kernels known = current;
        return known != null ? known : choose();
    }

    private static synchronized Kernels choose() {
        Kernels known = current;
        if (known == null) {
            known = parse(System.getProperty(PROPERTY, ""));
            current = known;
        }
        return known;
    }

    /** Makes operators that start later follow another choice, on all threads. */
    public static synchronized void use(Kernels kernels) {
        current = Objects.requireNonNull(kernels);
    }

    /**
     * Reads a choice.
     *
     * @param text as {@code -Ddarkroom.kernels} has it; what it leaves out is chosen for this
     *     machine, so that an empty text is the machine's choice
     * @throws IllegalArgumentException if it can't be understood
     */
    public static Kernels parse(String text) {
        Kernels kernels = parse(text, new ThisMachine());
        require(
                kernels.way(DType.BFLOAT16, Work.ATTENTION) != Way.BLOCKS
                        || DotProductAttention.hasBlocks(),
                "bfloat16.attention=blocks",
                "AVX512_BF16");
        require(
                kernels.way(DType.FLOAT32, Work.CONVOLUTIONS) != Way.WINOGRAD || Winograd.exists(),
                "float32.convolutions=winograd",
                "AVX2");
        return kernels;
    }

    private static void require(boolean works, String choice, String instructions) {
        if (!works) {
            throw new IllegalArgumentException(
                    "-D"
                            + PROPERTY
                            + ": "
                            + choice
                            + " is for Linux on processors with "
                            + instructions
                            + ", which this machine's is not; leave it out for what is fast here");
        }
    }

    /** What is chosen for this machine, which is looked at once, if at all. */
    private static final class ThisMachine implements BiFunction<DType, Work, Way> {
        private @Nullable MachineKernels machine;

        @Override
        public Way apply(DType type, Work work) {
            MachineKernels known = machine;
            if (known == null) {
                known = MachineKernels.current();
                machine = known;
            }
            return known.way(type, work);
        }
    }

    /**
     * Reads a choice.
     *
     * @param otherwise what the text leaves out; it is not asked for more
     */
    static Kernels parse(String text, BiFunction<DType, Work, Way> otherwise) {
        Map<DType, Map<Work, Way>> given = read(text.strip().toLowerCase(Locale.ROOT));
        Map<DType, Map<Work, Way>> ways = new EnumMap<>(DType.class);
        CHOICES.forEach(
                (type, works) -> {
                    Map<Work, Way> set = given.getOrDefault(type, Map.of());
                    Map<Work, Way> complete = new EnumMap<>(Work.class);
                    for (Work work : works) {
                        Way way = set.get(work);
                        complete.put(work, way != null ? way : otherwise.apply(type, work));
                    }
                    ways.put(type, complete);
                });
        return new Kernels(ways);
    }

    private static Map<DType, Map<Work, Way>> read(String text) {
        Map<DType, Map<Work, Way>> given = new EnumMap<>(DType.class);
        if (text.isEmpty()) {
            return given;
        }
        for (String part : text.split(",", -1)) {
            String[] sides = part.strip().split("=", -1);
            String[] names = sides.length == 2 ? sides[0].split("\\.", -1) : new String[0];
            Way way = find(List.of(Way.values()), sides[sides.length - 1]);
            DType type = names.length == 2 ? find(CHOICES.keySet(), names[0]) : null;
            Work work = names.length == 2 ? find(List.of(Work.values()), names[1]) : null;
            if (sides.length == 1 && (way == Way.OWN || way == Way.FLOAT32)) {
                CHOICES.forEach(
                        (each, works) ->
                                put(given, each, works, each == DType.FLOAT32 ? Way.OWN : way));
            } else if (way != null && type != null && work != null && isFor(way, type, work)) {
                put(given, type, List.of(work), way);
            } else {
                throw notUnderstood(part);
            }
        }
        return given;
    }

    private static boolean isFor(Way way, DType type, Work work) {
        return CHOICES.getOrDefault(type, List.of()).contains(work)
                && switch (way) {
                    case OWN -> true;
                    case FLOAT32 -> type != DType.FLOAT32;
                    case BLOCKS -> type == DType.BFLOAT16 && work == Work.ATTENTION;
                    case WINOGRAD -> type != DType.FLOAT16 && work == Work.CONVOLUTIONS;
                };
    }

    private static IllegalArgumentException notUnderstood(String part) {
        return new IllegalArgumentException(
                "-D"
                        + PROPERTY
                        + " is own, float32 or a list of TYPE.WORK=WAY with the types"
                        + " bfloat16 and float16, the works products, convolutions,"
                        + " attention and attention_gradients, and the ways own and"
                        + " float32, for bfloat16.attention also blocks, for"
                        + " bfloat16.convolutions also winograd, and of"
                        + " float32.convolutions=own or winograd; \""
                        + part.strip()
                        + "\" is none of these");
    }

    private static void put(
            Map<DType, Map<Work, Way>> given, DType type, List<Work> works, Way way) {
        works.forEach(
                work ->
                        given.computeIfAbsent(type, any -> new EnumMap<>(Work.class))
                                .put(work, way));
    }

    private static <E extends Enum<E>> @Nullable E find(Iterable<E> values, String name) {
        for (E value : values) {
            if (lower(value).equals(name)) {
                return value;
            }
        }
        return null;
    }

    private static String lower(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT);
    }

    /** Returns whether there is a choice: for types of 16 bits and float32, on the CPU. */
    public static boolean matter(DType type, Device device) {
        Objects.requireNonNull(type, "type");
        Objects.requireNonNull(device, "device");
        return CHOICES.containsKey(type) && device.isLikeCpu();
    }

    /**
     * Returns the type that results have while they are computed: float32 where the way is that.
     */
    public static DType computed(DType type, Work work, Device device) {
        Objects.requireNonNull(work, "work");
        boolean cast =
                matter(type, device)
                        && type.bytes() == 2
                        && current().way(type, work) == Way.FLOAT32;
        return cast ? DType.FLOAT32 : type;
    }

    /**
     * Returns whether libtorch's operators are called with arguments of 16 bits cast to float32.
     */
    boolean castsFor(DType type, Work work) {
        Way way = way(type, work);
        return (way == Way.WINOGRAD ? way(type, Work.PRODUCTS) : way) == Way.FLOAT32;
    }

    /**
     * Returns how something is computed.
     *
     * @param type {@link DType#BFLOAT16} or {@link DType#FLOAT16}; {@link DType#FLOAT32} for
     *     convolutions
     * @throws IllegalArgumentException if there is no choice
     */
    public Way way(DType type, Work work) {
        Objects.requireNonNull(work, "work");
        Way found = ways.getOrDefault(type, Map.of()).get(work);
        if (found == null) {
            throw new IllegalArgumentException(
                    "there is a choice for bfloat16, for float16 and for convolutions in float32,"
                            + " not for "
                            + lower(work)
                            + " in "
                            + type);
        }
        return found;
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof Kernels kernels && ways.equals(kernels.ways);
    }

    @Override
    public int hashCode() {
        return ways.hashCode();
    }

    /**
     * Returns all of the choice, as {@code -Ddarkroom.kernels} takes it: {@code
     * bfloat16.products=own,bfloat16.convolutions=own,bfloat16.attention=float32,float16…}.
     */
    @Override
    public String toString() {
        List<String> parts = new ArrayList<>();
        ways.forEach(
                (type, works) ->
                        works.forEach(
                                (work, way) ->
                                        parts.add(type + "." + lower(work) + "=" + lower(way))));
        return String.join(",", parts);
    }
}
