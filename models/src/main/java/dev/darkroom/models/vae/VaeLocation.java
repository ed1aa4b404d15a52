package dev.darkroom.models.vae;

import dev.darkroom.hub.DownloadListener;
import dev.darkroom.hub.HubOptions;
import dev.darkroom.models.checkpoint.CheckpointException;
import dev.darkroom.models.checkpoint.ModelLocation;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Where an autoencoder is that takes the place of a checkpoint's, as people write it. */
public final class VaeLocation {
    /** What asks for the tiny autoencoder of a checkpoint's folder. */
    public static final String TINY = "tiny";

    private VaeLocation() {}

    /**
     * Finds the folder of an autoencoder.
     *
     * @param vae {@value #TINY} for the folder {@value VaeCodec#TINY} of the checkpoint; a folder
     *     that is there, of an autoencoder or of a whole checkpoint; or {@code ORG/NAME}
     * @param checkpoint its folder; null for a single file
     * @param hub where names are looked up; null for what the environment says
     * @throws IOException if there is no such autoencoder
     * @throws InterruptedException if the thread is interrupted
     */
    public static Path folder(
            String vae,
            @Nullable Path checkpoint,
            @Nullable HubOptions hub,
            DownloadListener listener)
            throws IOException, InterruptedException {
        if (vae.equals(TINY)) {
            return tiny(checkpoint);
        }
        return ModelLocation.folder("an autoencoder", vae, hub, listener);
    }

    private static Path tiny(@Nullable Path checkpoint) throws CheckpointException {
        Path tiny = checkpoint == null ? null : checkpoint.resolve(VaeCodec.TINY);
        if (tiny == null || !Files.isDirectory(tiny)) {
            throw new CheckpointException(
                    (tiny == null ? "a single file" : String.valueOf(checkpoint))
                            + " has no folder "
                            + VaeCodec.TINY
                            + " with a tiny autoencoder; name another, such as --vae"
                            + " madebyollin/taesd for Stable Diffusion 1 and 2");
        }
        return tiny;
    }
}
