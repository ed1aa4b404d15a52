package dev.darkroom.cli;

import dev.darkroom.models.diffusion.SamplerSpec;
import dev.darkroom.models.pipeline.Seed;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;

import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;

/**
 * Values of options that are names or seeds: what is read of them, and what the shell completes.
 */
final class Names {
    private Names() {}

    /** Names of samplers. */
    static final class Samplers implements ITypeConverter<String>, Iterable<String> {
        @Override
        public String convert(String name) {
            if (!SamplerSpec.names().contains(name) && !SamplerSpec.schedulers().contains(name)) {
                throw new TypeConversionException(
                        "no sampler '"
                                + name
                                + "'; there are "
                                + String.join(", ", SamplerSpec.names()));
            }
            return name;
        }

        @Override
        public Iterator<String> iterator() {
            return SamplerSpec.names().iterator();
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

    /** Names of {@link WeightHashes.Mode}s. */
    static final class HashModes implements ITypeConverter<WeightHashes.Mode>, Iterable<String> {
        @Override
        public WeightHashes.Mode convert(String name) {
            for (WeightHashes.Mode mode : WeightHashes.Mode.values()) {
                if (name(mode).equals(name)) {
                    return mode;
                }
            }
            throw new TypeConversionException(
                    "no mode '" + name + "'; there are " + String.join(", ", this));
        }

        private static String name(WeightHashes.Mode mode) {
            return mode.name().toLowerCase(Locale.ROOT);
        }

        @Override
        public Iterator<String> iterator() {
            return Arrays.stream(WeightHashes.Mode.values()).map(HashModes::name).iterator();
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
