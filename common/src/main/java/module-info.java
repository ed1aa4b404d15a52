/** Sizes, hashes and limits of files, and writing them whole. */
module dev.darkroom.common {
    requires static transitive org.jspecify;

    exports dev.darkroom.common;
}
