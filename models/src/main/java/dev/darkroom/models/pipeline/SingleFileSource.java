package dev.darkroom.models.pipeline;

import dev.darkroom.models.checkpoint.SingleFile;
import dev.darkroom.runtime.cache.FileHashes;

import java.io.IOException;
import java.util.List;
import java.util.Map;

/**
 * A model from a single file.
 *
 * @param family which reads it
 */
record SingleFileSource(SingleFile file, String family) implements Source {
    @Override
    public String name() {
        return String.valueOf(file.path().getFileName());
    }

    @Override
    public String pipeline() {
        return family;
    }

    @Override
    public List<String> warnings() {
        return file.warnings().list();
    }

    @Override
    public Map<String, Object> describe() {
        var description = file.describe();
        description.put("family", family);
        return description;
    }

    @Override
    public Map<String, String> hashWeights(boolean rehashed) {
        try {
            return file.hashWeights(rehashed ? FileHashes::compute : FileHashes::of);
        } catch (IOException e) {
            throw new PipelineException(String.valueOf(e.getMessage()), e);
        }
    }

    @Override
    public void release() {
        file.release();
    }

    @Override
    public void close() {
        file.close();
    }
}
