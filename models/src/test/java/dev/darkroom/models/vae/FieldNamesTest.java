package dev.darkroom.models.vae;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.nn.Conv2d;
import dev.darkroom.runtime.nn.GroupNorm;
import dev.darkroom.runtime.nn.Linear;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;

import org.junit.jupiter.api.Test;

import java.lang.reflect.Field;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;

/** The autoencoder's fields have the names of its keys: whoever knows one finds the other. */
class FieldNamesTest {
    private static final Set<Class<?>> LAYERS = Set.of(Conv2d.class, GroupNorm.class, Linear.class);

    @Test
    void fieldsMirrorTheKeys() throws IllegalAccessException {
        var config =
                AutoencoderKlConfig.builder()
                        .downBlockAttention(List.of(false, true))
                        .upBlockAttention(List.of(true, false))
                        .blockOutChannels(List.of(4, 8))
                        .layersPerBlock(2)
                        .normGroups(4)
                        .build();
        try (var network =
                Weights.random(1, DType.FLOAT32, Device.CPU, w -> new AutoencoderKl(w, config))) {
            var byFields = new TreeSet<String>();
            collect(network, "", byFields);
            assertEquals(new TreeSet<>(network.parameters().keySet()), byFields);
        }
    }

    private static void collect(Object value, String path, Set<String> names)
            throws IllegalAccessException {
        if (value instanceof List<?> list) {
            for (int i = 0; i < list.size(); i++) {
                collect(list.get(i), path + "." + i, names);
            }
        } else if (value instanceof Module module && LAYERS.contains(module.getClass())) {
            module.parameters().keySet().forEach(name -> names.add(path + "." + name));
        } else if (value instanceof Module) {
            Class<?> kind = value.getClass();
            for (; kind != Module.class; kind = kind.getSuperclass()) {
                for (Field field : kind.getDeclaredFields()) {
                    field.setAccessible(true);
                    collect(field.get(value), join(path, key(field.getName())), names);
                }
            }
        }
    }

    private static String join(String path, String key) {
        return path.isEmpty() || key.isEmpty() ? path + key : path + "." + key;
    }

    private static String key(String field) {
        return switch (field) {
            case "attention" -> ""; // its layers stand beside the norm before it
            case "toOut" -> "to_out.0";
            default -> field.replaceAll("([A-Z])", "_$1").toLowerCase(Locale.ROOT);
        };
    }
}
