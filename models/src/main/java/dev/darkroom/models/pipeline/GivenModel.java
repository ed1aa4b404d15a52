package dev.darkroom.models.pipeline;

import java.util.List;
import java.util.Map;

/**
 * A model that the caller made and keeps.
 *
 * @param name for display
 */
record GivenModel(String name) implements Source {
    @Override
    public String pipeline() {
        return name;
    }

    @Override
    public List<String> warnings() {
        return List.of();
    }

    @Override
    public Map<String, Object> describe() {
        return Map.of("model", name);
    }

    @Override
    public Map<String, String> hashWeights(boolean rehashed) {
        return Map.of();
    }

    @Override
    public void release() {}

    @Override
    public void close() {}
}
