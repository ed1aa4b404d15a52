package dev.darkroom.hub;

import dev.darkroom.hub.HubException.Kind;

import org.jspecify.annotations.Nullable;

import java.util.regex.Pattern;

/**
 * The name of a model on a hub, {@code ORG/NAME[@REVISION][:VARIANT]}.
 *
 * @param organization who published it
 * @param name the repository's name
 * @param revision a branch, tag or commit; null for the branch {@code main}
 * @param variant which weights are meant where there are several, such as {@code fp16}; null for
 *     the plain ones
 */
public record ModelId(
        String organization, String name, @Nullable String revision, @Nullable String variant) {
    private static final String FORM =
            "a model's name is ORG/NAME[@REVISION][:VARIANT], such as"
                    + " PixArt-alpha/PixArt-XL-2-1024-MS@main:fp16";

    private static final int LONGEST = 96;
    private static final int LONGEST_REVISION = 200;
    private static final Pattern NAME =
            Pattern.compile("[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?");
    private static final Pattern REVISION = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9_.+/-]*");
    private static final Pattern VARIANT = Pattern.compile("[\\w-]+([.][\\w-]+)*");
    private static final Pattern COMMIT = Pattern.compile("[0-9a-f]{40}");

    /** The branch that is meant where none is named. */
    private static final String MAIN = "main";

    /**
     * Checks the parts.
     *
     * @throws IllegalArgumentException if one is not as hubs name models, or can't be a file's name
     */
    public ModelId {
        String problem = problem(organization, name, revision, variant);
        if (problem != null) {
            throw new IllegalArgumentException(problem);
        }
    }

    /**
     * Reads a name.
     *
     * @throws HubException if the text is not of that form, of kind {@link Kind#BAD_NAME}
     */
    public static ModelId parse(String text) throws HubException {
        String rest = text.strip();
        String variant = null;
        int colon = rest.indexOf(':');
        if (colon >= 0) {
            variant = rest.substring(colon + 1);
            rest = rest.substring(0, colon);
        }
        String revision = null;
        int at = rest.indexOf('@');
        if (at >= 0) {
            revision = rest.substring(at + 1);
            rest = rest.substring(0, at);
        }
        int slash = rest.indexOf('/');
        String problem =
                slash < 0
                        ? "no / is in it"
                        : problem(
                                rest.substring(0, slash),
                                rest.substring(slash + 1),
                                revision,
                                variant);
        if (problem != null) {
            throw new HubException(
                    Kind.BAD_NAME,
                    "\""
                            + RepoPath.printable(text)
                            + "\" names no model: "
                            + problem
                            + "; "
                            + FORM);
        }
        return new ModelId(rest.substring(0, slash), rest.substring(slash + 1), revision, variant);
    }

    private static @Nullable String problem(
            String organization, String name, @Nullable String revision, @Nullable String variant) {
        if (!isName(organization) || !isName(name)) {
            return "ORG and NAME are letters, digits, single - and ., and _, and begin and end with"
                    + " one that is neither - nor .";
        }
        if (name.endsWith(".git")) {
            return "NAME does not end with .git";
        }
        if (organization.length() + 1 + name.length() > LONGEST) {
            return "ORG/NAME is longer than " + LONGEST + " characters";
        }
        if (revision != null
                && (revision.length() > LONGEST_REVISION
                        || !REVISION.matcher(revision).matches()
                        || revision.contains("..")
                        || revision.endsWith(".lock")
                        || RepoPath.problem(revision) != null)) {
            return "REVISION is no branch, tag or commit";
        }
        if (variant != null
                && (variant.length() > LONGEST || !VARIANT.matcher(variant).matches())) {
            return "VARIANT is no part of a file's name, such as fp16";
        }
        return null;
    }

    private static boolean isName(String name) {
        return NAME.matcher(name).matches()
                && !name.contains("--")
                && !name.contains("..")
                && RepoPath.problem(name) == null;
    }

    /** {@code ORG/NAME}. */
    public String repository() {
        return organization + "/" + name;
    }

    /** The revision, {@code main} where none is named. */
    public String revisionOrMain() {
        return revision == null ? MAIN : revision;
    }

    /** This model at another revision; null for {@code main}. */
    public ModelId withRevision(@Nullable String revision) {
        return new ModelId(organization, name, revision, variant);
    }

    /** This model with other weights; null for the plain ones. */
    public ModelId withVariant(@Nullable String variant) {
        return new ModelId(organization, name, revision, variant);
    }

    /** Whether a text is a whole commit hash. */
    static boolean isCommit(String text) {
        return COMMIT.matcher(text).matches();
    }

    /** The form that {@link #parse} reads. */
    @Override
    public String toString() {
        return repository()
                + (revision == null ? "" : "@" + revision)
                + (variant == null ? "" : ":" + variant);
    }
}
