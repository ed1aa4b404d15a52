package dev.darkroom.cli;

import dev.darkroom.models.checkpoint.Offload;
import dev.darkroom.models.checkpoint.Tiling;
import dev.darkroom.models.checkpoint.WeightFormat;
import dev.darkroom.models.diffusion.diffusers.LevelSpacing;
import dev.darkroom.models.diffusion.diffusers.Scheduler;
import dev.darkroom.models.diffusion.guidance.GuidanceKind;
import dev.darkroom.models.diffusion.guidance.NamedGuidance;
import dev.darkroom.models.family.PromptSyntax;
import dev.darkroom.models.family.Size;
import dev.darkroom.models.pipeline.Seed;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;

import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Values of options that are names or seeds: what is read of them, and what the shell completes.
 */
final class Names {
    private Names() {}

    /** Names of samplers, with settings if there are any. */
    static final class Samplers implements ITypeConverter<String>, Iterable<String> {
        @Override
        public String convert(String text) {
            String name = text.split(":", 2)[0];
            if (!Scheduler.names().contains(name) && !Scheduler.schedulers().contains(name)) {
                throw new TypeConversionException(
                        "no sampler '"
                                + name
                                + "'; there are "
                                + String.join(", ", Scheduler.names()));
            }
            try {
                Scheduler.requireSampler(text);
                return text;
            } catch (IllegalArgumentException e) {
                throw new TypeConversionException(String.valueOf(e.getMessage()));
            }
        }

        @Override
        public Iterator<String> iterator() {
            return Scheduler.names().iterator();
        }
    }

    /** Spacings of noise levels. */
    static final class Spacings implements ITypeConverter<LevelSpacing>, Iterable<String> {
        @Override
        public LevelSpacing convert(String name) {
            try {
                return LevelSpacing.named(name);
            } catch (IllegalArgumentException e) {
                throw new TypeConversionException(String.valueOf(e.getMessage()));
            }
        }

        @Override
        public Iterator<String> iterator() {
            return LevelSpacing.ids().iterator();
        }
    }

    /** Guidances by their names and settings. */
    static final class Guidances implements ITypeConverter<NamedGuidance>, Iterable<String> {
        @Override
        public NamedGuidance convert(String text) {
            try {
                return NamedGuidance.parse(text);
            } catch (IllegalArgumentException e) {
                throw new TypeConversionException(String.valueOf(e.getMessage()));
            }
        }

        @Override
        public Iterator<String> iterator() {
            return GuidanceKind.ids().iterator();
        }
    }

    /** Types that networks compute in. */
    static final class DTypes implements ITypeConverter<DType>, Iterable<String> {
        private static final List<DType> TYPES =
                List.of(DType.FLOAT32, DType.BFLOAT16, DType.FLOAT16);

        @Override
        public DType convert(String name) {
            return TYPES.stream()
                    .filter(type -> type.toString().equals(name))
                    .findFirst()
                    .orElseThrow(
                            () ->
                                    new TypeConversionException(
                                            "no type '"
                                                    + name
                                                    + "'; there are "
                                                    + String.join(", ", this)));
        }

        @Override
        public Iterator<String> iterator() {
            return TYPES.stream().map(DType::toString).iterator();
        }
    }

    /** The constants of an enum by their names in lower case. */
    abstract static class Constants<E extends Enum<E>>
            implements ITypeConverter<E>, Iterable<String> {
        private final String title;
        private final Class<E> type;

        Constants(String title, Class<E> type) {
            this.title = title;
            this.type = type;
        }

        @Override
        public E convert(String name) {
            for (E constant : type.getEnumConstants()) {
                if (name(constant).equals(name)) {
                    return constant;
                }
            }
            throw new TypeConversionException(
                    "no " + title + " '" + name + "'; there are " + String.join(", ", this));
        }

        private static String name(Enum<?> constant) {
            return constant.name().toLowerCase(Locale.ROOT);
        }

        @Override
        public Iterator<String> iterator() {
            return Arrays.stream(type.getEnumConstants()).map(Constants::name).iterator();
        }
    }

    /** Names of {@link WeightHashes.Mode}s. */
    static final class HashModes extends Constants<WeightHashes.Mode> {
        HashModes() {
            super("mode", WeightHashes.Mode.class);
        }
    }

    /** Names of {@link Tiling}s. */
    static final class Tilings extends Constants<Tiling> {
        Tilings() {
            super("tiling", Tiling.class);
        }
    }

    /** Names of {@link PromptSyntax}es. */
    static final class PromptSyntaxes extends Constants<PromptSyntax> {
        PromptSyntaxes() {
            super("syntax of prompts", PromptSyntax.class);
        }
    }

    /** Names of {@link Offload}s. */
    static final class Offloads extends Constants<Offload> {
        Offloads() {
            super("offload", Offload.class);
        }
    }

    /** Names of {@link WeightFormat}s. */
    static final class WeightFormats extends Constants<WeightFormat> {
        WeightFormats() {
            super("format of weights", WeightFormat.class);
        }
    }

    /** Names of devices. */
    static final class Devices implements ITypeConverter<Device>, Iterable<String> {
        @Override
        public Device convert(String name) {
            try {
                return Device.parse(name);
            } catch (IllegalArgumentException e) {
                throw new TypeConversionException(String.valueOf(e.getMessage()));
            }
        }

        @Override
        public Iterator<String> iterator() {
            return List.of("cpu", "cuda").iterator();
        }
    }

    /** Sizes such as {@code 1024x768}: width, then height. */
    static final class PictureSizes implements ITypeConverter<Size> {
        private static final Pattern SIZE = Pattern.compile("(\\d{1,5})[x×](\\d{1,5})");

        @Override
        public Size convert(String text) {
            Matcher matcher = SIZE.matcher(text);
            if (!matcher.matches()) {
                throw new TypeConversionException(
                        "a size is WIDTHxHEIGHT in pixels, such as 1024x768, not \"" + text + "\"");
            }
            return new Size(Integer.parseInt(matcher.group(2)), Integer.parseInt(matcher.group(1)));
        }
    }

    /**
     * Where a crop begins.
     *
     * @param left columns that are cut off
     * @param top rows that are cut off
     */
    record Corner(int left, int top) {}

    /** Corners such as {@code 64,0}: from the left, then from the top. */
    static final class Corners implements ITypeConverter<Corner> {
        private static final Pattern CORNER = Pattern.compile("(\\d{1,5}),(\\d{1,5})");

        @Override
        public Corner convert(String text) {
            Matcher matcher = CORNER.matcher(text);
            if (!matcher.matches()) {
                throw new TypeConversionException(
                        "a crop is LEFT,TOP in pixels, such as 64,0, not \"" + text + "\"");
            }
            return new Corner(
                    Integer.parseInt(matcher.group(1)), Integer.parseInt(matcher.group(2)));
        }
    }

    /** Numbers in PyTorch's range. */
    static final class Seeds implements ITypeConverter<Long> {
        @Override
        public Long convert(String text) {
            try {
                return Seed.parse(text);
            } catch (IllegalArgumentException e) {
                throw new TypeConversionException(String.valueOf(e.getMessage()));
            }
        }
    }
}
