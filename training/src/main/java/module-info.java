/** Training and distillation: objectives, data, runs and stages. */
module dev.darkroom.training {
    requires transitive dev.darkroom.models;
    requires dev.darkroom.common;
    requires com.drew.metadata;
    requires com.fasterxml.jackson.databind;
    requires image.webp.decoder;
    requires java.xml;
    requires static transitive org.jspecify;

    exports dev.darkroom.training.data;
    exports dev.darkroom.training.objective;
    exports dev.darkroom.training.run;
    exports dev.darkroom.training.stage;
}
