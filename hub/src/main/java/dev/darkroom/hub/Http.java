package dev.darkroom.hub;

import dev.darkroom.common.ByteSize;
import dev.darkroom.hub.HubException.Kind;
import dev.darkroom.hub.Retries.BusyException;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.io.InputStream;
import java.net.ConnectException;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.UnknownHostException;
import java.net.http.HttpClient;
import java.net.http.HttpConnectTimeoutException;
import java.net.http.HttpHeaders;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.HttpTimeoutException;
import java.nio.channels.UnresolvedAddressException;
import java.time.Duration;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;

/**
 * Requests to a hub. Redirects are followed here and not by Java's client, since the token goes to
 * the endpoint's own host only, and since the hub's headers are those of the first answers.
 */
final class Http implements AutoCloseable {
    private static final int MOST_REDIRECTS = 10;
    private static final int LONGEST_REDIRECT_BODY = 1 << 16;
    private static final Set<Integer> REDIRECTS = Set.of(301, 302, 303, 307, 308);
    private static final Set<Integer> BUSY = Set.of(408, 425, 429, 500, 502, 503, 504);

    private final HubOptions options;
    private final HttpClient client;
    private final ScheduledExecutorService watcher;

    Http(HubOptions options) {
        this.options = options;
        client =
                HttpClient.newBuilder()
                        .version(HttpClient.Version.HTTP_1_1)
                        .followRedirects(HttpClient.Redirect.NEVER)
                        .connectTimeout(options.timeout())
                        .proxy(options.proxies())
                        .build();
        watcher =
                Executors.newSingleThreadScheduledExecutor(
                        task -> {
                            var thread = new Thread(task, "darkroom-hub-watch");
                            thread.setDaemon(true);
                            return thread;
                        });
    }

    /** An address below the endpoint. */
    URI endpoint(String path) {
        return URI.create(options.endpoint() + path);
    }

    /** Where the contents of a file are, which the hub may redirect elsewhere. */
    URI contents(Repository repository, RemoteFile file) {
        return endpoint(
                "/"
                        + repository.id().repository()
                        + "/resolve/"
                        + repository.commit()
                        + "/"
                        + RepoPath.encoded(file.path()));
    }

    /** Whether an address is one of the endpoint's scheme, host and port. */
    boolean isHubs(URI address) {
        URI hub = options.endpoint();
        return hub.getScheme().equalsIgnoreCase(address.getScheme())
                && hub.getHost().equalsIgnoreCase(address.getHost())
                && port(hub) == port(address);
    }

    private static int port(URI address) {
        if (address.getPort() >= 0) {
            return address.getPort();
        }
        return "https".equalsIgnoreCase(address.getScheme()) ? 443 : 80;
    }

    /**
     * Asks once.
     *
     * @param range such as {@code bytes=100-}; null for the whole
     * @throws HubException if asking again has no use
     * @throws IOException if it may have
     */
    Answer get(URI address, @Nullable String range, ModelId id)
            throws IOException, InterruptedException {
        var hubHeaders = new ArrayList<HttpHeaders>();
        URI at = address;
        for (int redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
            var response = send(at, range);
            var body = new GuardedStream(response.body(), options.timeout(), watcher);
            boolean keep = false;
            try {
                if (isHubs(at)) {
                    hubHeaders.add(response.headers());
                }
                int status = response.statusCode();
                if (REDIRECTS.contains(status)) {
                    body.readNBytes(LONGEST_REDIRECT_BODY); // so that the connection can be kept
                    at = target(at, response.headers(), id);
                    continue;
                }
                if (status == 200 || (range != null && (status == 206 || status == 416))) {
                    keep = true;
                    return new Answer(at, status, response.headers(), hubHeaders, body);
                }
                throw failure(response, at, id);
            } finally {
                if (!keep) {
                    body.close();
                }
            }
        }
        throw new HubException(
                Kind.BAD_ANSWER,
                id.repository()
                        + ": the hub redirected more than "
                        + MOST_REDIRECTS
                        + " times; check the endpoint "
                        + options.endpoint());
    }

    private HttpResponse<InputStream> send(URI at, @Nullable String range)
            throws IOException, InterruptedException {
        var request =
                HttpRequest.newBuilder(at)
                        .timeout(options.timeout())
                        .header("User-Agent", "darkroom")
                        .header("Accept-Encoding", "identity");
        if (options.token() != null && isHubs(at)) {
            request.header("Authorization", "Bearer " + options.token());
        }
        if (range != null) {
            request.header("Range", range);
        }
        try {
            return client.send(request.build(), BodyHandlers.ofInputStream());
        } catch (HttpConnectTimeoutException e) {
            throw new IOException("no connection to " + at.getHost() + " in time", e);
        } catch (HttpTimeoutException e) {
            throw new IOException("no answer from " + at.getHost() + " in time", e);
        } catch (ConnectException e) {
            boolean isUnknown =
                    e.getCause() instanceof UnresolvedAddressException
                            || e.getCause() instanceof UnknownHostException
                            || (e.getCause() != null
                                    && e.getCause().getCause()
                                            instanceof UnresolvedAddressException);
            throw new IOException(
                    isUnknown
                            ? "the host " + at.getHost() + " is not known (is there a network?)"
                            : "there is no connection to " + at.getHost(),
                    e);
        } catch (IllegalArgumentException e) { // of a proxy
            throw new HubException(
                    Kind.BAD_NAME, at.getHost() + " can't be asked: " + e.getMessage(), e);
        }
    }

    private static URI target(URI from, HttpHeaders headers, ModelId id) throws HubException {
        String location = headers.firstValue("Location").orElse("");
        try {
            URI target = from.resolve(new URI(location));
            String scheme = String.valueOf(target.getScheme()).toLowerCase(Locale.ROOT);
            boolean isSafe =
                    scheme.equals("https")
                            || (scheme.equals("http") && "http".equalsIgnoreCase(from.getScheme()));
            if (!location.isEmpty()
                    && isSafe
                    && target.getHost() != null
                    && target.getRawUserInfo() == null) {
                return target;
            }
        } catch (URISyntaxException | IllegalArgumentException e) {
            // Said below.
        }
        throw new HubException(
                Kind.BAD_ANSWER,
                id.repository()
                        + ": "
                        + from.getHost()
                        + " redirected to \""
                        + RepoPath.printable(location)
                        + "\", which is not followed; check the endpoint");
    }

    private IOException failure(HttpResponse<?> response, URI at, ModelId id) {
        int status = response.statusCode();
        var headers = response.headers();
        if (BUSY.contains(status) || status >= 520) {
            return new BusyException(
                    at.getHost() + " answered with the status " + status, wait(headers));
        }
        String code = headers.firstValue("X-Error-Code").orElse("");
        String said = RepoPath.printable(headers.firstValue("X-Error-Message").orElse(""));
        String page = options.endpoint() + "/" + id.repository();
        boolean hasToken = options.token() != null;
        return switch (code) {
            case "GatedRepo" ->
                    new HubException(
                            Kind.GATED,
                            id.repository()
                                    + " is gated: ask for access or accept the licence at "
                                    + page
                                    + (hasToken
                                            ? ", with the account that the token is of"
                                            : ", then set HF_TOKEN to a token of that account"));
            case "RevisionNotFound" ->
                    new HubException(
                            Kind.NO_REVISION,
                            id.repository()
                                    + " has no branch, tag or commit "
                                    + id.revisionOrMain()
                                    + "; see "
                                    + page
                                    + "/commits for those that there are");
            case "EntryNotFound" ->
                    new HubException(
                            Kind.NO_FILE,
                            id.repository()
                                    + " has no file "
                                    + RepoPath.printable(at.getPath())
                                    + "; see "
                                    + page
                                    + " for those that there are");
            default -> failure(status, code, said, page, id);
        };
    }

    private HubException failure(int status, String code, String said, String page, ModelId id) {
        boolean hasToken = options.token() != null;
        String hubSays = said.isEmpty() ? "" : " (it says: " + said + ")";
        if (said.contains("Invalid credentials") || (status == 401 && hasToken)) {
            return new HubException(
                    Kind.DENIED,
                    options.endpoint()
                            + " refuses the token"
                            + hubSays
                            + "; make a new one at "
                            + options.endpoint()
                            + "/settings/tokens and set HF_TOKEN, or unset it");
        }
        if (code.equals("RepoNotFound") || status == 401 || status == 404 || status == 410) {
            return new HubException(
                    Kind.NO_MODEL,
                    "there is no model "
                            + id.repository()
                            + " at "
                            + options.endpoint()
                            + (hasToken
                                    ? " that the token may see; check the name, and that its"
                                            + " account has access"
                                    : "; check the name, or set HF_TOKEN if it is private"));
        }
        if (status == 403 || status == 451) {
            return new HubException(
                    Kind.DENIED,
                    "access to "
                            + id.repository()
                            + " is denied"
                            + hubSays
                            + "; see "
                            + page
                            + (hasToken ? ", and which permissions the token has" : ""));
        }
        return new HubException(
                Kind.BAD_ANSWER,
                id.repository()
                        + ": the hub answered with the status "
                        + status
                        + hubSays
                        + "; check the endpoint "
                        + options.endpoint());
    }

    /** How long the hub asks to wait; null where it does not say. */
    private static @Nullable Duration wait(HttpHeaders headers) {
        String after = headers.firstValue("Retry-After").orElse("").strip();
        var seconds = Answer.parsed(after);
        if (seconds.isPresent()) {
            return Duration.ofSeconds(seconds.getAsLong());
        }
        try {
            var until = ZonedDateTime.parse(after, DateTimeFormatter.RFC_1123_DATE_TIME);
            var wait = Duration.between(Instant.now(), until.toInstant());
            return wait.isNegative() ? Duration.ZERO : wait;
        } catch (DateTimeParseException e) {
            return null;
        }
    }

    /** A whole body of a size that is not too large to be kept. */
    static byte[] whole(Answer answer, int most, String what) throws IOException {
        byte[] bytes = answer.body().readNBytes(most + 1);
        if (bytes.length > most) {
            throw new HubException(
                    Kind.BAD_ANSWER,
                    what
                            + ": the hub's answer is larger than "
                            + ByteSize.format(most)
                            + "; check the endpoint");
        }
        return bytes;
    }

    @Override
    public void close() {
        client.shutdownNow();
        watcher.shutdownNow();
    }
}
