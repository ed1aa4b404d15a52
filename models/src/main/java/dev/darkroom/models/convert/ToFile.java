package dev.darkroom.models.convert;

import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.models.checkpoint.CheckpointException;
import dev.darkroom.models.checkpoint.FileLayout;
import dev.darkroom.models.checkpoint.HubLayout;
import dev.darkroom.models.checkpoint.KeyMap;
import dev.darkroom.models.family.Family;
import dev.darkroom.models.layers.OldAttention;
import dev.darkroom.models.pipeline.Families;
import dev.darkroom.models.vae.AutoencoderKl;
import dev.darkroom.models.vae.VaeCodec;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.WeightSource;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.SafetensorsDType;
import dev.darkroom.runtime.safetensors.SafetensorsHeader;
import dev.darkroom.runtime.safetensors.SafetensorsWriter;
import dev.darkroom.runtime.safetensors.StoredTensor;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/** Writes a folder as a single file. */
record ToFile(Path folder, Path file, Conversion.Options options, Families families) {
    Conversion run() throws IOException {
        List<Safetensors> opened = new ArrayList<>();
        try (var scope = TensorScope.open();
                var checkpoint = Checkpoint.open(folder, options.loading())) {
            Family family =
                    families.find(checkpoint.className())
                            .orElseThrow(() -> refusal("no family reads it"));
            family.load(checkpoint);
            checkpoint.requireNoOthers();
            FileLayout layout =
                    family.fileLayout(checkpoint)
                            .orElseThrow(
                                    () ->
                                            refusal(
                                                    checkpoint.className()
                                                            + " has no layout of that kind"));
            if (Files.exists(folder.resolve(VaeCodec.TINY))) {
                checkpoint
                        .warnings()
                        .add(folder + ": a single file has no place for the part " + VaeCodec.TINY);
            }
            for (String part : checkpoint.networks().keySet()) {
                if (!layout.weights().containsKey(part) && !part.equals(VaeCodec.TINY)) {
                    checkpoint
                            .warnings()
                            .add(folder + ": a single file has no place for the part " + part);
                }
            }
            List<WeightSource> parts = new ArrayList<>();
            for (var part : layout.weights().entrySet()) {
                parts.add(part(checkpoint, part.getKey(), part.getValue(), opened));
            }
            Map<String, Tensor> marks = new LinkedHashMap<>();
            layout.marks().forEach(mark -> marks.put(mark, Tensor.zeros(DType.FLOAT32, 0)));
            parts.add(WeightSource.of(file.toString(), marks));
            WeightSource all = Joined.of(file.toString(), parts);
            HubLayout derived = derived(family, header(all, layout.metadata()));
            requireSameNames(checkpoint, layout, derived);
            Map<String, String> metadata = new HashMap<>(layout.metadata());
            metadata.put("format", "pt");
            metadata.putAll(new Configs(checkpoint, layout, derived).metadata());
            SafetensorsWriter.write(file, all, metadata);
            return new Conversion(
                    file,
                    derived.kind(),
                    checkpoint.className(),
                    all.keys().size(),
                    Conversion.bytes(parts),
                    checkpoint.warnings().list());
        } finally {
            for (Safetensors each : opened) {
                each.close();
            }
        }
    }

    private CheckpointException refusal(String reason) {
        return refusal(reason, null);
    }

    private CheckpointException refusal(@Nullable String reason, @Nullable Throwable cause) {
        return new CheckpointException(folder + " can't be a single file: " + reason, cause);
    }

    private static Module network(Checkpoint checkpoint, String part) {
        return Objects.requireNonNull(checkpoint.networks().get(part), part);
    }

    private WeightSource part(
            Checkpoint checkpoint, String part, KeyMap names, List<Safetensors> opened)
            throws IOException {
        Module network = network(checkpoint, part);
        var weights = Safetensors.open(checkpoint.weights(part), LoadMode.READ);
        opened.add(weights);
        WeightSource hub = weights.weights();
        if (network instanceof AutoencoderKl) {
            hub = OldAttention.currentNames(hub);
        }
        for (String key : hub.keys()) {
            if (key.endsWith(".scale_weight") || key.endsWith(".weight_scale")) {
                throw refusal(part + " has weights of 8 bits with scales, such as " + key);
            }
        }
        try {
            return options.cast(names.inFile(hub, network.state().keySet()));
        } catch (IllegalArgumentException e) {
            throw refusal(e.getMessage(), e);
        }
    }

    /** The header that the file will have, without its configs. */
    private SafetensorsHeader header(WeightSource all, Map<String, String> metadata) {
        Map<String, StoredTensor> tensors = new LinkedHashMap<>();
        long begin = 0;
        for (String key : all.keys()) {
            long end = begin + Conversion.bytes(all, key);
            var dtype = all.dtype(key).flatMap(SafetensorsDType::of).orElse(SafetensorsDType.U8);
            tensors.put(key, new StoredTensor(key, dtype, all.shape(key), file, begin, end));
            begin = end;
        }
        return new SafetensorsHeader(file, 0, tensors, metadata);
    }

    /** What the file will be read as. */
    private HubLayout derived(Family family, SafetensorsHeader header) throws IOException {
        if (!families.find(header).equals(Optional.of(family))) {
            throw refusal("it would not be known as a file of the family " + family.name());
        }
        try {
            return family.layout(header)
                    .orElseThrow(() -> refusal("its family reads no such files"));
        } catch (CheckpointException e) {
            throw refusal("it would be read as one of another kind: " + e.getMessage(), e);
        }
    }

    /** The reader of the file finds its names in its tensors alone. */
    private void requireSameNames(Checkpoint checkpoint, FileLayout layout, HubLayout derived)
            throws CheckpointException {
        for (var part : layout.weights().entrySet()) {
            Set<String> names = network(checkpoint, part.getKey()).state().keySet();
            KeyMap found = derived.weights().get(part.getKey());
            if (found == null) {
                throw refusal("it would be read as one without " + part.getKey());
            }
            for (String name : names) {
                var written = part.getValue().original(name);
                var read = found.original(name);
                if (!written.equals(read)) {
                    throw refusal(
                            part.getKey()
                                    + " has "
                                    + name
                                    + ", which would be looked for as "
                                    + read.key()
                                    + " and not as "
                                    + written.key());
                }
            }
        }
    }
}
