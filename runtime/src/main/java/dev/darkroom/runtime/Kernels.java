package dev.darkroom.runtime;

import dev.darkroom.runtime.cache.Cache;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.Arrays;
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
 * same.
 *
 * <p>Results agree within the rounding of the type, but not bit for bit. What computes in float32
 * or float64, or on another device, is not concerned.
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
        BLOCKS
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

    private static final List<DType> TYPES = List.of(DType.BFLOAT16, DType.FLOAT16);

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
        if (kernels.way(DType.BFLOAT16, Work.ATTENTION) == Way.BLOCKS
                && !DotProductAttention.hasBlocks()) {
            throw new IllegalArgumentException(
                    "-D"
                            + PROPERTY
                            + ": bfloat16.attention=blocks is for Linux on processors with"
                            + " AVX512_BF16, which this machine's is not; leave it out for what"
                            + " is fast here");
        }
        return kernels;
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
        for (DType type : TYPES) {
            Map<Work, Way> set = given.getOrDefault(type, Map.of());
            Map<Work, Way> complete = new EnumMap<>(Work.class);
            for (Work work : Work.values()) {
                Way way = set.get(work);
                complete.put(work, way != null ? way : otherwise.apply(type, work));
            }
            ways.put(type, complete);
        }
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
            Way way = find(Way.values(), sides[sides.length - 1]);
            DType type = names.length == 2 ? find(TYPES.toArray(DType[]::new), names[0]) : null;
            Work work = names.length == 2 ? find(Work.values(), names[1]) : null;
            if (way == Way.BLOCKS && (type != DType.BFLOAT16 || work != Work.ATTENTION)) {
                throw notUnderstood(part);
            }
            if (way != null && sides.length == 1) {
                TYPES.forEach(each -> put(given, each, Arrays.asList(Work.values()), way));
            } else if (way != null && type != null && work != null) {
                put(given, type, List.of(work), way);
            } else {
                throw notUnderstood(part);
            }
        }
        return given;
    }

    private static IllegalArgumentException notUnderstood(String part) {
        return new IllegalArgumentException(
                "-D"
                        + PROPERTY
                        + " is own, float32 or a list of TYPE.WORK=WAY with the types"
                        + " bfloat16 and float16, the works products, convolutions,"
                        + " attention and attention_gradients, and the ways own and"
                        + " float32, for bfloat16.attention also blocks; \""
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

    private static <E extends Enum<E>> @Nullable E find(E[] values, String name) {
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

    /** Returns whether there is a choice: for types of 16 bits on the CPU. */
    public static boolean matter(DType type, Device device) {
        Objects.requireNonNull(device, "device");
        return type.bytes() == 2 && device.isLikeCpu();
    }

    /**
     * Returns the type that results have while they are computed: float32 where the way is that.
     */
    public static DType computed(DType type, Work work, Device device) {
        Objects.requireNonNull(work, "work");
        boolean cast = matter(type, device) && current().way(type, work) == Way.FLOAT32;
        return cast ? DType.FLOAT32 : type;
    }

    /**
     * Returns how something is computed.
     *
     * @param type {@link DType#BFLOAT16} or {@link DType#FLOAT16}
     * @throws IllegalArgumentException for another type
     */
    public Way way(DType type, Work work) {
        Map<Work, Way> found = ways.get(type);
        if (found == null) {
            throw new IllegalArgumentException(
                    "there is a choice for bfloat16 and float16, not for " + type);
        }
        return Objects.requireNonNull(found.get(work));
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
