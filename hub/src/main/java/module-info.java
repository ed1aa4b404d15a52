/** Models by their names: the client of a public hub, and the cache that is shared with others. */
module dev.darkroom.hub {
    requires dev.darkroom.common;
    requires com.fasterxml.jackson.databind;
    requires java.net.http;
    requires static transitive org.jspecify;

    exports dev.darkroom.hub;
}
