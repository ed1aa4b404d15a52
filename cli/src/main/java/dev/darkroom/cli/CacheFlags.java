package dev.darkroom.cli;

import dev.darkroom.hub.HubException;
import dev.darkroom.hub.HubOptions;
import dev.darkroom.hub.ModelId;

import org.jspecify.annotations.Nullable;

import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

import java.nio.file.Path;

/** Where models are kept; what is not given is what the environment says. */
final class CacheFlags {
    /** How a model is named on a command line. */
    static final String NAME = "ORG/NAME[@REVISION][:VARIANT]";

    @Option(
            names = "--cache",
            paramLabel = "DIR",
            description =
                    "The cache of models, shared with Python's huggingface_hub. By default"
                            + " HF_HUB_CACHE, hub in HF_HOME, or ~/.cache/huggingface/hub.")
    private @Nullable Path cache;

    /** The options of the environment and of the command line. */
    HubOptions options() throws HubException {
        var options = HubOptions.fromEnvironment();
        return cache == null ? options : options.withCache(cache);
    }

    boolean isGiven() {
        return cache != null;
    }

    /** Reads a model's name. */
    static final class Ids implements ITypeConverter<ModelId> {
        @Override
        public ModelId convert(String text) {
            try {
                return ModelId.parse(text);
            } catch (HubException e) {
                throw new TypeConversionException(e.getMessage());
            }
        }
    }
}
