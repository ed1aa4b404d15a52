package dev.darkroom.models.training.stage;

import dev.darkroom.models.pipeline.Picture;
import dev.darkroom.models.training.data.Augmentation;
import dev.darkroom.models.training.data.PictureFolder;
import dev.darkroom.models.training.data.PictureLoader;
import dev.darkroom.models.training.objective.LatentScale;
import dev.darkroom.models.training.run.Learner;
import dev.darkroom.models.training.run.Task;
import dev.darkroom.models.vae.AutoencoderKl;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** An autoencoder that learns to bring pictures back. */
final class AutoencoderTask implements Task {
    /** Pictures that the latents' scale is measured over. */
    private static final int MEASURED = 1024;

    private static final int SHOWN = 8;

    /** Batches that are decoded before they are needed. */
    private static final int AHEAD = 4;

    private final AutoencoderStage stage;
    private final TrainingConfig config;
    private final AutoencoderKl network;
    private final Learner learner;
    private final PictureFolder folder;
    private final PictureLoader crops;
    private final PictureLoader whole;
    private final long wholeFrom;

    /** Trains a network, which stays the caller's. */
    AutoencoderTask(AutoencoderStage stage, PictureFolder folder, AutoencoderKl network) {
        this.stage = stage;
        this.folder = folder;
        this.network = network;
        config = stage.config();
        network.train();
        learner = config.optimizer().learner(Map.of("vae", network));
        var pictures = stage.pictures();
        Augmentation full =
                Augmentation.fit(pictures.size()).then(Augmentation.flip(pictures.flip()));
        Integer crop = pictures.crop();
        wholeFrom = crop == null ? 0 : Math.round(pictures.wholeFrom() * config.steps());
        crops =
                loader(
                        crop == null ? full : full.then(Augmentation.randomCrop(crop)),
                        config.batch());
        whole = loader(full, pictures.wholeBatch());
    }

    private PictureLoader loader(Augmentation augmentation, int batch) {
        return loader(augmentation, batch, config.seed());
    }

    private PictureLoader loader(Augmentation augmentation, int batch, long seed) {
        return new PictureLoader(
                folder.examples(),
                augmentation,
                new PictureLoader.Options(batch, seed, AHEAD, 1, 0));
    }

    private long samplesPerStep(boolean isWhole) {
        int batch = isWhole ? stage.pictures().wholeBatch() : config.batch();
        return (long) batch * config.accumulation();
    }

    @Override
    public Learner learner() {
        return learner;
    }

    @Override
    public long samples(long steps) {
        return Math.min(steps, wholeFrom) * samplesPerStep(false)
                + Math.max(0, steps - wholeFrom) * samplesPerStep(true);
    }

    @Override
    public void start(long step) {
        crops.start(samples(Math.min(step, wholeFrom)));
        whole.start(samples(Math.max(step, wholeFrom)));
    }

    @Override
    public Tensor loss(long step, int part, Generator noise) throws IOException {
        Tensor images = (step < wholeFrom ? crops : whole).next().images();
        return stage.loss()
                .loss(network, images.to(config.device()).to(network.dtype()), noise)
                .to(DType.FLOAT32);
    }

    @Override
    public void show(long step, Path folder) throws IOException {
        learner.withAverage(
                () -> {
                    List<Picture> sheet = new ArrayList<>();
                    try (var scope = TensorScope.open();
                            var mode = Mode.NO_GRAD.enter()) {
                        Tensor images = first(SHOWN, 0);
                        Tensor back = network.decode(network.encode(images).mean());
                        sheet.addAll(pictures(images));
                        sheet.addAll(pictures(back));
                    }
                    Path png = folder.resolve("step-%06d.png".formatted(step));
                    Sheets.write(sheet, sheet.size() / 2, png);
                });
    }

    /** Whole pictures in the order of a fixed seed. */
    private Tensor first(int count, long from) throws IOException {
        int number = Math.min(count, folder.examples().size());
        try (var loader = loader(Augmentation.fit(stage.pictures().size()), number, 0)) {
            loader.start(from);
            return loader.next().images().to(config.device()).to(network.dtype());
        }
    }

    /** {@code [N,3,H,W]} from −1 to 1. */
    private static List<Picture> pictures(Tensor images) {
        Tensor bytes =
                images.to(DType.FLOAT32)
                        .to(Device.CPU)
                        .permute(0, 2, 3, 1)
                        .plus(1)
                        .times(127.5)
                        .round()
                        .clamp(0, 255)
                        .to(DType.UINT8); // [N,H,W,3]
        List<Picture> pictures = new ArrayList<>();
        for (long i = 0; i < bytes.size(0); i++) {
            Tensor one = bytes.select(0, i);
            pictures.add(new Picture((int) one.size(1), (int) one.size(0), one.toByteArray()));
        }
        return pictures;
    }

    @Override
    public void finish(Path out) throws IOException {
        learner.withAverage(
                () -> {
                    LatentScale measured = measure();
                    var scale = stage.withShift() ? measured : new LatentScale(measured.scale(), 0);
                    Path part = Files.createDirectories(out.resolve("vae"));
                    var json = HubFolder.object(stage.autoencoder());
                    json.put("_class_name", "AutoencoderKL");
                    json.put("scaling_factor", scale.scale());
                    if (stage.withShift()) {
                        json.put("shift_factor", scale.shift());
                    }
                    HubFolder.network(
                            part, HubFolder.Library.DIFFUSERS, json, network, config.savedDtype());
                });
    }

    private LatentScale measure() throws IOException {
        List<Tensor> batches = new ArrayList<>();
        try (var scope = TensorScope.open()) {
            int batch = stage.pictures().wholeBatch();
            int count = Math.min(MEASURED, folder.examples().size());
            try (var loader = loader(Augmentation.fit(stage.pictures().size()), batch)) {
                loader.start(0);
                for (int i = 0; i < count; i += batch) {
                    batches.add(loader.next().images().to(config.device()).to(network.dtype()));
                }
            }
            return LatentScale.measure(network, batches);
        }
    }

    @Override
    public void close() {
        crops.close();
        whole.close();
        learner.close();
    }
}
