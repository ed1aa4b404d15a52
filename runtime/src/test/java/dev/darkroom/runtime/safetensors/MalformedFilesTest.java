package dev.darkroom.runtime.safetensors;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.safetensors.SafetensorsException.Kind;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

class MalformedFilesTest {
    @TempDir Path folder;

    static List<MalformedFiles.Case> cases() {
        return MalformedFiles.all();
    }

    @ParameterizedTest
    @MethodSource("cases")
    void isRefusedByItsOwnRule(MalformedFiles.Case malformed) throws Exception {
        var file = folder.resolve("malformed.safetensors");
        Files.write(file, malformed.bytes());
        var refusal = assertThrows(SafetensorsException.class, () -> SafetensorsHeader.read(file));
        assertEquals(malformed.kind(), refusal.kind(), refusal.getMessage());
        assertEquals(file, refusal.file());
        var message = refusal.getMessage();
        assertTrue(message.startsWith(file.toString()), message);
        assertEquals(1, message.lines().count(), message);
        assertTrue(message.length() < file.toString().length() + 600, message);
        if (malformed.tensor() != null) {
            assertEquals(Optional.of(malformed.tensor()), refusal.tensor(), message);
            assertTrue(message.contains("tensor \"" + malformed.tensor() + "\""), message);
        }
    }

    @Test
    void casesAreManyAndCoverTheRulesOfAFile() {
        assertTrue(cases().size() >= 100, () -> cases().size() + " cases");
        var names = cases().stream().map(MalformedFiles.Case::name).distinct().count();
        assertEquals(cases().size(), names, "two cases have one name");
        var covered = cases().stream().map(MalformedFiles.Case::kind).collect(Collectors.toSet());
        var ofOneFile = EnumSet.range(Kind.PICKLE, Kind.BYTES_LEFT_OVER);
        ofOneFile.removeAll(covered);
        assertTrue(ofOneFile.isEmpty(), () -> "no case for " + ofOneFile);
    }
}
