package dev.darkroom.hub;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;

import dev.darkroom.common.OneLine;
import dev.darkroom.hub.HubException.Kind;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.regex.Pattern;

/** What a hub says about models: which commit a revision means, and which files it has. */
final class Api {
    private static final ObjectMapper MAPPER = new ObjectMapper();
    private static final int LARGEST_ANSWER = 16 << 20;
    private static final int MOST_FILES = 100_000;
    private static final int MOST_PAGES = 1_000;
    private static final Pattern NEXT = Pattern.compile("<([^<>]*)>\\s*;\\s*rel=\"?next\"?");

    private final Http http;
    private final Retries.Policy policy;

    Api(Http http, Retries.Policy policy) {
        this.http = http;
        this.policy = policy;
    }

    /** Asks for the commit of a model's revision and for the list of its files. */
    Repository repository(ModelId id, Consumer<String> warn)
            throws IOException, InterruptedException {
        String model = "/api/models/" + id.repository();
        var address =
                http.endpoint(model + "/revision/" + RepoPath.encodedName(id.revisionOrMain()));
        String commit = text(json(address, id, warn).json(), "sha", id);
        if (!ModelId.isCommit(commit)) {
            throw malformed(id, "the commit's hash \"" + RepoPath.printable(commit) + "\" is none");
        }
        if (ModelId.isCommit(id.revisionOrMain()) && !commit.equals(id.revisionOrMain())) {
            throw malformed(id, "it tells of another commit than the one asked for");
        }
        return new Repository(id, commit, files(model + "/tree/" + commit, id, warn));
    }

    private List<RemoteFile> files(String tree, ModelId id, Consumer<String> warn)
            throws IOException, InterruptedException {
        var files = new ArrayList<RemoteFile>();
        @Nullable URI next = http.endpoint(tree + "?recursive=true");
        for (int pages = 0; next != null; pages++) {
            if (pages == MOST_PAGES || files.size() > MOST_FILES) {
                throw malformed(id, "the list of its files does not end");
            }
            var page = json(next, id, warn);
            if (!page.json().isArray()) {
                throw malformed(id, "the list of its files is none");
            }
            for (JsonNode entry : page.json()) {
                if (text(entry, "type", id).equals("file")) {
                    files.add(file(entry, id));
                }
            }
            next = page.next();
        }
        return files;
    }

    private static RemoteFile file(JsonNode entry, ModelId id) throws HubException {
        String path = text(entry, "path", id);
        JsonNode large = entry.path("lfs");
        JsonNode described = large.isObject() ? large : entry;
        String hash = text(described, "oid", id).replaceFirst("^sha256:", "");
        JsonNode size = described.path("size");
        if (!BlobHash.isHash(hash) || !size.canConvertToLong() || size.longValue() < 0) {
            throw malformed(
                    id, "\"" + RepoPath.printable(path) + "\" is listed without hash or size");
        }
        return new RemoteFile(path, size.longValue(), hash);
    }

    /** An answer, and the address of the next page, if there is one. */
    private record Page(JsonNode json, @Nullable URI next) {}

    private Page json(URI address, ModelId id, Consumer<String> warn)
            throws IOException, InterruptedException {
        return new Retries(id.repository(), policy, warn)
                .run(
                        () -> {
                            try (Answer answer = http.get(address, null, id)) {
                                byte[] bytes = Http.whole(answer, LARGEST_ANSWER, id.repository());
                                return new Page(parse(bytes, id), next(answer, id));
                            }
                        });
    }

    private static JsonNode parse(byte[] bytes, ModelId id) throws IOException {
        try {
            return MAPPER.readTree(bytes);
        } catch (JsonProcessingException e) {
            throw malformed(id, "no JSON, " + OneLine.ofJsonProblem(e.getOriginalMessage()));
        } catch (IOException e) { // of Jackson, for bytes that are no text
            throw malformed(id, "no text in UTF-8");
        }
    }

    private @Nullable URI next(Answer answer, ModelId id) throws HubException {
        for (String link : answer.headers().allValues("Link")) {
            var next = NEXT.matcher(link);
            if (next.find()) {
                URI address;
                try {
                    address = answer.uri().resolve(next.group(1));
                } catch (IllegalArgumentException e) {
                    throw malformed(id, "the next page's address is none");
                }
                if (!http.isHubs(address)) {
                    throw malformed(id, "the next page is another host's");
                }
                return address;
            }
        }
        return null;
    }

    private static String text(JsonNode node, String field, ModelId id) throws HubException {
        JsonNode value = node.path(field);
        if (!value.isTextual()) {
            throw malformed(id, "\"" + field + "\" is missing or no text");
        }
        return value.textValue();
    }

    private static HubException malformed(ModelId id, String problem) {
        return new HubException(
                Kind.BAD_ANSWER,
                "what the hub says about "
                        + id.repository()
                        + " can't be used: "
                        + problem
                        + "; check the endpoint, or update Darkroom");
    }
}
