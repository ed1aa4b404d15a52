package dev.darkroom.cli;

import dev.darkroom.hub.HubException;
import dev.darkroom.hub.HubOptions;

import org.jspecify.annotations.Nullable;

import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

import java.net.URI;

/** Whether and where models are downloaded from; what is not given is what the environment says. */
final class HubFlags {
    @Mixin private final CacheFlags cache = new CacheFlags();

    @Option(
            names = "--endpoint",
            paramLabel = "URL",
            description = "Another hub than HF_ENDPOINT or https://huggingface.co.")
    private @Nullable URI endpoint;

    @Option(names = "--offline", description = "Take what is in the cache, and ask no hub.")
    private boolean offline;

    /**
     * The options of the environment and of the command line.
     *
     * @throws HubException if a variable or the token's file can't be used
     * @throws IllegalArgumentException if an option can't
     */
    HubOptions options() throws HubException {
        var options = cache.options();
        if (endpoint != null) {
            options = options.withEndpoint(endpoint);
        }
        return offline ? options.withOffline(true) : options;
    }

    /** As {@link #options}, or null where no option is given: the environment may not matter. */
    @Nullable HubOptions given() throws HubException {
        return offline || endpoint != null || cache.isGiven() ? options() : null;
    }
}
