package dev.darkroom.hub;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.hub.HubException.Kind;
import dev.darkroom.testing.FakeHub.Reply;
import dev.darkroom.testing.FakeHub.Request;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;

/** Refusals, redirects, limits and broken answers: each is a sentence with what to do. */
class HubErrorsTest extends WithFakeHub {
    private static final String TOKEN = "hf_secretsecret";

    private void reply(String part, Reply reply) {
        change(part, old -> reply);
    }

    private void change(String part, UnaryOperator<Reply> change) {
        server.change =
                (request, reply) -> request.path().contains(part) ? change.apply(reply) : reply;
    }

    @Override
    HubOptions options() throws HubException {
        return super.options().withToken(token);
    }

    private String token;

    // ---- Refusals ----

    @Test
    void aGatedModelSaysWhereToAsk() throws IOException {
        tiny();
        reply("/resolve/", Reply.error(401, "GatedRepo", "Access is restricted."));
        assertFails(
                Kind.GATED,
                "org/tiny is gated: ask for access or accept the licence at "
                        + server.endpoint()
                        + "/org/tiny, then set HF_TOKEN to a token of that account");
        token = TOKEN;
        reply("/resolve/", Reply.error(403, "GatedRepo", "Not in the list."));
        assertFails(Kind.GATED, "with the account that the token is of");
    }

    @Test
    void aMissingOrPrivateModel() throws IOException {
        assertFails(Kind.NO_MODEL, "check the name, or set HF_TOKEN if it is private");
        reply("/api/", Reply.of(401, new byte[0]));
        assertFails(Kind.NO_MODEL, "there is no model org/tiny at " + server.endpoint());
        token = TOKEN;
        reply("/api/", Reply.error(404, "RepoNotFound", "Repository not found"));
        assertFails(Kind.NO_MODEL, "that the token may see");
    }

    @Test
    void aRefusedToken() throws IOException {
        token = TOKEN;
        tiny();
        reply("/api/", Reply.error(401, "", "Invalid credentials in Authorization header"));
        assertFails(Kind.DENIED, "refuses the token (it says: Invalid credentials");
        reply("/api/", Reply.error(403, "", "Missing permission\nof \u001b[31mread"));
        assertFails(Kind.DENIED, "which permissions the token has");
        assertFalse(failure(ID).getMessage().contains(TOKEN));
    }

    @Test
    void aWrongRevisionOrFile() throws Exception {
        var model = tiny();
        var failure = failure(ID.withRevision("v9"));
        assertEquals(Kind.NO_REVISION, failure.kind());
        assertEquals(
                "org/tiny has no branch, tag or commit v9; see "
                        + server.endpoint()
                        + "/org/tiny/commits for those that there are",
                failure.getMessage());
        reply("/vae/config.json", Reply.error(404, "EntryNotFound", "Entry not found"));
        assertFails(Kind.NO_FILE, "org/tiny has no file");
        model.files.keySet().removeIf(path -> path.startsWith("vae/"));
        assertFails(Kind.NO_FILE, "names the part vae, and there is no such folder");
    }

    @Test
    void offlineIsSaid() throws Exception {
        tiny();
        try (Hub hub = hub(options().withOffline(true))) {
            var e = assertThrows(HubException.class, () -> hub.get(ID, DownloadListener.NONE));
            assertEquals(Kind.OFFLINE, e.kind());
            assertTrue(e.getMessage().startsWith("org/tiny is not in the cache " + cache()));
            assertTrue(e.getMessage().endsWith("unset HF_HUB_OFFLINE or leave out --offline"));
        }
        assertEquals(List.of(), server.requests);
    }

    @Test
    void anAddressWhereNobodyListens() throws Exception {
        server.close();
        assertFails(Kind.UNREACHABLE, "there is no connection to 127.0.0.1");
    }

    // ---- Limits ----

    @Test
    void aShortWaitIsWaitedFor() throws Exception {
        var model = tiny();
        var asked = new AtomicInteger();
        change(
                "/api/",
                reply ->
                        switch (asked.incrementAndGet()) {
                            case 1 -> Reply.of(429, new byte[0]).with("Retry-After", "1");
                            case 2 -> Reply.of(503, new byte[0]);
                            case 3 -> Reply.of(500, new byte[0]).with("Retry-After", "x");
                            default -> reply;
                        });
        long start = System.nanoTime();
        assertSame(model, get(ID), NEEDED);
        assertTrue(System.nanoTime() - start > 900_000_000, "it waited");
    }

    @Test
    void aLongWaitIsAnError() throws Exception {
        tiny();
        reply("/api/", Reply.of(429, new byte[0]).with("Retry-After", "3600"));
        assertFails(Kind.RATE_LIMITED, "the hub asks to wait for 3600 s; try again then");
        String date =
                ZonedDateTime.now(ZoneOffset.UTC)
                        .plusHours(2)
                        .format(DateTimeFormatter.RFC_1123_DATE_TIME);
        reply("/resolve/", Reply.of(429, new byte[0]).with("Retry-After", date));
        assertFails(Kind.RATE_LIMITED, "the hub asks to wait for 7");
    }

    @ParameterizedTest
    @ValueSource(ints = {429, 500, 502, 503, 504, 522})
    void aHubThatStaysBusyIsGivenUp(int status) throws Exception {
        tiny();
        reply("/resolve/", Reply.of(status, new byte[0]));
        assertFails(Kind.RATE_LIMITED, "answered with the status " + status);
    }

    @ParameterizedTest
    @ValueSource(ints = {201, 204, 206, 304, 400, 418})
    void aStatusThatIsNoneOfTheProtocol(int status) throws Exception {
        tiny();
        reply("/api/", Reply.of(status, new byte[0]));
        assertFails(Kind.BAD_ANSWER, "the hub answered with the status " + status);
    }

    // ---- The token ----

    @Test
    void theTokenGoesToTheEndpointOnly() throws Exception {
        token = TOKEN;
        var model = tiny();
        // The hub's name of the same machine is another host.
        change(
                "/vae/config.json",
                reply ->
                        Reply.of(307, new byte[0])
                                .with("X-Repo-Commit", model.commit)
                                .with(
                                        "Location",
                                        "http://localhost:"
                                                + server.endpoint().getPort()
                                                + "/org/tiny/resolve/main/vae%2Fconfig.json"));
        reply("nothing", Reply.of(500, new byte[0]));
        assertSame(model, get(ID), NEEDED);
        int stored = 0;
        for (Request request : server.requests) {
            boolean isHub = request.header("host").equals(server.endpoint().getAuthority());
            assertEquals(
                    isHub && request.toHub() ? "Bearer " + TOKEN : "",
                    request.header("authorization"),
                    request.toString());
            stored += request.toHub() ? 0 : 1;
        }
        assertTrue(stored >= 2);
    }

    @Test
    void theTokenIsNotSentToTheSameMachineByAnotherNameOrPort() throws Exception {
        token = TOKEN;
        var model = tiny();
        String other = "http://localhost:" + server.endpoint().getPort();
        server.change =
                (request, reply) ->
                        request.header("host").startsWith("127.")
                                        && request.toHub()
                                        && request.path().contains("/resolve/")
                                ? Reply.of(302, new byte[0])
                                        .with("Location", other + request.path())
                                : reply;
        assertSame(model, get(ID), NEEDED);
        var elsewhere =
                server.requests.stream()
                        .filter(each -> !each.header("host").startsWith("127."))
                        .toList();
        assertEquals(NEEDED.size(), elsewhere.size());
        elsewhere.forEach(each -> assertEquals("", each.header("authorization")));
    }

    @Test
    void aMirrorWithAPathGetsTheToken() throws Exception {
        token = TOKEN;
        var model = tiny();
        server.change =
                (request, reply) ->
                        request.path().startsWith("/mirror/")
                                ? Reply.of(307, new byte[0])
                                        .with("Location", request.path().substring(7))
                                : reply;
        try (Hub hub = hub(options().withEndpoint(URI.create(server.endpoint() + "/mirror/")))) {
            assertSame(model, hub.get(ID, DownloadListener.NONE), NEEDED);
        }
        for (Request request : server.requests) {
            assertEquals(request.toHub() ? "Bearer " + TOKEN : "", request.header("authorization"));
        }
    }

    // ---- Redirects ----

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "file:///etc/passwd",
                "ftp://127.0.0.1/x",
                "jar:file:/x!/y",
                "http://user:password@127.0.0.1/x",
                "http:///x",
                "http://[::1/x",
                "\\\\host\\share",
                "data:text/plain,x"
            })
    void aRedirectToNoHostIsRefused(String location) throws Exception {
        tiny();
        reply("/resolve/", Reply.of(302, new byte[0]).with("Location", location));
        assertFails(Kind.BAD_ANSWER, "redirected to \"" + location + "\", which is not followed");
    }

    @Test
    void endlessRedirectsEnd() throws Exception {
        tiny();
        change("/resolve/", reply -> Reply.of(302, new byte[0]).with("Location", "?again"));
        assertFails(Kind.BAD_ANSWER, "redirected more than 10 times");
    }

    // ---- What the hub says ----

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "null",
                "7",
                "[]",
                "{}",
                "{\"sha\":7}",
                "{\"sha\":\"main\"}",
                "{\"sha\":\"../../../../../../etc/passwd\"}",
                "{\"sha\":\"ABABABABABABABABABABABABABABABABABABABAB\"}",
                "<html>"
            })
    void anAnswerThatTellsNoCommit(String body) throws Exception {
        tiny();
        reply("/revision/", Reply.of(200, body.getBytes(StandardCharsets.UTF_8)));
        assertFails(Kind.BAD_ANSWER, "what the hub says about org/tiny can't be used");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{}",
                "[7]",
                "[{}]",
                "[{\"type\":\"file\"}]",
                "[{\"type\":\"file\",\"path\":7}]",
                "[{\"type\":\"file\",\"path\":\"a\"}]",
                "[{\"type\":\"file\",\"path\":\"a\",\"size\":1,\"oid\":\"../x\"}]",
                "[{\"type\":\"file\",\"path\":\"a\",\"size\":-1,"
                        + "\"oid\":\"abababababababababababababababababababab\"}]",
                "[{\"type\":\"file\",\"path\":\"a\",\"size\":1e30,"
                        + "\"oid\":\"abababababababababababababababababababab\"}]",
                "[[[[[[[[[[",
                "\u0001"
            })
    void aListThatIsMalformed(String body) throws Exception {
        tiny();
        reply("/tree/", Reply.of(200, body.getBytes(StandardCharsets.UTF_8)));
        assertFails(Kind.BAD_ANSWER, "what the hub says about org/tiny can't be used");
    }

    @Test
    void aListThatIsTooLargeOrHasNoEnd() throws Exception {
        tiny();
        reply("/tree/", Reply.of(200, new byte[17 << 20]));
        assertFails(Kind.BAD_ANSWER, "is larger than 16.0 MiB");
        change(
                "/tree/",
                reply ->
                        Reply.of(200, "[]".getBytes(StandardCharsets.UTF_8))
                                .with("Link", "<?page=2>; rel=\"next\""));
        assertFails(Kind.BAD_ANSWER, "the list of its files does not end");
        change("/tree/", reply -> reply.with("Link", "<http://localhost:1/next>; rel=\"next\""));
        assertFails(Kind.BAD_ANSWER, "the next page is another host's");
    }

    @Test
    void moreThanTheDiskHasIsSaidBefore() throws Exception {
        tiny();
        change(
                "/tree/",
                reply ->
                        reply.withBody(
                                new String(reply.body(), StandardCharsets.UTF_8)
                                        .replace("\"size\":300000", "\"size\":800000000000000000")
                                        .getBytes(StandardCharsets.UTF_8)));
        assertFails(Kind.NO_SPACE, "free; free some, or name a cache on another disk");
        assertEquals(1, server.asked("/resolve/").size());
    }

    @Test
    void tokensAreNotInTexts() throws HubException {
        assertFalse(super.options().withToken(TOKEN).toString().contains(TOKEN));
        for (String bad : List.of("", "a b", "a\nX: y", "ä")) {
            var e =
                    assertThrows(
                            IllegalArgumentException.class, () -> super.options().withToken(bad));
            assertTrue(bad.isEmpty() || !e.getMessage().contains(bad));
        }
        assertThrows(
                IllegalArgumentException.class, () -> super.options().withTimeout(Duration.ZERO));
    }
}
