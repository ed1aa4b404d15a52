/** The functions, structs and constants of {@code darkroom.h}, as jextract binds them. */
module dev.darkroom.bindings {
    exports dev.darkroom.bindings to
            dev.darkroom.runtime;
}
