package dev.darkroom.bindings;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * What {@code darkroom.h} declares, found by its own conventions rather than by a C parser, so that
 * it does not repeat what jextract did.
 *
 * @param functions the names of the functions marked DR_API
 * @param constants the DR_* macros with a number and the DR_* enum constants, with their values
 * @param sha256 the checksum of the file, in hex
 */
record Header(Set<String> functions, Map<String, Integer> constants, String sha256) {

    private static final Pattern COMMENT = Pattern.compile("/\\*.*?\\*/", Pattern.DOTALL);
    private static final Pattern DIRECTIVE = Pattern.compile("^#.*$", Pattern.MULTILINE);
    private static final Pattern MACRO = Pattern.compile("#define (DR_\\w+) +(\\w+) *\n");
    private static final Pattern FUNCTION = Pattern.compile("\\bDR_API\\b[^;(]*\\b(\\w+)\\s*\\(");
    private static final Pattern ENUM = Pattern.compile("\\benum\\b[^{;]*\\{([^}]*)\\}");
    private static final Pattern ENTRY = Pattern.compile("\\s*(\\w+)\\s*=\\s*(\\w+)\\s*");

    static Header read(Path file) throws IOException, NoSuchAlgorithmException {
        String text = COMMENT.matcher(Files.readString(file)).replaceAll("");
        var constants = new TreeMap<String, Integer>();
        MACRO.matcher(text).results().forEach(m -> constants.put(m.group(1), value(m.group(2))));

        String code = DIRECTIVE.matcher(text).replaceAll("");
        ENUM.matcher(code)
                .results()
                .flatMap(body -> Pattern.compile(",").splitAsStream(body.group(1)))
                .forEach(entry -> addConstant(entry, constants));
        Set<String> functions =
                FUNCTION.matcher(code)
                        .results()
                        .map(declaration -> declaration.group(1))
                        .collect(Collectors.toCollection(TreeSet::new));
        return new Header(functions, constants, sha256(Files.readAllBytes(file)));
    }

    private static void addConstant(String entry, Map<String, Integer> constants) {
        Matcher parts = ENTRY.matcher(entry);
        if (!parts.matches()) {
            throw new IllegalArgumentException(
                    "enum constant without a plain number in darkroom.h: " + entry.strip());
        }
        constants.put(parts.group(1), value(parts.group(2)));
    }

    private static int value(String literal) {
        return Integer.decode(literal);
    }

    private static String sha256(byte[] bytes) throws NoSuchAlgorithmException {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    }
}
