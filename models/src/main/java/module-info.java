/** Networks, tokenizers, samplers and pipelines of text-to-image latent diffusion. */
module dev.darkroom.models {
    requires transitive dev.darkroom.runtime;
    requires com.drew.metadata;
    requires com.fasterxml.jackson.databind;
    requires image.webp.decoder;
    requires java.xml;
    requires transitive java.desktop;
    requires static transitive org.jspecify;

    exports dev.darkroom.models.config;
    exports dev.darkroom.models.diffusion;
    exports dev.darkroom.models.dit;
    exports dev.darkroom.models.layers;
    exports dev.darkroom.models.pipeline;
    exports dev.darkroom.models.pixart;
    exports dev.darkroom.models.t5;
    exports dev.darkroom.models.tokenizer;
    exports dev.darkroom.models.training.data;
    exports dev.darkroom.models.training.lora;
    exports dev.darkroom.models.training.objective;
    exports dev.darkroom.models.training.run;
    exports dev.darkroom.models.training.stage;
    exports dev.darkroom.models.vae;
}
