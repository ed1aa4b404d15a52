package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.eclipse.aether.artifact.Artifact;
import org.eclipse.aether.util.artifact.JavaScopes;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import java.io.File;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.module.ModuleFinder;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.spi.ToolProvider;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A project of someone who depends on Darkroom, with the POM and the program of the README, is
 * compiled and run against the artifacts alone, by the class path and by the module path. The
 * artifacts are jars of {@code target/classes} with the modules' POMs in a {@link LocalRepository}
 * of the test's own, and Maven's resolver says what the project gets; the class path of this test
 * plays no part.
 *
 * <p>javac runs with every lint. That wrong calls get an ordinary error is checked for a few by
 * their message, and for every public method and constructor of the exported packages by the lines
 * with errors.
 *
 * <p>Not covered: the plugins that make the jars in {@code mvn install}, Gradle, other versions of
 * javac than the one that runs the tests, and generic methods' type arguments.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ConsumerTest {
    private static final Path README =
            Path.of(System.getProperty("basedir", "."), "..", "README.md");

    private static final String WRONG =
            "(" + String.join(", ", Collections.nCopies(20, "new Thread()")) + ")";

    @TempDir private static Path folder;

    private List<Artifact> compile;
    private List<Artifact> runtime;
    private String program;

    @BeforeAll
    void installAndResolve() throws Exception {
        String readme = Files.readString(README);
        program = fenced(readme, "java");
        String pom = fenced(readme, "xml");
        Matcher version = Pattern.compile("<version>(.+)</version>").matcher(pom);
        assertTrue(version.find(), pom);
        var repository = new LocalRepository(folder.resolve("repository"), version.group(1));
        pom =
                """
                <project xmlns="http://maven.apache.org/POM/4.0.0">
                  <modelVersion>4.0.0</modelVersion>
                  <groupId>example</groupId>
                  <artifactId>consumer</artifactId>
                  <version>1</version>
                %s
                </project>
                """
                        .formatted(pom);
        compile = repository.classPath(pom, JavaScopes.COMPILE);
        runtime = repository.classPath(pom, JavaScopes.RUNTIME);
    }

    /** The README's block in a language, of which there is one. */
    private static String fenced(String readme, String language) {
        String[] parts = readme.split("```" + language + "\n");
        assertEquals(2, parts.length, "README.md has one block of " + language);
        return parts[1].substring(0, parts[1].indexOf("```"));
    }

    // ---- What a project gets ----

    @Test
    void theCompileClassPathHoldsWhatTheInterfacesName() {
        assertEquals(
                Stream.of(
                                "darkroom-models",
                                "darkroom-tokenizers",
                                "darkroom-runtime",
                                "darkroom-bindings",
                                "darkroom-common",
                                "darkroom-hub",
                                "jackson-annotations",
                                "jackson-core",
                                "jackson-databind",
                                "jspecify")
                        .collect(Collectors.toCollection(TreeSet::new)),
                names(compile));
    }

    @Test
    void everythingToCompileAgainstIsANamedModule() {
        SortedSet<String> automatic = new TreeSet<>();
        for (var module : modules().findAll()) {
            if (module.descriptor().isAutomatic()) {
                automatic.add(module.descriptor().name());
            }
        }
        assertEquals(new TreeSet<>(), automatic);
    }

    @Test
    void theRuntimeClassPathAddsTheNativesOnly() {
        SortedSet<String> added = names(runtime);
        assertTrue(added.containsAll(names(compile)), added::toString);
        added.removeAll(names(compile));
        assertEquals(new TreeSet<>(List.of("darkroom-native", "openblas", "pytorch")), added);
    }

    /**
     * The natives are those of libtorch, for any caller; the classes that bind them by JNI are not.
     */
    @Test
    void nothingBindsByJni() throws IOException {
        for (Artifact artifact : runtime) {
            try (FileSystem jar = FileSystems.newFileSystem(artifact.getFile().toPath())) {
                try (Stream<Path> files = Files.walk(jar.getPath("/"))) {
                    List<String> found =
                            files.map(Path::toString)
                                    .filter(
                                            name ->
                                                    name.startsWith("/org/bytedeco")
                                                            && name.endsWith(".class"))
                                    .filter(name -> !name.endsWith("/module-info.class"))
                                    .toList();
                    assertEquals(List.of(), found, artifact::toString);
                }
            }
        }
    }

    private static SortedSet<String> names(List<Artifact> artifacts) {
        return artifacts.stream()
                .map(Artifact::getArtifactId)
                .collect(Collectors.toCollection(TreeSet::new));
    }

    // ---- Right code ----

    @Test
    void theReadmesProgramCompilesAndRunsOnTheClassPath() throws Exception {
        Path classes = folder.resolve("class-path");
        var javac =
                javac(classes, onClassPath(compile), List.of(source(classes, "Hearts", program)));
        assertEquals(new Javac(0, ""), javac);

        String path = classes + File.pathSeparator + join(runtime);
        run(classes, "--enable-native-access=ALL-UNNAMED", "-cp", path, "Hearts");
        assertTrue(Files.size(classes.resolve("heart.png")) > 0);
    }

    @Test
    void theReadmesProgramCompilesAndRunsAsAModule() throws Exception {
        Path classes = folder.resolve("module-path");
        var module = source(classes, "module-info", "module app { requires dev.darkroom.models; }");
        var hearts = source(classes, "Hearts", "package app;\n" + program);
        var javac = javac(classes, onModulePath(), List.of(module, hearts));
        assertEquals(new Javac(0, ""), javac);

        // As the README says, the natives stay on the class path.
        List<Artifact> natives = new ArrayList<>(runtime);
        natives.removeIf(artifact -> names(compile).contains(artifact.getArtifactId()));
        List<String> arguments = new ArrayList<>();
        arguments.addAll(List.of("--module-path", classes + File.pathSeparator + join(compile)));
        arguments.addAll(List.of("--class-path", join(natives)));
        arguments.add("--enable-native-access=dev.darkroom.runtime,dev.darkroom.bindings");
        arguments.addAll(List.of("--module", "app/app.Hearts"));
        run(classes, arguments.toArray(String[]::new));
        assertTrue(Files.size(classes.resolve("heart.png")) > 0);
    }

    @Test
    void everyObviousCallCompiles() throws Exception {
        Path classes = folder.resolve("obvious");
        String source =
                """
                import dev.darkroom.models.pipeline.*;
                import dev.darkroom.tokenizers.*;
                import dev.darkroom.runtime.*;
                import java.nio.file.Path;

                class Obvious {
                    void call(Path folder, SampleMonitor monitor, Tensor latents) throws Exception {
                        try (var pipeline = Pipeline.load(folder)) {
                            var request =
                                    SampleRequest.builder().prompt("a").steps(4).guidanceScale(2);
                            pipeline.sample(request.guidanceScale(null).build());
                            pipeline.sample(request.build(), monitor);
                            pipeline.sample(request.build(), monitor, null);
                            pipeline.sample(request.build(), monitor, latents);
                        }
                        Tokenizers.load(folder).encode("a");
                    }
                }
                """;
        var javac =
                javac(classes, onClassPath(compile), List.of(source(classes, "Obvious", source)));
        assertEquals(new Javac(0, ""), javac);
    }

    // ---- Wrong code ----

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            textBlock =
                    """
                    pipeline.sample(request, monitor, null, 4)   | no suitable method found for sample
                    pipeline.sample(request, 4)                  | int cannot be converted to SampleMonitor
                    pipeline.sample("a red heart")               | String cannot be converted to SampleRequest
                    pipeline.sample()                            | no suitable method found for sample
                    pipeline.preview(request)                    | SampleRequest cannot be converted to Tensor
                    Pipeline.load(4)                             | no suitable method found for load
                    SampleRequest.builder().seed(null)           | <null> cannot be converted to long
                    SampleRequest.builder().batch(null)          | <null> cannot be converted to int
                    SampleRequest.builder().steps("four")        | String cannot be converted to Integer
                    SampleRequest.builder().prompt(4)            | int cannot be converted to String
                    dev.darkroom.runtime.Tensor.ones("x")        | String cannot be converted to DType
                    """)
    void aWrongCallGetsAnOrdinaryError(String call, String error) throws Exception {
        String source =
                """
                import dev.darkroom.models.pipeline.*;

                class Wrong {
                    void call(Pipeline pipeline, SampleRequest request, SampleMonitor monitor) {
                        %s;
                    }
                }
                """
                        .formatted(call);
        Path classes = Files.createTempDirectory(folder, "wrong");
        var javac = javac(classes, onClassPath(compile), List.of(source(classes, "Wrong", source)));
        assertEquals(1, javac.status, javac.text);
        assertTrue(javac.text.contains("Wrong.java:5: error:"), javac.text);
        assertTrue(javac.text.contains(error), javac.text);
        assertTrue(javac.text.contains("1 error"), javac.text);
        assertFalse(javac.text.contains("warning:"), javac.text);

        Path named = Files.createTempDirectory(folder, "wrong");
        var module = source(named, "module-info", "module app { requires dev.darkroom.models; }");
        var asModule =
                javac(
                        named,
                        onModulePath(),
                        List.of(module, source(named, "Wrong", "package app; " + source)));
        assertEquals(1, asModule.status, asModule.text);
        assertTrue(asModule.text.contains(error), asModule.text);
    }

    /** More arguments than any method has, of a type that none takes. */
    @Test
    void aWrongCallOfEveryPublicMethodAndConstructorGetsAnError() throws Exception {
        List<String> calls = new ArrayList<>();
        for (Class<?> type : exported()) {
            SortedSet<String> names = new TreeSet<>();
            for (Method method : type.getDeclaredMethods()) {
                if (Modifier.isPublic(method.getModifiers())) { // bridges to its layers too
                    names.add(method.getName());
                }
            }
            String target = "((" + type.getCanonicalName() + ") null).";
            names.forEach(name -> calls.add(target + name + WRONG + ";"));
            if (type.getConstructors().length > 0) {
                calls.add("new " + type.getCanonicalName() + WRONG + ";");
            }
        }
        assertTrue(calls.size() > 500, () -> "only " + calls.size() + " calls were found");

        Path classes = folder.resolve("every");
        var source = new StringBuilder("class Every {\n");
        for (int i = 0; i < calls.size(); i++) {
            source.append("void f" + i + "() throws Throwable { " + calls.get(i) + " }\n");
        }
        source.append("}\n");
        List<String> options = new ArrayList<>(onClassPath(compile));
        options.addAll(List.of("-Xmaxerrs", "100000", "-Xlint:-rawtypes"));
        var javac = javac(classes, options, List.of(source(classes, "Every", source.toString())));

        assertEquals(1, javac.status, javac.text);
        var lines = new TreeSet<Integer>();
        Matcher error = Pattern.compile("Every\\.java:(\\d+): error: ").matcher(javac.text);
        while (error.find()) {
            lines.add(Integer.valueOf(error.group(1)));
        }
        List<String> silent = new ArrayList<>();
        for (int i = 0; i < calls.size(); i++) {
            if (!lines.contains(i + 2)) {
                silent.add(calls.get(i));
            }
        }
        assertEquals(List.of(), silent);
    }

    /** The public classes of the packages that the modules export to everyone. */
    private List<Class<?>> exported() throws IOException, ClassNotFoundException {
        List<Class<?>> types = new ArrayList<>();
        for (var module : modules().findAll()) {
            if (!module.descriptor().name().startsWith("dev.darkroom")) {
                continue;
            }
            List<String> packages =
                    module.descriptor().exports().stream()
                            .filter(exports -> !exports.isQualified())
                            .map(exports -> exports.source())
                            .toList();
            List<String> names;
            try (var reader = module.open();
                    Stream<String> files = reader.list()) {
                names =
                        files.filter(file -> file.endsWith(".class"))
                                .map(file -> file.replace('/', '.').replaceAll("\\.class$", ""))
                                .sorted()
                                .toList();
            }
            for (String name : names) {
                int dot = name.lastIndexOf('.');
                if (dot > 0 && packages.contains(name.substring(0, dot))) {
                    Class<?> type = Class.forName(name, false, getClass().getClassLoader());
                    if (isPublic(type)) {
                        types.add(type);
                    }
                }
            }
        }
        return types;
    }

    private static boolean isPublic(Class<?> type) {
        for (Class<?> each = type; each != null; each = each.getEnclosingClass()) {
            if (!Modifier.isPublic(each.getModifiers()) || each.getCanonicalName() == null) {
                return false;
            }
        }
        return true;
    }

    // ---- javac and java ----

    private record Javac(int status, String text) {}

    private static Path source(Path classes, String name, String text) throws IOException {
        Files.createDirectories(classes);
        return Files.writeString(classes.resolve(name + ".java"), text);
    }

    private static Javac javac(Path classes, List<String> options, List<Path> sources) {
        List<String> arguments = new ArrayList<>(options);
        arguments.addAll(List.of("-Xlint:all", "-d", classes.toString()));
        sources.forEach(source -> arguments.add(source.toString()));
        var text = new StringWriter();
        var writer = new PrintWriter(text);
        int status =
                ToolProvider.findFirst("javac")
                        .orElseThrow()
                        .run(writer, writer, arguments.toArray(String[]::new));
        writer.flush();
        return new Javac(status, text.toString());
    }

    private static List<String> onClassPath(List<Artifact> artifacts) {
        return List.of("--class-path", join(artifacts));
    }

    private List<String> onModulePath() {
        // Without a class path, javac takes the one of this test.
        return List.of("--module-path", join(compile), "--class-path", folder.toString());
    }

    private ModuleFinder modules() {
        return ModuleFinder.of(
                compile.stream().map(jar -> jar.getFile().toPath()).toArray(Path[]::new));
    }

    private static String join(List<Artifact> artifacts) {
        return artifacts.stream()
                .map(artifact -> artifact.getFile().getPath())
                .collect(Collectors.joining(File.pathSeparator));
    }

    /** Runs a JVM in a folder, which may say that it unpacks, and nothing worse. */
    private static void run(Path in, String... arguments) throws Exception {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(Arrays.asList(arguments));
        Path output = in.resolve("output.txt");
        Process java =
                new ProcessBuilder(command)
                        .directory(in.toFile())
                        .redirectErrorStream(true)
                        .redirectOutput(output.toFile())
                        .start();
        java.getOutputStream().close();
        assertTrue(java.waitFor(180, TimeUnit.SECONDS));
        String said = Files.readString(output);
        assertEquals(0, java.exitValue(), said);
        assertFalse(said.contains("WARNING"), said);
    }
}
