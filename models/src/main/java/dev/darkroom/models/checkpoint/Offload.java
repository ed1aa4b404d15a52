package dev.darkroom.models.checkpoint;

/** When the parts of a checkpoint take turns in memory. */
public enum Offload {
    /** Where they do not fit beside each other and what a picture takes. */
    AUTO,
    /**
     * Always: each part is loaded when a request needs it first, and freed when the request is done
     * with it: text encoders, then the denoiser, then the autoencoder. Pictures stay the same, and
     * every request loads the parts again.
     */
    ON,
    /** Never: all parts are loaded together and stay. */
    OFF
}
