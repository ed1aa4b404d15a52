package dev.darkroom.recipe.score;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.recipe.data.Colour;
import dev.darkroom.recipe.data.FixturePictures;
import dev.darkroom.recipe.data.Row;

import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

import java.awt.image.BufferedImage;
import java.awt.image.ConvolveOp;
import java.awt.image.Kernel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** The scorer on a few emoji; README.md says what it comes to on all of them. */
class ScorerTest {
    private static Scorer scorer;
    private static List<Row> rows;
    private static List<Verdict> verdicts;

    @BeforeAll
    static void judge() throws Exception {
        Map<Row, BufferedImage> training = FixturePictures.of(7, 12, 12);
        scorer = Scorer.of(List.copyOf(training.keySet()), training::get, 2);
        var random = new Random(5);
        rows = new ArrayList<>();
        verdicts = new ArrayList<>();
        FixturePictures.of(99, 10, 10)
                .forEach(
                        (row, picture) -> {
                            rows.add(row);
                            verdicts.add(scorer.judge(Degradation.MILD.of(picture, random)));
                        });
    }

    @Test
    void recognisesRealPictures() {
        Tally tally = Tally.of(rows, verdicts);
        String mistakes = String.join("\n", Tally.mistakes(rows, verdicts));
        assertTrue(tally.emoji() >= 0.99, () -> tally + "\n" + mistakes);
        assertTrue(tally.background() >= 0.99, () -> tally + "\n" + mistakes);
        assertTrue(tally.object() >= 0.99, () -> tally + "\n" + mistakes);
    }

    @Test
    void findsNothingButChanceInShuffledCaptions() {
        List<Row> shuffled = new ArrayList<>(rows);
        Collections.shuffle(shuffled, new Random(1));
        double emoji = rows.stream().map(Row::emoji).distinct().count();
        double chance = 1 / emoji;
        double error = Math.sqrt(chance * (1 - chance) / rows.size());
        assertEquals(chance, Tally.of(shuffled, verdicts).emoji(), 4 * error);
    }

    @Test
    void findsNoObjectInAnEmptyPicture() {
        var empty = new BufferedImage(128, 128, BufferedImage.TYPE_INT_RGB);
        Verdict verdict = scorer.judge(empty);
        assertNull(verdict.emoji());
        assertNull(verdict.object());
        assertEquals(Colour.BLACK, verdict.background());
    }

    @Test
    void refusesPicturesThatAreNotSquare() {
        var wide = new BufferedImage(128, 64, BufferedImage.TYPE_INT_RGB);
        var failure = assertThrows(IllegalArgumentException.class, () -> scorer.judge(wide));
        assertEquals("pictures to score are square, not 128×64", failure.getMessage());
    }

    @Test
    void blurredPicturesAreLessSharp() {
        var ninths = new float[9];
        Arrays.fill(ninths, 1 / 9f);
        var blur = new ConvolveOp(new Kernel(3, 3, ninths), ConvolveOp.EDGE_NO_OP, null);
        FixturePictures.of(7, 1, 0)
                .forEach(
                        (row, picture) -> {
                            BufferedImage soft = blur.filter(picture, null);
                            double once = scorer.judge(soft).sharpness();
                            double twice = scorer.judge(blur.filter(soft, null)).sharpness();
                            assertTrue(twice < once && once < 0.9, once + " " + twice);
                        });
    }

    @Test
    void aTrainingPictureIsItsOwnNearest() {
        Map<Row, BufferedImage> training = FixturePictures.of(7, 12, 12);
        Row row = List.copyOf(training.keySet()).get(20);
        Verdict verdict = scorer.judge(training.get(row));
        assertEquals(row.file(), verdict.nearest());
        assertEquals(0, verdict.apart());
        assertEquals(0, verdict.copied());
        assertEquals(1, verdict.sharpness());
    }
}
