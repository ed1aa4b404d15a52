package dev.darkroom.models.pipeline;

import dev.darkroom.hub.Snapshot;
import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.runtime.cache.FileHashes;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.util.List;
import java.util.Map;

/**
 * A model from a checkpoint.
 *
 * @param origin what a hub calls it; null for a folder
 */
record CheckpointSource(Checkpoint checkpoint, @Nullable Snapshot origin) implements Source {
    @Override
    public String name() {
        return origin == null
                ? String.valueOf(checkpoint.folder().getFileName())
                : origin.id().name();
    }

    @Override
    public String pipeline() {
        return checkpoint.className();
    }

    @Override
    public List<String> warnings() {
        return checkpoint.warnings().list();
    }

    @Override
    public Map<String, Object> describe() {
        var description = checkpoint.describe();
        if (origin != null) {
            description.put("model", origin.id().toString());
            description.put("commit", origin.commit());
        }
        return description;
    }

    @Override
    public Map<String, String> hashWeights(boolean rehashed) {
        try {
            return checkpoint.hashWeights(rehashed ? FileHashes::compute : FileHashes::of);
        } catch (IOException e) {
            throw new PipelineException(String.valueOf(e.getMessage()), e);
        }
    }

    @Override
    public void release() {
        checkpoint.release();
    }

    @Override
    public void close() {
        checkpoint.close();
    }
}
