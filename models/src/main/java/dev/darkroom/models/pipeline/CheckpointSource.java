package dev.darkroom.models.pipeline;

import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.runtime.cache.FileHashes;

import java.io.IOException;
import java.util.List;
import java.util.Map;

/** A model from a checkpoint. */
record CheckpointSource(Checkpoint checkpoint) implements Source {
    @Override
    public String name() {
        return String.valueOf(checkpoint.folder().getFileName());
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
        return checkpoint.describe();
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
