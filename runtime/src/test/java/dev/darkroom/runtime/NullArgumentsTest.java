package dev.darkroom.runtime;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.lang.reflect.Executable;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * Gives null to every parameter of every public method and constructor that is not marked {@code
 * Nullable}: none may return, since what is kept would fail later, far from the mistake.
 */
class NullArgumentsTest {
    private static final int TRIES = 60;

    /** What may return all the same, by a part of its name, and why. */
    private static final Map<String, String> MAY_RETURN =
            Map.of(
                    ".equals[", "nothing equals null",
                    "Linear.detach", "what is not attached is ignored",
                    "Diagnosis.", "a result of Darkroom's, which callers read",
                    "Inspection.", "as Diagnosis",
                    "Mismatch.new", "as Diagnosis",
                    "Processor.new", "as Diagnosis",
                    "SafetensorsHeader.new", "as Diagnosis",
                    "StoredTensor.new", "as Diagnosis");

    @TempDir private Path folder;

    @Test
    void nullIsRefusedWhereItIsGiven() throws Exception {
        Files.createDirectories(folder.resolve("out"));
        var random = new Random(1);
        List<String> taken = new ArrayList<>();
        try (var pool = new MisusePool(folder, random)) {
            for (Executable method : PublicMethods.all()) {
                Class<?>[] types = method.getParameterTypes();
                for (int i = 0; i < types.length; i++) {
                    if (!types[i].isPrimitive()
                            && !mayBeNull(method, i)
                            && returns(pool, method, i, random)) {
                        taken.add(
                                PublicMethods.name(method) + " takes null as argument " + (i + 1));
                    }
                }
            }
        }
        assertEquals(List.of(), taken);
    }

    private static boolean mayBeNull(Executable method, int index) {
        String name = PublicMethods.name(method);
        return method.getAnnotatedParameterTypes()[index].isAnnotationPresent(Nullable.class)
                || Throwable.class.isAssignableFrom(method.getDeclaringClass())
                || Modifier.isAbstract(method.getModifiers()) // the caller's own code has it
                || MAY_RETURN.keySet().stream().anyMatch(name::contains);
    }

    /**
     * Whether a method returns when it is given null among arguments that fit more often than not.
     */
    private static boolean returns(MisusePool pool, Executable method, int index, Random random) {
        boolean[] returned = {false};
        for (int i = 0; i < TRIES && !returned[0]; i++) {
            ForeignCode.run(
                    () -> {
                        TensorScope.open();
                        var arguments = new MisuseArguments(pool, random);
                        try {
                            arguments.giveNull(method, index);
                            Misuse.call(pool, method, arguments, random);
                            returned[0] |= !arguments.hasNull();
                        } catch (Throwable e) {
                            // refused, this or what else was given
                        }
                    });
        }
        return returned[0];
    }
}
