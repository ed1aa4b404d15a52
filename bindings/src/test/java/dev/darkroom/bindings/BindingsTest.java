package dev.darkroom.bindings;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.fail;

import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

import java.io.IOException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Holds {@code darkroom.h}, the symbols of {@code libdarkroom} and the bindings together. */
class BindingsTest {

    private static final Path MODULE = Path.of(System.getProperty("basedir", ""));
    private static final Path HEADER = MODULE.resolve("../native/include/darkroom.h");
    private static final Path BUILT = MODULE.resolve("../native/target/classes").normalize();
    private static final Path CHECKSUM = MODULE.resolve("src/generated/darkroom.h.sha256");

    private static final String REGENERATE =
            "The bindings do not belong to this darkroom.h. Run bindings/regenerate"
                    + " (bindings/README.md says with which jextract) and commit the result.";

    private static final String REBUILD =
            "Build the shim for this darkroom.h: mvn -pl native -am clean compile.";

    private static Header header;

    @BeforeAll
    static void readHeader() throws Exception {
        header = Header.read(HEADER);
        assertFalse(header.functions().isEmpty(), "no functions found in darkroom.h");
        assertFalse(header.constants().isEmpty(), "no constants found in darkroom.h");
    }

    @Test
    void bindingsWereGeneratedFromThisHeader() throws Exception {
        String recorded = Files.readString(CHECKSUM).split(" ", 2)[0];
        assertEquals(header.sha256(), recorded, REGENERATE);
    }

    @Test
    void everyFunctionIsBoundAndNoOther() {
        assertSame("darkroom.h", header.functions(), "DarkroomH", boundFunctions(), REGENERATE);
    }

    @Test
    void everyConstantIsBoundWithItsValue() throws Exception {
        assertSame(
                "darkroom.h",
                entries(header.constants()),
                "DarkroomH",
                entries(boundConstants()),
                REGENERATE);
    }

    @Test
    void everyFunctionIsExportedAndNothingElse() throws Exception {
        List<Path> libraries = builtLibraries();
        assertFalse(libraries.isEmpty(), "No libdarkroom.so below " + BUILT + ". " + REBUILD);
        for (Path library : libraries) {
            Set<String> exported = ElfSymbols.exported(Files.readAllBytes(library));
            assertSame("darkroom.h", header.functions(), library.toString(), exported, REBUILD);
        }
    }

    /** The shim for each libtorch that it was built for here. */
    private static List<Path> builtLibraries() throws IOException {
        if (!Files.isDirectory(BUILT)) {
            return List.of();
        }
        try (Stream<Path> files = Files.walk(BUILT)) {
            return files.filter(file -> file.endsWith("libdarkroom.so")).toList();
        }
    }

    /** jextract gives every function {@code f} a method {@code f$descriptor()}. */
    private static Set<String> boundFunctions() {
        return publicStaticMethods()
                .map(Method::getName)
                .filter(name -> name.endsWith("$descriptor"))
                .map(name -> name.substring(0, name.indexOf('$')))
                .collect(Collectors.toCollection(TreeSet::new));
    }

    /** jextract makes every integer constant a method of its name. */
    private static Map<String, Integer> boundConstants() throws ReflectiveOperationException {
        var constants = new TreeMap<String, Integer>();
        for (Method method : publicStaticMethods().toList()) {
            if (method.getName().startsWith("DR_")) {
                constants.put(method.getName(), (Integer) method.invoke(null));
            }
        }
        return constants;
    }

    private static Stream<Method> publicStaticMethods() {
        return Arrays.stream(DarkroomH.class.getDeclaredMethods())
                .filter(method -> Modifier.isStatic(method.getModifiers()))
                .filter(method -> Modifier.isPublic(method.getModifiers()));
    }

    private static Set<String> entries(Map<String, Integer> constants) {
        return constants.entrySet().stream()
                .map(Map.Entry::toString)
                .collect(Collectors.toCollection(TreeSet::new));
    }

    private static void assertSame(
            String left, Set<String> inLeft, String right, Set<String> inRight, String advice) {
        Set<String> onlyLeft = new TreeSet<>(inLeft);
        onlyLeft.removeAll(inRight);
        Set<String> onlyRight = new TreeSet<>(inRight);
        onlyRight.removeAll(inLeft);
        if (!onlyLeft.isEmpty() || !onlyRight.isEmpty()) {
            fail(
                    "Only in %s: %s; only in %s: %s. %s"
                            .formatted(left, onlyLeft, right, onlyRight, advice));
        }
    }
}
