package dev.darkroom.hub;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.hub.HubException.Kind;
import dev.darkroom.testing.FakeHub;
import dev.darkroom.testing.FakeHub.Reply;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** Cuts, lies and pauses: what arrives is whole or not there, and nothing hangs. */
class BrokenConnectionTest extends WithFakeHub {
    private static final String WEIGHTS = "transformer/diffusion_pytorch_model.safetensors";

    private String hash() {
        return FakeHub.hash(server.model(ID.repository()), WEIGHTS);
    }

    private Path incomplete() {
        return storage().resolve("blobs/" + hash() + ".incomplete");
    }

    private void changeWeights(java.util.function.UnaryOperator<Reply> change) {
        server.change =
                (request, reply) ->
                        !request.toHub() && request.path().contains(hash())
                                ? change.apply(reply)
                                : reply;
    }

    @Test
    void aCutDownloadGoesOnWhereItStopped() throws Exception {
        var model = tiny();
        var cuts = new AtomicInteger();
        changeWeights(reply -> cuts.incrementAndGet() < 5 ? reply.cutAfter(70_000) : reply);
        assertSame(model, get(ID), NEEDED);
        var ranges = server.asked(hash()).stream().map(each -> each.header("range")).toList();
        assertEquals("", ranges.getFirst());
        assertTrue(ranges.getLast().matches("bytes=[1-9][0-9]+-"), ranges.toString());
    }

    @Test
    void aHubThatAlwaysCutsIsGivenUp() throws Exception {
        tiny();
        changeWeights(reply -> reply.cutAfter(10));
        assertFails(Kind.UNREACHABLE, "what came so far is kept");
        assertTrue(Files.size(incomplete()) > 0);
        assertFalse(Files.exists(storage().resolve("refs/main")));
        server.change = (request, reply) -> reply;
        server.requests.clear();
        assertSame(server.model("org/tiny"), get(ID), NEEDED);
        assertTrue(server.asked(hash()).getFirst().header("range").startsWith("bytes="));
    }

    @Test
    void aHubThatCutsBeforeItAnswers() throws Exception {
        var model = tiny();
        var asked = new AtomicInteger();
        server.change = (request, reply) -> asked.incrementAndGet() % 2 == 1 ? null : reply;
        assertSame(model, get(ID), NEEDED);
    }

    @Test
    void anotherContentThanListedNeverGetsTheName() throws Exception {
        tiny();
        changeWeights(reply -> reply.withBody(random(300_000, 99)));
        assertFails(Kind.MISMATCH, "its hash is another than " + hash());
        assertFalse(Files.exists(storage().resolve("blobs/" + hash())));
        assertEquals(0, Files.size(incomplete()));
    }

    @Test
    void smallFilesAreCheckedToo() throws Exception {
        tiny();
        server.change =
                (request, reply) ->
                        request.path().endsWith("/vae/config.json")
                                ? reply.withBody("{x}".getBytes())
                                : reply;
        assertFails(Kind.MISMATCH, "vae/config.json is not what the hub lists (3 bytes)");
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 299_999, 300_001, 600_000})
    void anotherLengthThanListedIsRefused(int length) throws Exception {
        tiny();
        changeWeights(reply -> reply.withBody(random(length, 2)));
        assertFails(Kind.MISMATCH, length + " bytes are sent");
    }

    @Test
    void aBodyWithoutALengthEndsAtTheListedSize() throws Exception {
        tiny();
        changeWeights(
                reply ->
                        reply.withBody(random(50_000_000, 2))
                                .with("Transfer-Encoding", "none")
                                .with("Connection", "close"));
        // No length and no end but that of the connection: HTTP/1.0's form.
        assertFails(Kind.MISMATCH, "more bytes are sent");
    }

    @Test
    void headersThatContradictTheListAreRefused() throws Exception {
        tiny();
        server.change =
                (request, reply) ->
                        reply.status() == 302
                                ? reply.with("X-Linked-Etag", "\"" + "ab".repeat(32) + "\"")
                                : reply;
        assertFails(Kind.MISMATCH, "the sent one is abab");
        server.change =
                (request, reply) ->
                        request.path().contains("/resolve/")
                                ? reply.with("X-Repo-Commit", "cd".repeat(20))
                                : reply;
        assertFails(Kind.MISMATCH, "of another commit, cdcd");
    }

    @Test
    void leftoversThatAreDamagedAreDownloadedAnew() throws Exception {
        var model = tiny();
        Files.createDirectories(incomplete().getParent());
        for (int size : new int[] {100, 300_000, 300_001, 5_000_000}) {
            Files.write(incomplete(), random(size, 55));
            assertSame(model, get(ID), NEEDED);
            Files.delete(storage().resolve("blobs/" + hash()));
            Files.delete(storage().resolve("snapshots/" + model.commit + "/" + WEIGHTS));
        }
    }

    @Test
    void leftoversThatAreWholeAreNotAskedFor() throws Exception {
        var model = tiny();
        Files.createDirectories(incomplete().getParent());
        Files.write(incomplete(), model.bytes(WEIGHTS));
        assertSame(model, get(ID), NEEDED);
        assertEquals(0, server.asked(hash()).size());
    }

    @ParameterizedTest
    @ValueSource(strings = {"ignored", "refused", "other", "none", "size"})
    void aServerThatKnowsNoRanges(String how) throws Exception {
        var model = tiny();
        Files.createDirectories(incomplete().getParent());
        Files.write(incomplete(), java.util.Arrays.copyOf(model.bytes(WEIGHTS), 1234));
        changeWeights(
                reply ->
                        reply.status() != 206
                                ? reply
                                : switch (how) {
                                    case "ignored" -> Reply.of(200, model.bytes(WEIGHTS));
                                    case "refused" -> Reply.of(416, new byte[0]);
                                    case "other" ->
                                            reply.with("Content-Range", "bytes 7-299999/300000");
                                    case "none" -> Reply.of(206, reply.body());
                                    default ->
                                            reply.with("Content-Range", "bytes 1234-299999/300007");
                                });
        if (how.equals("size")) {
            assertFails(Kind.MISMATCH, "sent with 300007 bytes");
        } else {
            assertSame(model, get(ID), NEEDED);
        }
    }

    // ---- Pauses ----

    @Test
    void aPauseIsGivenUpAndTheRestAskedForAgain() throws Exception {
        var model = tiny();
        var asked = new AtomicInteger();
        changeWeights(
                reply -> asked.incrementAndGet() == 1 ? reply.slowly(100_000, 60_000) : reply);
        var listener = new Record();
        try (Hub hub = hub(options().withTimeout(Duration.ofMillis(300)))) {
            assertSame(model, hub.get(ID, listener), NEEDED);
        }
        assertTrue(listener.toString().contains("bytes a second came"), listener.toString());
        assertEquals("bytes=100000-", server.asked(hash()).get(1).header("range"));
    }

    @Test
    void aTrickleThatNeverEndsIsGivenUp() throws Exception {
        tiny();
        changeWeights(reply -> reply.slowly(1, 20));
        try (Hub hub = hub(options().withTimeout(Duration.ofMillis(300)))) {
            var e = assertThrows(HubException.class, () -> hub.get(ID, DownloadListener.NONE));
            assertEquals(Kind.UNREACHABLE, e.kind());
        }
    }

    @Test
    void noAnswerAtAllIsGivenUp() throws Exception {
        tiny();
        server.change =
                (request, reply) -> {
                    try {
                        Thread.sleep(20_000);
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                    }
                    return reply;
                };
        try (Hub hub = hub(options().withTimeout(Duration.ofMillis(100)))) {
            var e = assertThrows(HubException.class, () -> hub.get(ID, DownloadListener.NONE));
            assertEquals(Kind.UNREACHABLE, e.kind());
            assertTrue(e.getMessage().contains("no answer from 127.0.0.1 in time"));
        }
    }

    // ---- Stopping ----

    @Test
    void anInterruptLeavesWhatCanBeGoneOnFrom() throws Exception {
        var model = tiny();
        changeWeights(reply -> reply.slowly(50_000, 100));
        var begun = new CountDownLatch(1);
        var result = new CompletableFuture<Throwable>();
        var thread =
                Thread.ofPlatform()
                        .start(
                                () -> {
                                    try (Hub hub = hub()) {
                                        hub.get(
                                                ID,
                                                new DownloadListener() {
                                                    @Override
                                                    public void progresses(Progress progress) {
                                                        if (progress.bytes() >= 100_000) {
                                                            begun.countDown();
                                                        }
                                                    }
                                                });
                                        result.complete(new AssertionError("it was not ended"));
                                    } catch (Throwable e) {
                                        result.complete(e);
                                    }
                                });
        assertTrue(begun.await(20, TimeUnit.SECONDS));
        thread.interrupt();
        assertInstanceOf(InterruptedException.class, result.get(10, TimeUnit.SECONDS));
        assertGoesOn(model);
    }

    @Test
    void aListenerCanCancel() throws Exception {
        var model = tiny();
        changeWeights(reply -> reply.slowly(50_000, 20));
        var listener =
                new DownloadListener() {
                    private boolean cancelled;

                    @Override
                    public void progresses(Progress progress) {
                        cancelled |= progress.bytes() >= 100_000;
                    }

                    @Override
                    public boolean isCancelled() {
                        return cancelled;
                    }
                };
        try (Hub hub = hub()) {
            var e = assertThrows(HubException.class, () -> hub.get(ID, listener));
            assertEquals(Kind.CANCELLED, e.kind());
        }
        assertGoesOn(model);
    }

    @Test
    void aListenerThatFailsEndsTheDownload() throws Exception {
        var model = tiny();
        changeWeights(reply -> reply.slowly(50_000, 20));
        var listener =
                new DownloadListener() {
                    @Override
                    public void progresses(Progress progress) {
                        if (progress.bytes() >= 100_000) {
                            throw new IllegalStateException("mine");
                        }
                    }
                };
        try (Hub hub = hub()) {
            var e = assertThrows(IllegalStateException.class, () -> hub.get(ID, listener));
            assertEquals("mine", e.getMessage());
        }
        assertGoesOn(model);
    }

    @Test
    void aKilledProcessLeavesWhatCanBeGoneOnFrom() throws Exception {
        var model = tiny();
        changeWeights(reply -> reply.slowly(20_000, 100));
        var process =
                new ProcessBuilder(
                                ProcessHandle.current().info().command().orElseThrow(),
                                "-cp",
                                System.getProperty("java.class.path"),
                                Child.class.getName(),
                                server.endpoint().toString(),
                                cache().toString())
                        .redirectErrorStream(true)
                        .start();
        try (var out = process.inputReader()) {
            assertEquals("100000", out.readLine());
            process.destroyForcibly().waitFor();
        }
        assertGoesOn(model);
    }

    /** Downloads, and says when 100,000 bytes of the weights are there. */
    static final class Child {
        public static void main(String[] arguments) throws Exception {
            var options =
                    HubOptions.fromEnvironment()
                            .withEndpoint(java.net.URI.create(arguments[0]))
                            .withCache(Path.of(arguments[1]));
            try (Hub hub = hub(options)) {
                hub.get(
                        ID,
                        new DownloadListener() {
                            private boolean said;

                            @Override
                            public void progresses(Progress progress) {
                                if (progress.bytes() >= 100_000 && !said) {
                                    said = true;
                                    System.out.println("100000");
                                }
                            }
                        });
            }
        }
    }

    private void assertGoesOn(FakeHub.Model model) throws Exception {
        assertFalse(Files.exists(storage().resolve("blobs/" + hash())));
        assertFalse(Files.exists(storage().resolve("snapshots/" + model.commit + "/" + WEIGHTS)));
        assertTrue(Files.size(incomplete()) >= 100_000);
        assertNoWrongFile();
        server.change = (request, reply) -> reply;
        server.requests.clear();
        assertSame(model, get(ID), NEEDED);
        assertTrue(server.asked(hash()).getFirst().header("range").matches("bytes=[1-9]\\d{5}-"));
        assertFalse(Files.exists(incomplete()));
    }
}
