package dev.darkroom.recipe.score;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.recipe.data.Colour;
import dev.darkroom.recipe.data.FixturePictures;
import dev.darkroom.recipe.data.Row;
import dev.darkroom.recipe.score.Prompt.Kind;

import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

import java.awt.image.BufferedImage;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

class EvaluationTest {
    private static final Prompts FEW = new Prompts(6, 10, 5, 4);

    private static Map<Row, BufferedImage> training;
    private static List<Prompt> prompts;
    private static Evaluation evaluation;

    @BeforeAll
    static void draw() throws Exception {
        training = FixturePictures.of(7, 16, 24);
        List<Row> rows = List.copyOf(training.keySet());
        prompts = FEW.draw(rows, FixturePictures.heldOut(7), 1);
        evaluation = new Evaluation(Scorer.of(rows, training::get, 2), prompts, 100, 2);
    }

    @Test
    void drawsTheSameCaptionsForTheSameSeed() {
        List<Row> rows = List.copyOf(training.keySet());
        assertEquals(prompts, FEW.draw(rows, FixturePictures.heldOut(7), 1));
        assertEquals(6 + 10 + 5 + 8, prompts.size());
    }

    @Test
    void captionsOfPairsAreSeenOrHeldOutAsTheySay() {
        for (Prompt prompt : prompts) {
            boolean shown =
                    training.keySet().stream()
                            .anyMatch(
                                    row ->
                                            row.emoji().equals(prompt.emoji())
                                                    && row.background() == prompt.background()
                                                    && (prompt.object() == null
                                                            || prompt.object() == row.object()));
            assertEquals(prompt.seen(), shown, prompt.text());
            assertEquals(
                    prompt.kind() == Kind.WHITE,
                    prompt.background() == Colour.WHITE && prompt.object() == null);
        }
    }

    @Test
    void colouredObjectsComeWithTheirSwaps() {
        List<Prompt> binding =
                prompts.stream().filter(prompt -> prompt.kind() == Kind.BINDING).toList();
        for (int i = 0; i < binding.size(); i += 2) {
            assertEquals(binding.get(i).object(), binding.get(i + 1).background());
            assertEquals(binding.get(i).background(), binding.get(i + 1).object());
            assertEquals(binding.get(i).emoji(), binding.get(i + 1).emoji());
        }
    }

    @Test
    void realPicturesScoreFullMarks() {
        List<Long> seeds = new ArrayList<>();
        var result =
                evaluation.of(
                        (caption, seed, count) -> {
                            seeds.add(seed);
                            BufferedImage picture = picture(caption);
                            return List.of(picture, picture);
                        });
        ObjectNode json = result.report().json();
        assertEquals(List.of(100L, 102L, 104L), seeds.subList(0, 3));
        assertEquals(2 * prompts.size(), json.path("pictures").asInt());
        for (String kind : List.of("all", "white", "seen", "held_out")) {
            assertEquals(1, json.path("emoji").path(kind).asDouble(), kind);
            assertEquals(1, json.path("background").path(kind).asDouble(), kind);
        }
        assertEquals(1, json.path("binding").path("both_and_emoji").asDouble(), json::toString);
        assertEquals(2 * prompts.size(), json.path("each").size());
    }

    @Test
    void swappedColoursScoreNothingInBinding() {
        var result =
                evaluation.of(
                        (caption, seed, count) -> {
                            BufferedImage picture = swapped(caption);
                            return List.of(picture, picture);
                        });
        ObjectNode json = result.report().json();
        assertEquals(0, json.path("binding").path("both").asDouble(), json::toString);
        assertTrue(json.path("binding").has("object"));
    }

    private static BufferedImage picture(String caption) {
        Prompt prompt = prompt(caption);
        return FixturePictures.picture(prompt.emoji(), prompt.object(), prompt.background());
    }

    private static BufferedImage swapped(String caption) {
        Prompt prompt = prompt(caption);
        return prompt.object() == null
                ? FixturePictures.picture(prompt.emoji(), null, prompt.background())
                : FixturePictures.picture(prompt.emoji(), prompt.background(), prompt.object());
    }

    private static Prompt prompt(String caption) {
        return prompts.stream()
                .filter(each -> each.text().equals(caption))
                .findFirst()
                .orElseThrow();
    }
}
