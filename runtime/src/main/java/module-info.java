/** Tensors, layers and checkpoints over libtorch. */
module dev.darkroom.runtime {
    requires dev.darkroom.bindings;
    requires dev.darkroom.common;
    requires com.fasterxml.jackson.databind;
    requires jdk.management;
    requires static transitive org.jspecify;

    exports dev.darkroom.runtime;
    exports dev.darkroom.runtime.cache;
    exports dev.darkroom.runtime.libtorch;
    exports dev.darkroom.runtime.nn;
    exports dev.darkroom.runtime.optim;
    exports dev.darkroom.runtime.safetensors;
}
