package dev.darkroom.cli;

import dev.darkroom.training.data.DataException;
import dev.darkroom.training.data.DataReport;
import dev.darkroom.training.data.Example;
import dev.darkroom.training.stage.DryRun;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.List;

/** What {@code darkroom train --dry-run} prints, in lines. */
final class DryRunReport {
    /** Examples of captions. */
    private static final int SHOWN = 3;

    /** Problems that are named; all are counted. */
    private static final int NAMED = 10;

    /** Characters of a caption. */
    private static final int WIDTH = 100;

    private static final String INDENT = "  ";

    private DryRunReport() {}

    /** Returns lines on the data that there are. */
    static List<String> found(DryRun run) {
        DataReport data = run.data();
        List<String> lines = new ArrayList<>();
        lines.add("pictures: " + data.examples().size() + sizes(data));
        lines.add("captions: " + run.captions() + " different" + tokens(run.tokens()));
        for (Example example :
                data.examples().subList(0, Math.min(SHOWN, data.examples().size()))) {
            lines.add(INDENT + example.file().getFileName() + ": " + shortened(example.caption()));
        }
        if (run.classes() != null) {
            lines.add("classes: " + run.classes());
        }
        if (!data.leftOut().isEmpty()) {
            lines.add(
                    "left out: "
                            + counted(data.leftOut().size(), "file")
                            + ", such as "
                            + data.leftOut().getFirst().getFileName());
        }
        return lines;
    }

    /** Returns lines on what is wrong; none if all is well. */
    static List<String> problems(DryRun run) {
        List<DataException> problems = run.problems();
        List<String> lines = new ArrayList<>();
        if (!problems.isEmpty()) {
            lines.add("can't be trained on: " + counted(problems.size(), "file"));
            for (DataException problem : problems.subList(0, Math.min(NAMED, problems.size()))) {
                lines.add(INDENT + problem.getMessage());
            }
            if (problems.size() > NAMED) {
                lines.add(INDENT + "and " + (problems.size() - NAMED) + " more");
            }
        }
        return lines;
    }

    private static String sizes(DataReport data) {
        var sizes = data.sizes();
        if (sizes.isEmpty()) {
            return "";
        }
        if (sizes.size() == 1) {
            return ", of " + sizes.firstKey();
        }
        var commonest = data.commonestSize();
        return ", from "
                + sizes.firstKey()
                + " to "
                + sizes.lastKey()
                + ", most often "
                + commonest
                + " ("
                + sizes.get(commonest)
                + ")";
    }

    private static String tokens(DryRun.@Nullable Tokens tokens) {
        if (tokens == null) {
            return "";
        }
        String longest = ", the longest of " + counted(tokens.longest(), "token");
        return tokens.cut() == 0
                ? longest
                : longest
                        + "; those of "
                        + counted(tokens.cut(), "picture")
                        + " are cut after "
                        + tokens.limit();
    }

    private static String counted(int count, String thing) {
        return count + " " + thing + (count == 1 ? "" : "s");
    }

    /** Shortens a caption to one line. */
    private static String shortened(String caption) {
        String line = caption.replaceAll("\\s+", " ");
        int end =
                line.offsetByCodePoints(0, Math.min(WIDTH, line.codePointCount(0, line.length())));
        return end == line.length() ? line : line.substring(0, end) + "…";
    }
}
