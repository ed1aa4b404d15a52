package dev.darkroom.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;

import dev.darkroom.hub.DownloadListener;
import dev.darkroom.hub.RemoteFile;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** {@code download}, {@code models} and {@code models rm}. */
class ModelsCommandTest {
    private static final String COMMIT = "0123456789abcdef0123456789abcdef01234567";

    /** Git's hash of {@code {}}. */
    private static final String HASH = "9e26dfeeb6e641a33dae4961196235bdb965b21b";

    @TempDir private Path cache;

    private Path snapshot(String name) throws IOException {
        Path model = cache.resolve("models--org--" + name);
        Path snapshot = Files.createDirectories(model.resolve("snapshots/" + COMMIT));
        Files.createDirectories(model.resolve("refs"));
        Files.writeString(model.resolve("refs/main"), COMMIT);
        Files.createDirectories(snapshot.resolve("vae"));
        Files.writeString(
                snapshot.resolve("model_index.json"),
                "{\"_class_name\":\"DiTPipeline\",\"vae\":[\"diffusers\",\"AutoencoderKL\"]}");
        Files.writeString(snapshot.resolve("vae/config.json"), "{}");
        return snapshot;
    }

    @Test
    void whatIsThereIsListedAndRemoved() throws IOException {
        Path whole = snapshot("whole");
        Files.writeString(
                whole.resolve("vae/diffusion_pytorch_model.safetensors"), "x".repeat(933));
        Files.writeString(
                snapshot("part").resolve("model_index.json"), "{\"_class_name\":\"\u001b\"");
        var list = Run.darkroom("models", "--cache", cache);
        assertEquals("", list.err());
        assertEquals(
                """
                model      revision  commit        size     family  class
                org/part   main      0123456789ab  20 B     -       -            incomplete
                org/whole  main      0123456789ab  1000 B   dit     DiTPipeline
                """
                        .replaceAll(" +", " "),
                list.out().replaceAll(" +", " "));
        var json =
                new JsonMapper().readTree(Run.darkroom("models", "--json", "--cache", cache).out());
        assertEquals("org/whole", json.get(1).get("model").asText());
        assertTrue(json.get(1).get("complete").asBoolean());
        assertEquals("-", json.get(0).get("family").asText());
        assertEquals("dit", json.get(1).get("family").asText());
        assertEquals(whole.toRealPath().toString(), json.get(1).get("folder").asText());

        var other = Run.darkroom("models", "rm", "org/whole@v2", "--cache", cache);
        assertEquals(1, other.exit());
        assertEquals(
                "darkroom: org/whole@v2 is not in " + cache + "; 'darkroom models' shows what is\n",
                other.err());
        var removed = Run.darkroom("models", "rm", "org/whole@0123456", "--cache", cache);
        assertEquals("removed org/whole at 0123456789ab, 1.02 KiB\n", removed.out());
        assertFalse(Files.exists(whole));
        assertEquals(0, Run.darkroom("models", "rm", "org/part", "--cache", cache).exit());
        assertEquals(
                "no models in " + cache + "\n", Run.darkroom("models", "--cache", cache).out());
    }

    @Test
    void aTextThatNamesNoModelIsAUsageError() {
        for (String command : List.of("download", "models rm")) {
            var arguments = new java.util.ArrayList<Object>(List.of(command.split(" ")));
            arguments.add("../x");
            var run = Run.darkroom(arguments.toArray());
            assertEquals(2, run.exit());
            assertTrue(run.err().contains("ORG/NAME[@REVISION][:VARIANT]"), run.err());
        }
    }

    private static void answer(HttpExchange exchange) throws IOException {
        String path = exchange.getRequestURI().getPath();
        String body =
                path.contains("/tree/")
                        ? "[{\"type\":\"file\",\"path\":\"config.json\",\"size\":2,\"oid\":\""
                                + HASH
                                + "\"},{\"type\":\"file\",\"path\":\"model.safetensors\",\"size\":2,"
                                + "\"oid\":\""
                                + HASH
                                + "\"}]"
                        : path.startsWith("/api/") ? "{\"sha\":\"" + COMMIT + "\"}" : "{}";
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(200, bytes.length);
        exchange.getResponseBody().write(bytes);
        exchange.close();
    }

    @Test
    void aModelIsDownloaded() throws IOException {
        var server =
                HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", ModelsCommandTest::answer);
        server.start();
        String endpoint = "http://127.0.0.1:" + server.getAddress().getPort();
        try {
            var none = Run.darkroom("download", "org/tiny", "--offline", "--cache", cache);
            assertEquals(1, none.exit());
            assertTrue(none.err().startsWith("darkroom: org/tiny is not in the cache"), none.err());
            var run =
                    Run.darkroom("download", "org/tiny", "--endpoint", endpoint, "--cache", cache);
            assertEquals(0, run.exit(), run.err());
            Path folder = cache.toRealPath().resolve("models--org--tiny/snapshots/" + COMMIT);
            assertEquals(folder + "\n", run.out());
            assertEquals("{}", Files.readString(folder.resolve("model.safetensors")));
            var again = Run.darkroom("download", "org/tiny", "--offline", "--cache", cache);
            assertEquals(run.out(), again.out());
            assertEquals("", again.err());
        } finally {
            server.stop(0);
        }
    }

    @Test
    void plainLinesSayRateAndTimeLeft() {
        var text = new StringWriter();
        long[] now = {0};
        var file = new RemoteFile("a", 3 << 20, HASH);
        try (var progress =
                new DownloadProgress(
                        new PrintWriter(text, true),
                        TrainProgress.Display.LINES,
                        () -> false,
                        () -> now[0])) {
            progress.starts(List.of(file), file.size());
            progress.progresses(new DownloadListener.Progress(file, 0, 0, file.size()));
            now[0] = TrainProgress.EVERY.toNanos();
            progress.progresses(new DownloadListener.Progress(file, 1 << 20, 1 << 20, file.size()));
            progress.warns("the connection was cut");
        }
        assertEquals(
                """
                downloading 1 file, 3.00 MiB
                1.00 MiB of 3.00 MiB, 34.1 KiB/s, 1 min 0 s left
                warning: the connection was cut.
                """,
                text.toString().replace(System.lineSeparator(), "\n"));
    }
}
