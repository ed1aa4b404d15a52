package dev.darkroom.models.family.pixart;

import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.nn.Attention.KeyValue;

import org.jspecify.annotations.Nullable;

import java.util.List;

/**
 * The keys and values of texts for the blocks of one transformer, made by {@link
 * PixArtTransformer#prepare}, once for all steps. The tensors belong to the scope that was open
 * then.
 *
 * @param keyValues one for each block
 * @param bias added to the scores, {@code [N,1,1,L]}; null if all tokens count
 */
public record PixArtText(List<KeyValue> keyValues, @Nullable Tensor bias) {
    public PixArtText {
        keyValues = List.copyOf(keyValues);
    }
}
