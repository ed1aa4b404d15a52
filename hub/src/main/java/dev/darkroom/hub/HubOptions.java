package dev.darkroom.hub;

import dev.darkroom.hub.HubException.Kind;

import org.jspecify.annotations.Nullable;

import java.net.ProxySelector;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.function.Consumer;

/**
 * Which hub and which cache are used: {@link #fromEnvironment}, changed by the {@code with}
 * methods. More options may come, so make them that way and not by the constructor.
 *
 * @param endpoint address of the hub or a mirror of it, http or https
 * @param cache folder of the cache, the one that holds {@code models--ORG--NAME}; null for {@code
 *     hub} in {@code home}
 * @param home folder that holds the cache and the token, {@code ~/.cache/huggingface}
 * @param token sent to the endpoint's host only; null for none
 * @param offline whether nothing is asked of the hub
 * @param parallel files that are downloaded at once, 1 to 64
 * @param timeout how long connecting may take, or the first byte of an answer, or a pause in one
 * @param longestWait how long a hub may ask to wait before a request is made again
 * @param proxies chooses the proxy of an address
 */
public record HubOptions(
        URI endpoint,
        @Nullable Path cache,
        Path home,
        @Nullable String token,
        boolean offline,
        int parallel,
        Duration timeout,
        Duration longestWait,
        ProxySelector proxies) {
    private static final int MOST_PARALLEL = 64;

    /**
     * Checks the values; a slash at the end of the endpoint is left out.
     *
     * @throws IllegalArgumentException if one is out of range, or the token could not be a header
     */
    public HubOptions {
        String scheme = endpoint.getScheme();
        if (endpoint.getHost() == null
                || !("http".equalsIgnoreCase(scheme) || "https".equalsIgnoreCase(scheme))
                || endpoint.getRawUserInfo() != null
                || endpoint.getRawQuery() != null
                || endpoint.getRawFragment() != null) {
            throw new IllegalArgumentException(
                    "the hub's endpoint is an address such as https://huggingface.co, without user,"
                            + " query or fragment");
        }
        endpoint = URI.create(endpoint.toString().replaceFirst("/+$", ""));
        if (token != null && !token.matches("[\\x21-\\x7e]{1,4096}")) {
            throw new IllegalArgumentException(
                    "the token is empty or has characters other than letters, digits and signs");
        }
        if (parallel < 1 || parallel > MOST_PARALLEL) {
            throw new IllegalArgumentException(
                    "1 to " + MOST_PARALLEL + " files are downloaded at once, not " + parallel);
        }
        if (!timeout.isPositive() || longestWait.isNegative()) {
            throw new IllegalArgumentException("a timeout is more than 0");
        }
    }

    /**
     * The options that the environment's variables give, those of {@code huggingface_hub}: {@code
     * HF_ENDPOINT}, {@code HF_HOME}, {@code HF_HUB_CACHE}, {@code XDG_CACHE_HOME}, {@code HOME},
     * {@code HF_TOKEN}, {@code HF_TOKEN_PATH}, {@code HF_HUB_OFFLINE}, and for proxies {@code
     * HTTPS_PROXY}, {@code HTTP_PROXY}, {@code ALL_PROXY} and {@code NO_PROXY}. The token's file is
     * {@code token} in the home folder.
     *
     * @throws HubException if one is malformed, or the token's file can't be read
     */
    public static HubOptions fromEnvironment() throws HubException {
        return fromEnvironment(System.getenv(), Path.of(System.getProperty("user.home")));
    }

    /**
     * The options that are given, or else those of the {@linkplain #fromEnvironment() environment}.
     *
     * @param given null for none
     * @throws HubException if those of the environment are malformed
     */
    public static HubOptions orFromEnvironment(@Nullable HubOptions given) throws HubException {
        return given == null ? fromEnvironment() : given;
    }

    /**
     * As {@link #fromEnvironment()}, with other variables.
     *
     * @param user the user's home folder, where {@code HOME} names none
     */
    public static HubOptions fromEnvironment(Map<String, String> variables, Path user)
            throws HubException {
        var environment = new Environment(variables, user);
        try {
            return new HubOptions(
                    environment.endpoint(),
                    environment.cache(),
                    environment.home(),
                    environment.token(),
                    environment.isOffline(),
                    4,
                    Duration.ofSeconds(30),
                    Duration.ofMinutes(5),
                    EnvironmentProxies.of(variables));
        } catch (IllegalArgumentException e) {
            throw new HubException(
                    Kind.BAD_NAME, "HF_ENDPOINT or HF_TOKEN can't be used: " + e.getMessage(), e);
        }
    }

    /** Whether {@code HF_HUB_DISABLE_PROGRESS_BARS} asks for no progress to be shown. */
    public static boolean hidesProgress(Map<String, String> variables) {
        return new Environment(variables, Path.of("")).hidesProgress();
    }

    /** The folder that holds {@code models--ORG--NAME}. */
    public Path cacheFolder() {
        return cache == null ? home.resolve("hub") : cache;
    }

    /** These options with another hub. */
    public HubOptions withEndpoint(URI endpoint) {
        return with(copy -> copy.endpoint = endpoint);
    }

    /** These options with another cache. */
    public HubOptions withCache(Path cache) {
        return with(copy -> copy.cache = cache);
    }

    /** These options with another token, or null for none. */
    public HubOptions withToken(@Nullable String token) {
        return with(copy -> copy.token = token);
    }

    /** These options, with or without asking the hub. */
    public HubOptions withOffline(boolean offline) {
        return with(copy -> copy.offline = offline);
    }

    /** These options with another number of files at once. */
    public HubOptions withParallel(int parallel) {
        return with(copy -> copy.parallel = parallel);
    }

    /** These options with another timeout. */
    public HubOptions withTimeout(Duration timeout) {
        return with(copy -> copy.timeout = timeout);
    }

    /** These options with another longest wait. */
    public HubOptions withLongestWait(Duration longestWait) {
        return with(copy -> copy.longestWait = longestWait);
    }

    /** These options with other proxies. */
    public HubOptions withProxies(ProxySelector proxies) {
        return with(copy -> copy.proxies = proxies);
    }

    /** The options without the token. */
    @Override
    public String toString() {
        return "HubOptions[endpoint="
                + endpoint
                + ", cache="
                + cacheFolder()
                + ", token="
                + (token == null ? "none" : "given")
                + ", offline="
                + offline
                + "]";
    }

    private HubOptions with(Consumer<Copy> change) {
        var copy = new Copy(this);
        change.accept(copy);
        return new HubOptions(
                copy.endpoint,
                copy.cache,
                home,
                copy.token,
                copy.offline,
                copy.parallel,
                copy.timeout,
                copy.longestWait,
                copy.proxies);
    }

    private static final class Copy {
        private URI endpoint;
        private @Nullable Path cache;
        private @Nullable String token;
        private boolean offline;
        private int parallel;
        private Duration timeout;
        private Duration longestWait;
        private ProxySelector proxies;

        Copy(HubOptions options) {
            endpoint = options.endpoint;
            cache = options.cache;
            token = options.token;
            offline = options.offline;
            parallel = options.parallel;
            timeout = options.timeout;
            longestWait = options.longestWait;
            proxies = options.proxies;
        }
    }
}
