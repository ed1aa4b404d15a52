/** Sizes, hashes and limits of files. */
module dev.darkroom.common {
    requires static transitive org.jspecify;

    exports dev.darkroom.common;
}
