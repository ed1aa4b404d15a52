package dev.darkroom.models.checkpoint;

import dev.darkroom.models.config.ConfigReader;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * What a checkpoint folder would be as a single file, which its family then reads as a {@link
 * HubLayout}.
 *
 * @param weights how the file calls the tensors of each part, by the part's name
 * @param configs what is read of a config, by its path in the folder: two of which the same is read
 *     say the same
 * @param metadata of the file, by which programs know what its tensors do not say
 * @param marks names of empty tensors that programs know a file by
 */
public record FileLayout(
        Map<String, KeyMap> weights,
        Map<String, Function<ConfigReader, ?>> configs,
        Map<String, String> metadata,
        List<String> marks) {
    public FileLayout {
        weights = Collections.unmodifiableMap(new LinkedHashMap<>(weights));
        configs = Collections.unmodifiableMap(new LinkedHashMap<>(configs));
        metadata = Map.copyOf(metadata);
        marks = List.copyOf(marks);
    }
}
