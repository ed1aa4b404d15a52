/** T5's and CLIP's tokenizers in pure Java, usable without libtorch. */
module dev.darkroom.tokenizers {
    requires dev.darkroom.common;
    requires com.fasterxml.jackson.databind;
    requires static transitive org.jspecify;

    exports dev.darkroom.tokenizers;
}
