package dev.darkroom.recipe.score;

import dev.darkroom.recipe.data.Row;

import java.util.ArrayList;
import java.util.List;

/**
 * How often verdicts are what was asked for, as shares.
 *
 * @param emoji of all
 * @param background of all
 * @param object of those that were recoloured
 * @param objects how many were recoloured
 */
record Tally(double emoji, double background, double object, int objects) {
    static Tally of(List<Row> rows, List<Verdict> verdicts) {
        int emoji = 0;
        int background = 0;
        int object = 0;
        int objects = 0;
        for (int i = 0; i < rows.size(); i++) {
            Row row = rows.get(i);
            Verdict verdict = verdicts.get(i);
            emoji += row.emoji().equals(verdict.emoji()) ? 1 : 0;
            background += row.background() == verdict.background() ? 1 : 0;
            if (row.recoloured()) {
                objects++;
                object += row.object() == verdict.object() ? 1 : 0;
            }
        }
        double all = rows.size();
        return new Tally(emoji / all, background / all, (double) object / objects, objects);
    }

    /** A line for each verdict that is wrong in something. */
    static List<String> mistakes(List<Row> rows, List<Verdict> verdicts) {
        List<String> lines = new ArrayList<>();
        for (int i = 0; i < rows.size(); i++) {
            Row row = rows.get(i);
            Verdict verdict = verdicts.get(i);
            if (!row.emoji().equals(verdict.emoji())
                    || row.background() != verdict.background()
                    || row.recoloured() && row.object() != verdict.object()) {
                lines.add(
                        row.file()
                                + ": "
                                + row.text()
                                + ": taken for "
                                + verdict.emoji()
                                + ", "
                                + verdict.object()
                                + " on "
                                + verdict.background()
                                + " by "
                                + verdict.nearest());
            }
        }
        return lines;
    }
}
