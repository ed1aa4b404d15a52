package dev.darkroom.hub;

import dev.darkroom.hub.HubException.Kind;

import org.jspecify.annotations.Nullable;

import java.nio.charset.StandardCharsets;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;

/**
 * Paths of files in a repository, as a server sends them: which of them may become a path on this
 * machine. The rules are those of all systems at once, so that a cache can be carried from one to
 * another.
 */
final class RepoPath {
    /**
     * Bytes in UTF-8; what file systems take for one name, and room for the cache's own folders.
     */
    private static final int LONGEST_NAME = 255;

    private static final int LONGEST = 1024;
    private static final int DEEPEST = 32;
    private static final int LONGEST_PRINTED = 120;

    /** Names of devices on Windows, whatever follows after a dot. */
    private static final Pattern DEVICE =
            Pattern.compile(
                    "(con|prn|aux|nul|conin\\$|conout\\$|clock\\$|(com|lpt)[0-9¹²³])\\s*(\\..*)?",
                    Pattern.CASE_INSENSITIVE);

    /** Git's own folder, by its short name on Windows too. */
    private static final Pattern GIT =
            Pattern.compile("(\\.git|git~[0-9]+)", Pattern.CASE_INSENSITIVE);

    private RepoPath() {}

    /**
     * The names that a path consists of.
     *
     * @throws HubException if it is not one that may be written
     */
    static List<String> names(String path) throws HubException {
        String problem = problem(path);
        if (problem != null) {
            throw new HubException(
                    Kind.HOSTILE_NAME,
                    "the hub lists a file \""
                            + printable(path)
                            + "\", which is not written: "
                            + problem
                            + "; don't use this model, or tell its owner");
        }
        return List.of(path.split("/"));
    }

    /** Why a path may not be written; null where it may. */
    static @Nullable String problem(String path) {
        if (path.isEmpty()) {
            return "the name is empty";
        }
        if (path.getBytes(StandardCharsets.UTF_8).length > LONGEST) {
            return "the path is longer than " + LONGEST + " bytes";
        }
        String[] names = path.split("/", -1);
        if (names.length > DEEPEST) {
            return "it lies in more than " + (DEEPEST - 1) + " folders";
        }
        for (String name : names) {
            String problem = problemOfName(name);
            if (problem != null) {
                return problem;
            }
        }
        return null;
    }

    private static @Nullable String problemOfName(String name) {
        if (name.isEmpty()) {
            return "a folder's name is empty, or the path is absolute";
        }
        if (name.equals(".") || name.equals("..")) {
            return "it leads to another folder";
        }
        if (name.getBytes(StandardCharsets.UTF_8).length > LONGEST_NAME) {
            return "a name is longer than " + LONGEST_NAME + " bytes";
        }
        if (name.codePoints().anyMatch(RepoPath::isForbidden)) {
            return "it has a character that is not one of names";
        }
        if (name.endsWith(".") || name.endsWith(" ")) {
            return "a name ends with a dot or a space, which Windows leaves out";
        }
        if (name.startsWith(" ") || name.startsWith("~")) {
            return "a name begins with a space or ~";
        }
        if (DEVICE.matcher(name).matches()) {
            return "a name is that of a device on Windows";
        }
        if (GIT.matcher(name).matches()) {
            return "a name is that of Git's own folder";
        }
        return null;
    }

    /** What is no character of names anywhere, or on Windows. */
    private static boolean isForbidden(int codePoint) {
        return isUnprintable(codePoint)
                || codePoint == '\uFFFD'
                || "\\:*?\"<>|".indexOf(codePoint) >= 0;
    }

    /** Controls, invisible format characters, lone surrogates and what is no character. */
    private static boolean isUnprintable(int codePoint) {
        return switch (Character.getType(codePoint)) {
            case Character.CONTROL,
                    Character.FORMAT,
                    Character.SURROGATE,
                    Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR,
                    Character.PRIVATE_USE,
                    Character.UNASSIGNED ->
                    true;
            default -> false;
        };
    }

    /**
     * Refuses paths of which one would replace another: by its case or the form of its accents, as
     * file systems of macOS and Windows compare names, or as a folder of the same name.
     */
    static void requireDistinct(List<String> paths) throws HubException {
        var files = new HashMap<String, String>();
        var folders = new HashMap<String, String>();
        for (String path : paths) {
            String folded = "";
            for (String name : names(path)) {
                if (!folded.isEmpty()) {
                    folders.putIfAbsent(folded, path);
                    folded += "/";
                }
                folded += folded(name);
            }
            String other = files.put(folded, path);
            if (other != null) {
                throw clash(path, other);
            }
        }
        for (var file : files.entrySet()) {
            String inside = folders.get(file.getKey());
            if (inside != null) {
                throw clash(file.getValue(), inside);
            }
        }
    }

    private static HubException clash(String path, String other) {
        return new HubException(
                Kind.HOSTILE_NAME,
                "the hub lists \""
                        + printable(path)
                        + "\" and \""
                        + printable(other)
                        + "\", which are the same on some file systems, so neither is written;"
                        + " tell the model's owner");
    }

    private static String folded(String name) {
        String upper = Normalizer.normalize(name, Normalizer.Form.NFKC).toUpperCase(Locale.ROOT);
        return Normalizer.normalize(upper.toLowerCase(Locale.ROOT), Normalizer.Form.NFKC);
    }

    /**
     * A path with what is not to be shown on a terminal as question marks, cut where it is long.
     */
    static String printable(String path) {
        var shown = new StringBuilder();
        path.codePoints()
                .limit(LONGEST_PRINTED)
                .forEach(each -> shown.appendCodePoint(isUnprintable(each) ? '?' : each));
        return path.codePointCount(0, path.length()) > LONGEST_PRINTED
                ? shown + "…"
                : shown.toString();
    }

    /** A path as it stands in a URL: all but unreserved characters in percent-encoded UTF-8. */
    static String encoded(String path) {
        var parts = new ArrayList<String>();
        for (String name : path.split("/", -1)) {
            parts.add(encodedName(name));
        }
        return String.join("/", parts);
    }

    /** A name as it stands in a URL, a slash encoded too. */
    static String encodedName(String name) {
        var encoded = new StringBuilder();
        for (byte each : name.getBytes(StandardCharsets.UTF_8)) {
            char ch = (char) (each & 0xFF);
            if ((ch >= 'a' && ch <= 'z')
                    || (ch >= 'A' && ch <= 'Z')
                    || (ch >= '0' && ch <= '9')
                    || "-_.~".indexOf(ch) >= 0) {
                encoded.append(ch);
            } else {
                encoded.append(String.format(Locale.ROOT, "%%%02X", (int) ch));
            }
        }
        return encoded.toString();
    }
}
