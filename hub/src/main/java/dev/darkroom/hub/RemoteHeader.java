package dev.darkroom.hub;

import dev.darkroom.common.ByteSize;
import dev.darkroom.hub.HubException.Kind;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * Reads the header of a safetensors file at a hub: 8 bytes of its length, then so many bytes of
 * JSON. Mostly the first request brings both.
 */
final class RemoteHeader {
    /** Bytes asked for at first, which are enough for most headers. */
    private static final int FIRST = 1 << 17;

    /** The format's own limit. */
    private static final long LARGEST = 100_000_000;

    private final Http http;
    private final Retries.Policy policy;
    private final Repository repository;
    private final RemoteFile file;

    RemoteHeader(Http http, Retries.Policy policy, Repository repository, RemoteFile file) {
        this.http = http;
        this.policy = policy;
        this.repository = repository;
        this.file = file;
    }

    byte[] read() throws IOException, InterruptedException {
        if (file.size() < Long.BYTES) {
            throw malformed("it has " + file.size() + " bytes");
        }
        byte[] start = bytes(0, (int) Math.min(FIRST, file.size()));
        long length = ByteBuffer.wrap(start).order(ByteOrder.LITTLE_ENDIAN).getLong();
        if (length < 2 || length > LARGEST || length > file.size() - Long.BYTES) {
            throw malformed(
                    "its header would have "
                            + Long.toUnsignedString(length)
                            + " bytes, in a file of "
                            + ByteSize.format(file.size()));
        }
        int end = Long.BYTES + (int) length;
        byte[] header = Arrays.copyOfRange(start, Long.BYTES, end);
        if (end > start.length) {
            byte[] rest = bytes(start.length, end - start.length);
            System.arraycopy(rest, 0, header, start.length - Long.BYTES, rest.length);
        }
        if (header[0] != '{') {
            throw malformed("its header is no JSON object");
        }
        return header;
    }

    private byte[] bytes(long from, int length) throws IOException, InterruptedException {
        var address = http.contents(repository, file);
        String range = "bytes=" + from + "-" + (from + length - 1);
        return new Retries(file.path(), policy, warning -> {})
                .run(
                        () -> {
                            try (Answer answer = http.get(address, range, repository.id())) {
                                return bytes(answer, from, length);
                            }
                        });
    }

    private byte[] bytes(Answer answer, long from, int length) throws IOException {
        String sent = answer.headers().firstValue("Content-Range").orElse("");
        if (answer.status() == 416
                || (answer.status() == 206 && !sent.startsWith("bytes " + from + "-"))) {
            throw malformed("the hub does not send the range that was asked for");
        }
        if (answer.status() == 200) { // The whole comes: what is before is passed over.
            answer.body().skipNBytes(from);
        }
        byte[] bytes = answer.body().readNBytes(length);
        if (bytes.length < length) {
            throw new EOFException("the connection ended after " + bytes.length + " bytes");
        }
        return bytes;
    }

    private HubException malformed(String problem) {
        return new HubException(
                Kind.BAD_ANSWER,
                repository.id().repository()
                        + ": "
                        + RepoPath.printable(file.path())
                        + " is no safetensors file: "
                        + problem
                        + "; choose another revision");
    }
}
