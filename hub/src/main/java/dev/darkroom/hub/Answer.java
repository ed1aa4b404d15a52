package dev.darkroom.hub;

import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpHeaders;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * A successful answer, after any redirects.
 *
 * @param uri where it came from in the end
 * @param status 200, 206, or 416 where a range was asked for
 * @param headers of the answer itself
 * @param hubHeaders of all answers on the way that came from the hub's own host, in their order
 * @param body to be closed
 */
record Answer(
        URI uri, int status, HttpHeaders headers, List<HttpHeaders> hubHeaders, InputStream body)
        implements Closeable {
    /** A header of the hub itself, not of the host that it redirected to. */
    Optional<String> hubHeader(String name) {
        return hubHeaders.stream().flatMap(each -> each.firstValue(name).stream()).findFirst();
    }

    /** A header that is a number; empty where there is none or it is none. */
    OptionalLong number(String name) {
        return headers.firstValue(name).map(Answer::parsed).orElse(OptionalLong.empty());
    }

    /** A number of at most 18 digits. */
    static OptionalLong parsed(String text) {
        return text.matches("[0-9]{1,18}")
                ? OptionalLong.of(Long.parseLong(text))
                : OptionalLong.empty();
    }

    @Override
    public void close() throws IOException {
        body.close();
    }
}
