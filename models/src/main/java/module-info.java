/** Networks, samplers and pipelines of text-to-image latent diffusion. */
module dev.darkroom.models {
    requires transitive dev.darkroom.runtime;
    requires transitive dev.darkroom.tokenizers;
    requires transitive dev.darkroom.hub;
    requires dev.darkroom.common;
    requires transitive com.fasterxml.jackson.databind;
    requires transitive java.desktop;
    requires static transitive org.jspecify;

    exports dev.darkroom.models.checkpoint;
    exports dev.darkroom.models.clip;
    exports dev.darkroom.models.config;
    exports dev.darkroom.models.convert;
    exports dev.darkroom.models.diffusion;
    exports dev.darkroom.models.diffusion.diffusers;
    exports dev.darkroom.models.diffusion.guidance;
    exports dev.darkroom.models.family;
    exports dev.darkroom.models.family.dit;
    exports dev.darkroom.models.family.pixart;
    exports dev.darkroom.models.family.pixel;
    exports dev.darkroom.models.family.sd;
    exports dev.darkroom.models.layers;
    exports dev.darkroom.models.lora;
    exports dev.darkroom.models.pipeline;
    exports dev.darkroom.models.plan;
    exports dev.darkroom.models.t5;
    exports dev.darkroom.models.text;
    exports dev.darkroom.models.unet;
    exports dev.darkroom.models.vae;
}
