package dev.darkroom.models.convert;

import dev.darkroom.common.ByteSize;
import dev.darkroom.common.WholeFile;
import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.models.checkpoint.CheckpointException;
import dev.darkroom.models.checkpoint.CheckpointWriter;
import dev.darkroom.models.checkpoint.HubLayout;
import dev.darkroom.models.checkpoint.SingleFile;
import dev.darkroom.models.family.Family;
import dev.darkroom.models.pipeline.Families;
import dev.darkroom.runtime.WeightSource;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** Writes a single file as a folder. */
record ToFolder(Path file, Path folder, Conversion.Options options, Families families) {
    Conversion run() throws IOException {
        try (var single = SingleFile.open(file, options.loading())) {
            Family family = families.find(single.header()).orElseThrow(single::unknown);
            HubLayout derived =
                    family.layout(single.header())
                            .orElseThrow(
                                    () ->
                                            new CheckpointException(
                                                    file
                                                            + ": files of the family "
                                                            + family.name()
                                                            + " are not converted"));
            HubLayout layout = derived.with(single.files());
            Checkpoint checkpoint = single.checkpoint(derived);
            family.load(checkpoint);
            single.requireNoOthers(layout);
            try (var opened = Safetensors.open(file, LoadMode.READ)) {
                Map<String, WeightSource> parts = parts(checkpoint, layout, opened.weights());
                requireRoom(Conversion.bytes(parts.values()));
                WholeFile.writeFolder(folder, into -> CheckpointWriter.write(into, layout, parts));
                return new Conversion(
                        folder,
                        layout.kind(),
                        checkpoint.className(),
                        Conversion.count(parts.values()),
                        Conversion.bytes(parts.values()),
                        single.warnings().list());
            }
        }
    }

    private Map<String, WeightSource> parts(
            Checkpoint checkpoint, HubLayout layout, WeightSource weights)
            throws CheckpointException {
        Map<String, Module> networks = checkpoint.networks();
        Map<String, WeightSource> parts = new LinkedHashMap<>();
        for (var part : layout.weights().entrySet()) {
            Module network = networks.get(part.getKey());
            if (network == null) {
                throw new CheckpointException(
                        file
                                + " holds the part "
                                + part.getKey()
                                + ", which its pipeline "
                                + checkpoint.className()
                                + " has no use for");
            }
            var names = network.state().keySet();
            parts.put(part.getKey(), options.cast(part.getValue().atHubs(weights, names)));
        }
        return parts;
    }

    /** Finds out before hours are spent. */
    private void requireRoom(long bytes) throws IOException {
        long free = Files.getFileStore(folder.toAbsolutePath().getParent()).getUsableSpace();
        if (bytes > free) {
            throw new IOException(
                    folder
                            + " needs "
                            + ByteSize.format(bytes)
                            + " on disk, but only "
                            + ByteSize.format(free)
                            + " are free there");
        }
    }
}
