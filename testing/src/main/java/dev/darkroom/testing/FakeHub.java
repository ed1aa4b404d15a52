package dev.darkroom.testing;

import org.jspecify.annotations.Nullable;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HexFormat;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BiFunction;

/**
 * A hub on this machine that speaks the protocol of the public one: the API, contents by commit,
 * large files redirected to another host, ranges. What it answers can be changed by a test, down to
 * the bytes that are left out; null for no answer at all.
 */
public final class FakeHub implements AutoCloseable {
    /** A request as it came. */
    public record Request(boolean toHub, String method, String path, Map<String, String> headers) {
        /** A header; empty where there is none. */
        public String header(String name) {
            return headers.getOrDefault(name.toLowerCase(Locale.ROOT), "");
        }
    }

    /**
     * An answer.
     *
     * @param cut bytes of the body after which the connection is cut; negative for none
     * @param pause ms between two pieces of the body
     * @param piece bytes of a piece
     */
    public record Reply(
            int status, Map<String, String> headers, byte[] body, int cut, long pause, int piece) {
        public static Reply of(int status, byte[] body) {
            return new Reply(status, new TreeMap<>(), body, -1, 0, 1 << 16);
        }

        public static Reply error(int status, String code, String message) {
            return of(status, ("{\"error\":\"" + message + "\"}").getBytes(StandardCharsets.UTF_8))
                    .with("X-Error-Code", code)
                    .with("X-Error-Message", message);
        }

        public Reply with(String name, String value) {
            var changed = new TreeMap<>(headers);
            changed.put(name, value);
            return new Reply(status, changed, body, cut, pause, piece);
        }

        public Reply cutAfter(int bytes) {
            return new Reply(status, headers, body, bytes, pause, piece);
        }

        public Reply slowly(int piece, long pause) {
            return new Reply(status, headers, body, cut, pause, piece);
        }

        public Reply withBody(byte[] other) {
            return new Reply(status, headers, other, cut, pause, piece);
        }
    }

    /** A model that it serves. */
    public static final class Model {
        public final String commit;
        public final Map<String, byte[]> files = new TreeMap<>();
        public int largeFrom = 1000;
        public int pageSize = 1000;

        public Model(String commit) {
            this.commit = commit;
        }

        public Model add(String path, String text) {
            return add(path, text.getBytes(StandardCharsets.UTF_8));
        }

        public Model add(String path, byte[] bytes) {
            files.put(path, bytes);
            return this;
        }

        public boolean isLarge(String path) {
            return bytes(path).length >= largeFrom;
        }

        public byte[] bytes(String path) {
            return Objects.requireNonNull(files.get(path), path);
        }
    }

    private static final IdentityHashMap<byte[], String> HASHES = new IdentityHashMap<>();

    public final List<Request> requests = Collections.synchronizedList(new ArrayList<>());
    public final Map<String, Model> models = new ConcurrentHashMap<>();
    public volatile BiFunction<Request, Reply, @Nullable Reply> change = (request, reply) -> reply;

    private final ServerSocket hub;
    private final ServerSocket store;

    public FakeHub() throws IOException {
        this(0);
    }

    public FakeHub(int port) throws IOException {
        hub = new ServerSocket(port, 50, InetAddress.getLoopbackAddress());
        store = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        serve(hub, true);
        serve(store, false);
    }

    public URI endpoint() {
        return URI.create("http://127.0.0.1:" + hub.getLocalPort());
    }

    /** The other host, where large files are. */
    public String store() {
        return "http://127.0.0.1:" + store.getLocalPort();
    }

    public Model model(String id) {
        return models.computeIfAbsent(
                id, key -> new Model(hex("SHA-1", key.getBytes(StandardCharsets.UTF_8))));
    }

    public List<Request> asked(String part) {
        synchronized (requests) {
            return requests.stream().filter(each -> each.path().contains(part)).toList();
        }
    }

    public static String hex(String algorithm, byte[]... parts) {
        try {
            var digest = MessageDigest.getInstance(algorithm);
            for (byte[] part : parts) {
                digest.update(part);
            }
            return HexFormat.of().formatHex(digest.digest());
        } catch (java.security.NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }

    public static String gitHash(byte[] bytes) {
        return hex(
                "SHA-1", ("blob " + bytes.length + "\0").getBytes(StandardCharsets.UTF_8), bytes);
    }

    public static String hash(Model model, String path) {
        byte[] bytes = model.bytes(path);
        return model.isLarge(path) ? largeHash(bytes) : gitHash(bytes);
    }

    /** SHA-256, which is computed once of each array. */
    private static String largeHash(byte[] bytes) {
        synchronized (HASHES) {
            return HASHES.computeIfAbsent(bytes, key -> hex("SHA-256", key));
        }
    }

    // ---- The protocol ----

    private Reply answer(Request request) {
        String path = request.path();
        int question = path.indexOf('?');
        String query = question < 0 ? "" : path.substring(question + 1);
        path = question < 0 ? path : path.substring(0, question);
        if (!request.toHub()) {
            return stored(request, path);
        }
        String[] parts = path.substring(1).split("/", -1);
        boolean isApi = parts.length >= 4 && parts[0].equals("api") && parts[1].equals("models");
        int at = isApi ? 2 : 0;
        if (parts.length < at + 2) {
            return Reply.of(404, new byte[0]);
        }
        var model = models.get(parts[at] + "/" + parts[at + 1]);
        if (model == null) {
            return Reply.error(401, "RepoNotFound", "Repository not found");
        }
        String revision =
                parts.length > at + 3
                        ? URLDecoder.decode(parts[at + 3], StandardCharsets.UTF_8)
                        : "main";
        if (!revision.equals("main")
                && !revision.equals("refs/pr/1")
                && !revision.equals(model.commit)) {
            return Reply.error(404, "RevisionNotFound", "Invalid rev id: " + revision);
        }
        if (isApi) {
            return parts.length > 4 && parts[4].equals("tree")
                    ? tree(model, query, path)
                    : Reply.of(200, info(parts[2] + "/" + parts[3], model));
        }
        var names = List.of(parts).subList(4, parts.length);
        String file =
                URLDecoder.decode(
                        String.join("/", names).replace("+", "%2B"), StandardCharsets.UTF_8);
        if (!model.files.containsKey(file)) {
            return Reply.error(404, "EntryNotFound", "Entry not found")
                    .with("X-Repo-Commit", model.commit);
        }
        byte[] bytes = model.bytes(file);
        if (model.isLarge(file)) {
            String hash = largeHash(bytes);
            return Reply.of(302, "Found. Redirecting".getBytes(StandardCharsets.UTF_8))
                    .with("Location", store() + "/" + hash)
                    .with("X-Repo-Commit", model.commit)
                    .with("X-Linked-Etag", "\"" + hash + "\"")
                    .with("X-Linked-Size", String.valueOf(bytes.length))
                    .with("ETag", "\"" + gitHash(hash.getBytes(StandardCharsets.UTF_8)) + "\"");
        }
        return ranged(request, bytes)
                .with("X-Repo-Commit", model.commit)
                .with("ETag", "\"" + gitHash(bytes) + "\"");
    }

    private Reply stored(Request request, String path) {
        for (Model model : models.values()) {
            for (byte[] bytes : model.files.values()) {
                if (bytes.length >= model.largeFrom && path.equals("/" + largeHash(bytes))) {
                    return ranged(request, bytes).with("ETag", "\"of-the-store\"");
                }
            }
        }
        return Reply.of(404, new byte[0]);
    }

    private static Reply ranged(Request request, byte[] bytes) {
        String range = request.header("range");
        if (!range.startsWith("bytes=")) {
            return Reply.of(200, bytes).with("Accept-Ranges", "bytes");
        }
        String[] ends = range.substring(6).split("-", -1);
        int from = Integer.parseInt(ends[0]);
        int to = ends[1].isEmpty() ? bytes.length - 1 : Integer.parseInt(ends[1]);
        to = Math.min(to, bytes.length - 1);
        if (from >= bytes.length) {
            return Reply.of(416, new byte[0]).with("Content-Range", "bytes */" + bytes.length);
        }
        return Reply.of(206, java.util.Arrays.copyOfRange(bytes, from, to + 1))
                .with("Content-Range", "bytes " + from + "-" + to + "/" + bytes.length);
    }

    private static byte[] info(String id, Model model) {
        var files = new ArrayList<String>();
        model.files.keySet().forEach(path -> files.add("{\"rfilename\":" + quoted(path) + "}"));
        return ("{\"_id\":\"1\",\"id\":\""
                        + id
                        + "\",\"modelId\":\""
                        + id
                        + "\",\"sha\":\""
                        + model.commit
                        + "\",\"private\":false,\"gated\":false,\"tags\":[],\"downloads\":0,"
                        + "\"likes\":0,\"siblings\":["
                        + String.join(",", files)
                        + "]}")
                .getBytes(StandardCharsets.UTF_8);
    }

    private Reply tree(Model model, String query, String path) {
        int from =
                query.contains("cursor=")
                        ? Integer.parseInt(query.replaceFirst(".*cursor=", ""))
                        : 0;
        var entries = new ArrayList<String>();
        entries.add(
                "{\"type\":\"directory\",\"oid\":\""
                        + "0".repeat(40)
                        + "\",\"size\":0,"
                        + "\"path\":\"folder\"}");
        var paths = new ArrayList<>(model.files.keySet());
        int to = Math.min(paths.size(), from + model.pageSize);
        for (String each : paths.subList(from, to)) {
            byte[] bytes = model.bytes(each);
            String hash = hash(model, each);
            String large =
                    ",\"lfs\":{\"oid\":\""
                            + hash
                            + "\",\"size\":"
                            + bytes.length
                            + ",\"pointerSize\":134}";
            entries.add(
                    "{\"type\":\"file\",\"oid\":\""
                            + (model.isLarge(each)
                                    ? gitHash(hash.getBytes(StandardCharsets.UTF_8))
                                    : hash)
                            + "\",\"size\":"
                            + bytes.length
                            + ",\"path\":"
                            + quoted(each)
                            + (model.isLarge(each) ? large : "")
                            + "}");
        }
        var reply =
                Reply.of(
                        200,
                        ("[" + String.join(",", entries) + "]").getBytes(StandardCharsets.UTF_8));
        return to == paths.size()
                ? reply
                : reply.with(
                        "Link",
                        "<"
                                + endpoint()
                                + path
                                + "?recursive=true&cursor="
                                + to
                                + ">; rel=\"next\"");
    }

    public static String quoted(String text) {
        var quoted = new StringBuilder("\"");
        for (int i = 0; i < text.length(); i++) {
            char each = text.charAt(i);
            if (each < 0x20 || each == '"' || each == '\\' || each > 0x7E) {
                quoted.append(String.format(Locale.ROOT, "\\u%04x", (int) each));
            } else {
                quoted.append(each);
            }
        }
        return quoted.append('"').toString();
    }

    // ---- The wire ----

    private void serve(ServerSocket server, boolean isHub) {
        Thread.ofPlatform()
                .daemon()
                .start(
                        () -> {
                            while (!server.isClosed()) {
                                try {
                                    Socket socket = server.accept();
                                    Thread.ofVirtual().start(() -> talk(socket, isHub));
                                } catch (IOException e) {
                                    return;
                                }
                            }
                        });
    }

    private void talk(Socket socket, boolean isHub) {
        try (socket) {
            socket.setTcpNoDelay(true); // or each body waits 40 ms for its head to be acknowledged
            var in = new BufferedInputStream(socket.getInputStream());
            for (Request request = read(in, isHub); request != null; request = read(in, isHub)) {
                requests.add(request);
                Reply reply = change.apply(request, answer(request));
                if (reply == null || !write(socket.getOutputStream(), request, reply)) {
                    return;
                }
            }
        } catch (IOException e) {
            // The client went away.
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static @Nullable Request read(InputStream in, boolean isHub) throws IOException {
        String first = line(in);
        if (first == null || first.isEmpty()) {
            return null;
        }
        var headers = new TreeMap<String, String>();
        for (String line = line(in); line != null && !line.isEmpty(); line = line(in)) {
            int colon = line.indexOf(':');
            headers.put(
                    line.substring(0, colon).toLowerCase(Locale.ROOT),
                    line.substring(colon + 1).strip());
        }
        String[] words = first.split(" ", -1);
        return new Request(isHub, words[0], words[1], headers);
    }

    private static @Nullable String line(InputStream in) throws IOException {
        var line = new ByteArrayOutputStream();
        for (int each = in.read(); each != '\n'; each = in.read()) {
            if (each < 0) {
                return null;
            }
            line.write(each);
        }
        return line.toString(StandardCharsets.ISO_8859_1).strip();
    }

    /** Whether the connection stays. */
    private static boolean write(OutputStream out, Request request, Reply reply)
            throws IOException, InterruptedException {
        var head = new StringBuilder("HTTP/1.1 " + reply.status() + " Status\r\n");
        reply.headers().forEach((name, value) -> head.append(name + ": " + value + "\r\n"));
        if (!reply.headers().containsKey("Content-Length")
                && !reply.headers().containsKey("Transfer-Encoding")) {
            head.append("Content-Length: " + reply.body().length + "\r\n");
        }
        out.write(head.append("\r\n").toString().getBytes(StandardCharsets.ISO_8859_1));
        out.flush();
        if (request.method().equals("HEAD")) {
            return true;
        }
        int end =
                reply.cut() < 0 ? reply.body().length : Math.min(reply.cut(), reply.body().length);
        for (int at = 0; at < end; at += reply.piece()) {
            out.write(reply.body(), at, Math.min(reply.piece(), end - at));
            out.flush();
            if (reply.pause() > 0) {
                Thread.sleep(reply.pause());
            }
        }
        return reply.cut() < 0;
    }

    @Override
    public void close() throws IOException {
        hub.close();
        store.close();
    }
}
