import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Asks OSV (osv.dev) what is known against the artifacts in a CycloneDX list. Lists all, and exits
 * with 1 if one is high or critical. Where the database can't be reached it says so and exits with
 * 0, since that is nobody's fault here.
 *
 * <pre>java .ci/Vulnerabilities.java target/bom.json</pre>
 */
class Vulnerabilities {
    private static final String OSV = System.getProperty("osv", "https://api.osv.dev") + "/v1/";
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    private static final Pattern PURL =
            Pattern.compile("\"purl\"\\s*:\\s*\"(pkg:maven/[^\"?]+)[^\"]*\"");
    private static final Pattern ID = Pattern.compile("\"id\"\\s*:\\s*\"([^\"]+)\"");
    private static final Pattern SEVERITY =
            Pattern.compile("\"severity\"\\s*:\\s*\"(LOW|MODERATE|MEDIUM|HIGH|CRITICAL)\"");

    private final HttpClient http = HttpClient.newBuilder().connectTimeout(PATIENCE).build();

    public static void main(String[] args) throws Exception {
        Set<String> artifacts = new LinkedHashSet<>();
        PURL.matcher(Files.readString(Path.of(args[0])))
                .results()
                .map(found -> found.group(1))
                .filter(purl -> !purl.startsWith("pkg:maven/dev.darkroom/"))
                .forEach(artifacts::add);
        if (artifacts.isEmpty()) {
            System.err.println("vulnerabilities: there are no artifacts in " + args[0]);
            System.exit(1);
        }
        try {
            System.exit(new Vulnerabilities().check(List.copyOf(artifacts)) ? 0 : 1);
        } catch (java.io.IOException e) {
            System.out.println(
                    "vulnerabilities: not checked, since the database can't be reached ("
                            + e
                            + ")");
        }
    }

    private boolean check(List<String> artifacts) throws Exception {
        String queries =
                artifacts.stream()
                        .map(purl -> "{\"package\":{\"purl\":\"" + purl + "\"}}")
                        .collect(Collectors.joining(",", "{\"queries\":[", "]}"));
        String answer = ask(HttpRequest.BodyPublishers.ofString(queries), "querybatch");
        List<String> ids = ID.matcher(answer).results().map(Vulnerabilities::first).toList();
        List<String> high = new ArrayList<>();
        for (String id : new LinkedHashSet<>(ids)) {
            String entry = ask(null, "vulns/" + id);
            String severity =
                    SEVERITY.matcher(entry)
                            .results()
                            .map(Vulnerabilities::first)
                            .findFirst()
                            .orElse("UNKNOWN");
            System.out.println("vulnerabilities: " + id + ", " + severity);
            if (severity.equals("HIGH") || severity.equals("CRITICAL")) {
                high.add(id);
            }
        }
        System.out.println(
                "vulnerabilities: "
                        + artifacts.size()
                        + " artifacts, "
                        + ids.size()
                        + " entries, high or critical: "
                        + (high.isEmpty() ? "none" : String.join(", ", high)));
        return high.isEmpty();
    }

    private static String first(MatchResult found) {
        return found.group(1);
    }

    private String ask(HttpRequest.BodyPublisher body, String path) throws Exception {
        var request = HttpRequest.newBuilder(URI.create(OSV + path)).timeout(PATIENCE);
        if (body != null) {
            request.POST(body).header("Content-Type", "application/json");
        }
        var answer = http.send(request.build(), BodyHandlers.ofString());
        if (answer.statusCode() != 200) {
            throw new java.io.IOException("it answered " + answer.statusCode());
        }
        return answer.body();
    }
}
