package dev.darkroom.runtime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * No operator ends the process, whatever it is given. A few calls of each in every build; {@code
 * -Ddarkroom.attack.calls=1000} for more, {@code -Ddarkroom.attack.seed} for others, {@code
 * -Ddarkroom.attack.operators} for those whose names fit a regular expression, {@code
 * -Ddarkroom.attack.fence} with the library of {@code native/tests/fence.cpp} to find every access
 * outside a tensor's memory.
 */
class OperatorAttackTest {
    @Test
    void noOperatorEndsTheProcess(@TempDir Path folder) throws Exception {
        List<String> operators = new ArrayList<>(HostileMethods.names());
        operators.addAll(Aten.names());
        assertTrue(operators.size() > 1000, operators.size() + " operators");
        String chosen = System.getProperty("darkroom.attack.operators", ".*");
        operators.removeIf(name -> !name.matches(chosen));
        List<String> options = new ArrayList<>(List.of("-XX:TieredStopAtLevel=1"));
        String fence = System.getProperty("darkroom.attack.fence");
        if (fence != null) {
            options.add("-Ddarkroom.fence=" + fence);
        }
        var attack =
                new OperatorAttack(
                        folder,
                        Long.getLong("darkroom.attack.seed", 1),
                        Integer.getInteger("darkroom.attack.calls", 10),
                        options);
        List<OperatorAttack.Death> deaths = attack.run(operators, System.out::println);
        assertEquals(List.of(), deaths);
    }
}
