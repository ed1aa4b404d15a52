package dev.darkroom.recipe.score;

import dev.darkroom.recipe.data.Sheet;
import dev.darkroom.recipe.score.Report.Judged;

import java.awt.image.BufferedImage;
import java.util.ArrayList;
import java.util.List;

/**
 * Samples captions and judges the pictures.
 *
 * @param scorer judges
 * @param prompts what to sample
 * @param seed of the first picture; the others follow
 * @param each pictures of each caption
 */
record Evaluation(Scorer scorer, List<Prompt> prompts, long seed, int each) {
    /** Makes pictures. */
    interface Sampler {
        /**
         * Makes the pictures of one caption.
         *
         * @param seed of the first; the others follow
         */
        List<BufferedImage> sample(String caption, long seed, int count);
    }

    /** The judgement, and a sheet of all pictures in which wrong ones are crossed. */
    record Result(Report report, BufferedImage sheet) {}

    private static final int COLUMNS = 16;

    Result of(Sampler sampler) {
        List<Judged> judged = new ArrayList<>();
        List<Sheet.Entry> entries = new ArrayList<>();
        long sampling = 0;
        for (int i = 0; i < prompts.size(); i++) {
            Prompt prompt = prompts.get(i);
            long first = seed + (long) i * each;
            long begin = System.nanoTime();
            List<BufferedImage> pictures = sampler.sample(prompt.text(), first, each);
            sampling += System.nanoTime() - begin;
            for (int j = 0; j < pictures.size(); j++) {
                var verdict = new Judged(prompt, first + j, scorer.judge(pictures.get(j)));
                judged.add(verdict);
                String mark = verdict.all() ? "" : "✗ ";
                entries.add(new Sheet.Entry(pictures.get(j), mark + prompt.text()));
            }
        }
        return new Result(new Report(judged, sampling / 1e9), Sheet.draw(entries, COLUMNS));
    }
}
