package dev.darkroom.tests;

import dev.darkroom.testing.Child;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

import java.nio.file.Path;

/**
 * Thousands of pictures, and of pipelines that are loaded and closed, take no more than a few. Some
 * hundred in every build; {@code -Ddarkroom.attack.pictures} and {@code -Ddarkroom.attack.loads}
 * ask for more.
 */
@EnabledOnOs(OS.LINUX)
class SoakTest {
    @Test
    void whatAProcessHoldsStaysTheSame(@TempDir Path folder) throws Exception {
        int pictures = Integer.getInteger("darkroom.attack.pictures", 300);
        int loads = Integer.getInteger("darkroom.attack.loads", 60);
        System.out.print(
                Child.start(
                                folder,
                                Soak.OPTIONS,
                                Soak.class,
                                Cases.model("pixart_alpha"),
                                Integer.toString(pictures),
                                Integer.toString(loads))
                        .requireSuccess(pictures + loads + 60L));
    }
}
