/** How the embedded model is made: its data, its scorer, the settings of its training. */
module dev.darkroom.recipe {
    requires dev.darkroom.common;
    requires dev.darkroom.training;
    requires com.fasterxml.jackson.databind;
    requires info.picocli;
    requires xchart;
    requires static org.jspecify;

    opens dev.darkroom.recipe to
            info.picocli;
    opens dev.darkroom.recipe.classifier to
            info.picocli;
    opens dev.darkroom.recipe.data to
            info.picocli;
    opens dev.darkroom.recipe.score to
            info.picocli;
}
