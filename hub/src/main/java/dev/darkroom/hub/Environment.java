package dev.darkroom.hub;

import dev.darkroom.common.UntrustedFile;
import dev.darkroom.hub.HubException.Kind;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What the environment's variables say, as {@code huggingface_hub} reads them.
 *
 * @param user the user's home folder, where {@code HOME} names none
 */
record Environment(Map<String, String> variables, Path user) {
    private static final Set<String> TRUE = Set.of("1", "ON", "YES", "TRUE");
    private static final Pattern VARIABLE = Pattern.compile("\\$(?:\\{(\\w+)\\}|(\\w+))");
    private static final long LARGEST_TOKEN = 8192;

    Environment {
        String home = variables.get("HOME");
        if (home != null && Path.of(home).isAbsolute()) {
            user = Path.of(home);
        }
    }

    URI endpoint() {
        String endpoint = value("HF_ENDPOINT");
        return URI.create(endpoint == null ? "https://huggingface.co" : endpoint.strip());
    }

    Path home() throws HubException {
        Path home = folder("HF_HOME");
        if (home != null) {
            return home;
        }
        Path caches = folder("XDG_CACHE_HOME");
        return (caches == null ? user.resolve(".cache") : caches).resolve("huggingface");
    }

    @Nullable Path cache() throws HubException {
        Path cache = folder("HF_HUB_CACHE");
        return cache == null ? folder("HUGGINGFACE_HUB_CACHE") : cache;
    }

    boolean isOffline() {
        return isOn("HF_HUB_OFFLINE");
    }

    boolean hidesProgress() {
        return isOn("HF_HUB_DISABLE_PROGRESS_BARS");
    }

    private boolean isOn(String name) {
        String value = value(name);
        return value != null && TRUE.contains(value.toUpperCase(Locale.ROOT));
    }

    /** The token of the environment, else of its file; null where there is none. */
    @Nullable String token() throws HubException {
        String token = clean(value("HF_TOKEN"));
        if (token == null) {
            token = clean(value("HUGGING_FACE_HUB_TOKEN"));
        }
        if (token != null) {
            return token;
        }
        Path named = folder("HF_TOKEN_PATH");
        Path file = named == null ? home().resolve("token") : named;
        if (!Files.exists(file)) {
            return null;
        }
        try {
            return clean(
                    new String(UntrustedFile.read(file, LARGEST_TOKEN, 1), StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new HubException(
                    Kind.CACHE,
                    "the token's file "
                            + file
                            + ": "
                            + UntrustedFile.problem(e)
                            + "; name another with HF_TOKEN_PATH, or set HF_TOKEN",
                    e);
        }
    }

    private static @Nullable String clean(@Nullable String token) {
        return token == null || token.isBlank() ? null : token.strip();
    }

    private @Nullable String value(String name) {
        String value = variables.get(name);
        return value == null || value.isEmpty() ? null : value;
    }

    /** A folder's name with {@code ~} and other variables filled in. */
    private @Nullable Path folder(String name) throws HubException {
        String value = value(name);
        if (value == null) {
            return null;
        }
        var filled =
                VARIABLE.matcher(value)
                        .replaceAll(
                                match -> {
                                    String key =
                                            match.group(1) == null
                                                    ? match.group(2)
                                                    : match.group(1);
                                    return Matcher.quoteReplacement(
                                            variables.getOrDefault(key, match.group()));
                                });
        try {
            if (filled.equals("~") || filled.startsWith("~/")) {
                return user.resolve(filled.substring(Math.min(2, filled.length())));
            }
            return Path.of(filled);
        } catch (InvalidPathException e) {
            throw new HubException(
                    Kind.BAD_NAME, name + " is no name of a file or folder: " + e.getMessage(), e);
        }
    }
}
