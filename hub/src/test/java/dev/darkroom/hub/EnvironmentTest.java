package dev.darkroom.hub;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.hub.HubException.Kind;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** The variables of huggingface_hub and of proxies. */
class EnvironmentTest {
    @TempDir Path user;

    private HubOptions options(Map<String, String> variables) throws HubException {
        return HubOptions.fromEnvironment(variables, user);
    }

    /** As Python's {@code expanduser}. */
    @Test
    void homeIsWhereTheVariableSays() throws HubException {
        Path caches = Path.of(".cache/huggingface/hub");
        assertEquals(Path.of("/o").resolve(caches), options(Map.of("HOME", "/o")).cacheFolder());
        assertEquals(user.resolve(caches), options(Map.of("HOME", "here")).cacheFolder());
    }

    @Test
    void whereTheCacheIs() throws HubException {
        Path caches = user.resolve(".cache/huggingface");
        assertEquals(caches.resolve("hub"), options(Map.of()).cacheFolder());
        assertEquals(
                Path.of("/x/huggingface/hub"),
                options(Map.of("XDG_CACHE_HOME", "/x")).cacheFolder());
        assertEquals(
                Path.of("/h/hub"),
                options(Map.of("HF_HOME", "/h", "XDG_CACHE_HOME", "/x")).cacheFolder());
        assertEquals(
                Path.of("/c"),
                options(Map.of("HF_HUB_CACHE", "/c", "HF_HOME", "/h")).cacheFolder());
        assertEquals(user.resolve("mine/hub"), options(Map.of("HF_HOME", "~/mine")).cacheFolder());
        assertEquals(
                Path.of("/big/hf/hub"),
                options(Map.of("HF_HOME", "${DISK}/hf", "DISK", "/big")).cacheFolder());
        assertEquals(Path.of("/y"), options(Map.of()).withCache(Path.of("/y")).cacheFolder());
    }

    @Test
    void whichTokenIsSent() throws Exception {
        assertNull(options(Map.of()).token());
        assertEquals("hf_a", options(Map.of("HF_TOKEN", " hf_a\n")).token());
        Path file = Files.writeString(user.resolve("mine"), "hf_b\n");
        assertEquals("hf_b", options(Map.of("HF_TOKEN_PATH", file.toString())).token());
        Files.createDirectories(user.resolve(".cache/huggingface"));
        Files.writeString(user.resolve(".cache/huggingface/token"), "hf_c");
        assertEquals("hf_c", options(Map.of("HF_TOKEN", "")).token());
        assertEquals("hf_a", options(Map.of("HF_TOKEN", "hf_a")).token());
        assertNull(options(Map.of("HF_TOKEN_PATH", "/nowhere")).token());
        var folder = Map.of("HF_TOKEN_PATH", user.toString());
        assertEquals(Kind.CACHE, assertThrows(HubException.class, () -> options(folder)).kind());
        var secret = Map.of("HF_TOKEN", "hf_secret with spaces");
        var e = assertThrows(HubException.class, () -> options(secret));
        assertFalse(e.getMessage().contains("hf_secret"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"1", "on", "Yes", "TRUE"})
    void offlineIsSwitchedOn(String value) throws HubException {
        assertTrue(options(Map.of("HF_HUB_OFFLINE", value)).offline());
        assertFalse(options(Map.of("HF_HUB_OFFLINE", value + "x")).offline());
        assertFalse(options(Map.of()).offline());
        String progress = "HF_HUB_DISABLE_PROGRESS_BARS";
        assertTrue(HubOptions.hidesProgress(Map.of(progress, value)));
        assertFalse(HubOptions.hidesProgress(Map.of(progress, value + "x")));
        assertFalse(HubOptions.hidesProgress(Map.of()));
    }

    @Test
    void whichHubIsAsked() throws HubException {
        assertEquals("https://huggingface.co", options(Map.of()).endpoint().toString());
        assertEquals(
                "https://mirror.example/hf",
                options(Map.of("HF_ENDPOINT", "https://mirror.example/hf/")).endpoint().toString());
        for (String bad :
                List.of("mirror", "file:///x", "https://a:b@c", "https://x?y", "ht tp:")) {
            var variables = Map.of("HF_ENDPOINT", bad);
            assertEquals(
                    Kind.BAD_NAME,
                    assertThrows(HubException.class, () -> options(variables)).kind());
        }
    }

    private static String proxy(Map<String, String> variables, String address) {
        var chosen = EnvironmentProxies.of(variables).select(URI.create(address));
        assertEquals(1, chosen.size());
        return chosen.getFirst().type() == Proxy.Type.DIRECT
                ? "none"
                : ((InetSocketAddress) chosen.getFirst().address()).toString();
    }

    @Test
    void whichProxyIsUsed() {
        String hub = "https://huggingface.co/x";
        assertEquals("none", proxy(Map.of(), hub));
        assertEquals(
                "127.0.0.1/<unresolved>:3128",
                proxy(Map.of("HTTPS_PROXY", "http://127.0.0.1:3128"), hub)
                        .replace("/127.0.0.1", "127.0.0.1/<unresolved>"));
        assertEquals("none", proxy(Map.of("ALL_PROXY", "127.0.0.1:9"), "http://localhost:8/x"));
        assertEquals("none", proxy(Map.of("HTTP_PROXY", "http://127.0.0.1:3128"), hub));
        assertEquals("/127.0.0.1:9", proxy(Map.of("ALL_PROXY", "127.0.0.1:9"), hub));
        assertEquals(
                "/127.0.0.1:1",
                proxy(Map.of("https_proxy", "127.0.0.1:1", "HTTPS_PROXY", "127.0.0.1:2"), hub));
        for (String except : List.of("*", "huggingface.co", ".co", "a, *.huggingface.co", "x co")) {
            assertEquals(
                    "none",
                    proxy(Map.of("HTTPS_PROXY", "127.0.0.1:1", "NO_PROXY", except), hub),
                    except);
        }
        assertEquals(
                "/127.0.0.1:1",
                proxy(Map.of("HTTPS_PROXY", "127.0.0.1:1", "NO_PROXY", "face.co,"), hub));
        for (String bad : List.of("socks5://x:1", "http://u:p@x:1", "http://", "a b")) {
            assertThrows(
                    IllegalArgumentException.class, () -> proxy(Map.of("HTTPS_PROXY", bad), hub));
        }
    }
}
