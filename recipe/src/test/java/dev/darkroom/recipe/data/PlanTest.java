package dev.darkroom.recipe.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.recipe.Fixture;
import dev.darkroom.recipe.data.Plan.Shot;

import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

class PlanTest {
    private static final Plan PLAN = new Plan(7, 30, 60);

    private static List<Subject> subjects;
    private static List<Shot> shots;

    @BeforeAll
    static void plan() throws IOException {
        subjects = new ArrayList<>();
        shots = new ArrayList<>();
        for (Emoji emoji : Fixture.emoji()) {
            Subject subject = Subject.of(emoji, Art.of(Fixture.picture(emoji)));
            subjects.add(subject);
            shots.addAll(PLAN.shots(subject));
        }
    }

    @Test
    void whatIsHeldOutIsNeverShown() {
        Set<String> pairs = new HashSet<>();
        Set<String> triples = new HashSet<>();
        for (Subject subject : subjects) {
            for (Row row : PLAN.heldOut(subject)) {
                (row.recoloured() ? triples : pairs).add(key(row, row.recoloured()));
            }
        }
        assertFalse(pairs.isEmpty());
        assertFalse(triples.isEmpty());
        for (Shot shot : shots) {
            assertFalse(pairs.contains(key(shot.row(), false)), shot.row().text());
            assertFalse(triples.contains(key(shot.row(), true)), shot.row().text());
        }
    }

    private static String key(Row row, boolean withColour) {
        return row.emoji() + row.background() + (withColour ? row.object() : "");
    }

    @Test
    void nothingIsOnABackgroundOfItsOwnColour() {
        for (Shot shot : shots) {
            Row row = shot.row();
            boolean own = row.object() == row.background();
            assertFalse(own && row.background() != Colour.WHITE, row.text());
        }
    }

    @Test
    void wordOrderDecides() {
        record Scene(String emoji, Colour object, Colour background) {}
        Set<Scene> scenes = new HashSet<>();
        for (Shot shot : shots) {
            Row row = shot.row();
            scenes.add(new Scene(row.emoji(), row.object(), row.background()));
        }
        long swapped =
                scenes.stream()
                        .filter(s -> scenes.contains(new Scene(s.emoji, s.background, s.object)))
                        .count();
        assertTrue(swapped > 100, swapped + " of " + scenes.size() + " have their swap");
    }

    @Test
    void theSameSeedMakesTheSamePictures() {
        Subject subject = subjects.getFirst();
        List<Row> rows = PLAN.shots(subject).stream().map(Shot::row).toList();
        assertEquals(rows, PLAN.shots(subject).stream().map(Shot::row).toList());
        var other = new Plan(8, 30, 60);
        assertNotEquals(rows, other.shots(subject).stream().map(Shot::row).toList());
    }

    @Test
    void everyPictureHasItsOwnFile() {
        assertEquals(
                shots.size(), shots.stream().map(shot -> shot.row().file()).distinct().count());
    }

    @Test
    void recolouredObjectsHaveTheirColour() {
        int recoloured = 0;
        for (Subject subject : subjects) {
            for (var entry : subject.recoloured().entrySet()) {
                recoloured++;
                double share = Palette.shares(entry.getValue().art()).get(entry.getKey());
                assertTrue(share >= 0.5, subject.emoji().name() + " " + entry.getKey());
            }
        }
        assertTrue(recoloured > 80, recoloured + " recoloured");
    }

    @Test
    void aHeartIsRedByItselfAndTakesAllOtherColours() {
        Subject heart =
                subjects.stream()
                        .filter(subject -> subject.emoji().name().words().equals("heart"))
                        .findFirst()
                        .orElseThrow();
        assertEquals(Colour.RED, heart.colour());
        assertEquals(Colour.OF_OBJECTS.size() - 1, heart.recoloured().size());
        assertFalse(heart.natural().backgrounds().contains(Colour.RED));
    }

    @Test
    void objectsLieWithinThePicture() {
        for (Shot shot : shots) {
            var picture = shot.art().onto(0x123456, 64, shot.scale(), shot.dx(), shot.dy());
            for (int i = 0; i < 64; i++) {
                assertEquals(0xff123456, picture.getRGB(i, 0));
                assertEquals(0xff123456, picture.getRGB(i, 63));
                assertEquals(0xff123456, picture.getRGB(0, i));
                assertEquals(0xff123456, picture.getRGB(63, i));
            }
        }
    }
}
