/** Tensors, layers and checkpoints over libtorch. */
module dev.darkroom.runtime {
    requires dev.darkroom.bindings;
    requires com.fasterxml.jackson.databind;
    requires static transitive org.jspecify;

    exports dev.darkroom.runtime;
    exports dev.darkroom.runtime.nn;
}
