package dev.darkroom.hub;

import dev.darkroom.testing.FakeHub;

import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * Lets this client and Python's {@code huggingface_hub} use the same hub and each other's cache, by
 * hand; {@code tests/oracle/hub.py} says how. It prints what it checked, and fails where the two
 * differ.
 */
final class HubExchange {
    private static final ModelId ID = new ModelId("org", "tiny", null, null);
    private static final String WEIGHTS = "transformer/diffusion_pytorch_model.safetensors";
    private static final int LARGE = 32 << 20;

    private final List<String> python;
    private final Path folder;
    private final FakeHub server = new FakeHub();

    private HubExchange(Path folder, List<String> python) throws IOException {
        this.folder = folder;
        this.python = python;
    }

    /** Arguments: a new folder, bytes of the measurement or 0, Python's command and the script. */
    public static void main(String[] arguments) throws Exception {
        var python = List.of(arguments).subList(2, arguments.length);
        var exchange = new HubExchange(Path.of(arguments[0]), python);
        try (exchange.server) {
            exchange.run(Integer.parseInt(arguments[1]));
        }
    }

    private void run(int measured) throws Exception {
        var model = server.model(ID.repository());
        model.add(
                "model_index.json", "{\"transformer\":[\"a\",\"B\"],\"scheduler\":[\"a\",\"B\"]}");
        model.add("README.md", "not needed");
        model.add("scheduler/scheduler_config.json", "{}");
        model.add("transformer/config.json", "{ }");
        model.add(WEIGHTS, WithFakeHub.random(LARGE, 1));

        Path python = folder.resolve("python");
        python("download", python);
        say("Python downloads from the test's hub");
        var found = new HubCache(python).find(ID, CheckpointFiles.of(ID)).orElseThrow();
        require(found.commit().equals(model.commit), "the commit is the same");
        requireSame(model, found.folder(), "we read what Python wrote");
        var listed = new HubCache(python).list();
        require(listed.size() == 1 && listed.getFirst().isComplete(), "it is listed as complete");
        require(listed.getFirst().revisions().equals(List.of("main")), "with its branch");

        Path ours = folder.resolve("ours");
        try (Hub hub = hub(ours)) {
            requireSame(model, hub.get(ID, DownloadListener.NONE).folder(), "we download");
            var repository = hub.repository(ID);
            require(hub.file(repository, "none.json").isEmpty(), "a missing file is noted");
        }
        python("read", ours);
        say("Python reads what we wrote, offline");
        require(
                entries(python).equals(entries(ours).stream().filter(this::isOfBoth).toList()),
                "both caches have the same entries " + entries(python));

        Path begun = folder.resolve("begun-by-us");
        cancelled(begun);
        server.requests.clear();
        python("download", begun);
        requireResumed("Python goes on with what we began");

        Path left = folder.resolve("begun-by-python");
        server.change = (request, reply) -> slowed(request, reply);
        Process process = start("download", left);
        Path blob = left.resolve("models--org--tiny/blobs/" + hash(model) + ".incomplete");
        while (!Files.exists(blob) || Files.size(blob) < LARGE / 4) {
            Thread.sleep(20);
        }
        process.destroyForcibly().waitFor();
        server.change = (request, reply) -> reply;
        server.requests.clear();
        try (Hub hub = hub(left)) {
            requireSame(model, hub.get(ID, DownloadListener.NONE).folder(), "we finish Python's");
        }
        requireResumed("we go on with what Python began");

        Path lock = Files.createDirectories(folder).resolve("a.lock");
        try (var held = BlobLock.acquire(lock, () -> {})) {
            require(held.isSeenByPython(), "flock is held");
            require(start("lock", lock).waitFor() == 3, "Python waits for our lock");
        }
        require(start("lock", lock).waitFor() == 0, "Python gets it afterwards");
        Process holder = start("hold", lock);
        holder.inputReader().readLine();
        long start = System.nanoTime();
        try (var held = BlobLock.acquire(lock, () -> {})) {
            require(System.nanoTime() - start > 500_000_000, "we wait for Python's lock");
        }
        if (measured > 0) {
            measure(measured);
        }
    }

    private void measure(int bytes) throws Exception {
        server.model(ID.repository()).add(WEIGHTS, WithFakeHub.random(bytes, 2));
        FakeHub.hash(server.model(ID.repository()), WEIGHTS);
        for (int i = 0; i < 4; i++) {
            Path ours = folder.resolve("measured-ours" + i);
            long start = System.nanoTime();
            try (Hub hub = hub(ours)) {
                hub.get(ID, DownloadListener.NONE);
            }
            double seconds = (System.nanoTime() - start) / 1e9;
            start = System.nanoTime();
            python("download", folder.resolve("measured-python" + i));
            double pythons = (System.nanoTime() - start) / 1e9;
            System.out.printf(
                    java.util.Locale.ROOT,
                    "%,d bytes: we %.2f s, Python %.2f s (with its start)%n",
                    bytes,
                    seconds,
                    pythons);
        }
    }

    private FakeHub.Reply slowed(FakeHub.Request request, FakeHub.Reply reply) {
        return request.toHub() ? reply : reply.slowly(1 << 18, 50);
    }

    private void cancelled(Path cache) throws Exception {
        var listener =
                new DownloadListener() {
                    private boolean isCancelled;

                    @Override
                    public void progresses(Progress progress) {
                        isCancelled |= progress.bytes() > LARGE / 2;
                    }

                    @Override
                    public boolean isCancelled() {
                        return isCancelled;
                    }
                };
        try (Hub hub = hub(cache)) {
            hub.get(ID, listener);
            throw new AssertionError("it was not cancelled");
        } catch (HubException e) {
            require(e.kind() == HubException.Kind.CANCELLED, "we begin and are cancelled");
        }
    }

    private Hub hub(Path cache) throws IOException {
        return new Hub(
                HubOptions.fromEnvironment(Map.of(), folder)
                        .withEndpoint(URI.create(server.endpoint().toString()))
                        .withCache(cache));
    }

    private Process start(String what, Path path) throws IOException {
        var command = new ArrayList<>(python);
        command.addAll(List.of(what, path.toString(), server.endpoint().toString()));
        return new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    }

    private void python(String what, Path path) throws Exception {
        Process process = start(what, path);
        String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        System.out.print(out);
        require(process.waitFor() == 0, "Python: " + what);
    }

    private void requireResumed(String what) {
        var ranges =
                server.requests.stream()
                        .filter(each -> !each.toHub() && each.method().equals("GET"))
                        .map(each -> each.header("range"))
                        .toList();
        require(ranges.size() == 1 && ranges.getFirst().matches("bytes=[1-9]\\d+-"), what + ranges);
    }

    private void requireSame(FakeHub.Model model, Path snapshot, String what) throws IOException {
        for (String path : model.files.keySet()) {
            boolean isNeeded = !path.equals("README.md");
            require(Files.exists(snapshot.resolve(path)) == isNeeded, what + ": " + path);
            require(
                    !isNeeded
                            || Arrays.equals(
                                    model.bytes(path), Files.readAllBytes(snapshot.resolve(path))),
                    what + ": its bytes");
        }
    }

    /** Files and links in a cache, with what the links say. */
    private static List<String> entries(Path cache) throws IOException {
        try (var files = Files.walk(cache)) {
            var entries = new ArrayList<String>();
            for (Path each : files.filter(file -> !Files.isDirectory(file)).sorted().toList()) {
                String link =
                        Files.isSymbolicLink(each) ? " -> " + Files.readSymbolicLink(each) : "";
                entries.add(cache.relativize(each) + link);
            }
            return entries;
        }
    }

    private boolean isOfBoth(String entry) {
        return !entry.contains(".no_exist");
    }

    private static String hash(FakeHub.Model model) {
        return FakeHub.hash(model, WEIGHTS);
    }

    private static void require(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError("not so: " + what);
        }
        say(what);
    }

    private static void say(String what) {
        System.out.println("so it is: " + what);
    }
}
