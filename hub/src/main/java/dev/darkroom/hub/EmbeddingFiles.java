package dev.darkroom.hub;

import dev.darkroom.hub.HubException.Kind;

import java.util.List;

/**
 * What a learned embedding of a hub is: {@value #DIFFUSERS}, as diffusers names it, or else the
 * only safetensors file there is. Never a pickle.
 *
 * @param repository {@code ORG/NAME}, for messages
 */
public record EmbeddingFiles(String repository) implements FileSelection {
    /** The name that diffusers looks for. */
    public static final String DIFFUSERS = "learned_embeds.safetensors";

    @Override
    public Selected select(List<RemoteFile> files, Contents contents) throws HubException {
        var candidates =
                files.stream()
                        .filter(file -> file.folder().isEmpty())
                        .filter(file -> file.name().endsWith(".safetensors"))
                        .toList();
        for (RemoteFile file : candidates) {
            if (file.path().equals(DIFFUSERS)) {
                return new Selected(List.of(file), List.of());
            }
        }
        if (candidates.size() == 1) {
            return new Selected(candidates, List.of(), List.of(DIFFUSERS));
        }
        throw new HubException(
                Kind.NO_WEIGHTS,
                repository
                        + " has "
                        + (candidates.isEmpty()
                                ? "no .safetensors file; a pickle, which can run code where it is"
                                        + " read, is not taken: convert it (docs/prompts.md)"
                                : candidates.size()
                                        + " .safetensors files and no "
                                        + DIFFUSERS
                                        + "; download the one that you mean and name its file"));
    }
}
