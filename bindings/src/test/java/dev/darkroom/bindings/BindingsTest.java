package dev.darkroom.bindings;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Holds {@code darkroom.h}, the symbols of {@code libdarkroom} and the bindings together. */
class BindingsTest {

    private static final Path MODULE = Path.of(System.getProperty("basedir", ""));
    private static final Path HEADER = MODULE.resolve("../native/include/darkroom.h");
    private static final Path CHECKSUM = MODULE.resolve("src/generated/darkroom.h.sha256");

    private static final String REGENERATE =
            "The bindings do not belong to this darkroom.h. Run bindings/regenerate"
                    + " (bindings/README.md says with which jextract) and commit the result.";

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
        assertSame(header.functions(), boundFunctions(), "the header", "DarkroomH", REGENERATE);
    }

    @Test
    void everyConstantIsBoundWithItsValue() throws Exception {
        assertEquals(header.constants(), boundConstants(), REGENERATE);
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

    private static void assertSame(
            Set<String> expected, Set<String> actual, String left, String right, String advice) {
        Set<String> missing = new TreeSet<>(expected);
        missing.removeAll(actual);
        Set<String> extra = new TreeSet<>(actual);
        extra.removeAll(expected);
        assertEquals(
                "",
                (missing.isEmpty() ? "" : "only in " + left + ": " + missing + " ")
                        + (extra.isEmpty() ? "" : "only in " + right + ": " + extra),
                advice);
    }
}
