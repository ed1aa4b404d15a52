package dev.darkroom.training.stage;

import dev.darkroom.models.checkpoint.CheckpointWriter;
import dev.darkroom.models.checkpoint.Library;
import dev.darkroom.models.pipeline.Picture;
import dev.darkroom.models.vae.AutoencoderKl;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.training.data.Augmentation;
import dev.darkroom.training.data.PictureFolder;
import dev.darkroom.training.data.PictureLoader;
import dev.darkroom.training.objective.LatentScale;
import dev.darkroom.training.run.Learner;
import dev.darkroom.training.run.Task;
import dev.darkroom.training.run.TrainingException;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.stream.LongStream;

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
        learner =
                config.optimizer()
                        .learner(Map.of(BaseCheckpoint.VAE, network)); // last: it is to be closed
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
        Tensor images = images(step < wholeFrom ? crops : whole);
        return stage.loss().loss(network, images, noise).to(DType.FLOAT32);
    }

    @Override
    public void show(long step, Path folder) throws IOException {
        learner.withAverage(
                () -> {
                    List<Picture> sheet = new ArrayList<>();
                    try (var scope = TensorScope.open();
                            var mode = Mode.NO_GRAD.enter()) {
                        Tensor images = shown();
                        Tensor back = network.decode(network.encode(images).mean());
                        sheet.addAll(pictures(images));
                        sheet.addAll(pictures(back));
                    }
                    Path png = folder.resolve(String.format(Locale.ROOT, "step-%06d.png", step));
                    Sheets.write(sheet, sheet.size() / 2, png);
                });
    }

    /** Whole pictures, the same ones whatever the run's seed. */
    private Tensor shown() throws IOException {
        int count = Math.min(SHOWN, folder.examples().size());
        try (var loader = loader(Augmentation.fit(stage.pictures().size()), count, 0)) {
            loader.start(0);
            return images(loader);
        }
    }

    /** Returns the next batch, as the network takes it. */
    private Tensor images(PictureLoader loader) throws IOException {
        return loader.next().images().to(config.device()).to(network.dtype());
    }

    /** {@code [N,3,H,W]} from −1 to 1. */
    private static List<Picture> pictures(Tensor images) {
        Tensor values = images.to(DType.FLOAT32).to(Device.CPU);
        if (values.isFinite().all().item() == 0) {
            throw new TrainingException(
                    "the autoencoder's pictures are not finite; lower the learning rate, or train"
                            + " in float32");
        }
        Tensor shown = values.dividedBy(2).plus(0.5).clamp(0, 1);
        return LongStream.range(0, shown.size(0))
                .mapToObj(i -> Picture.of(shown.select(0, i)))
                .toList();
    }

    @Override
    public void finish(Path out) throws IOException {
        learner.withAverage(
                () -> {
                    LatentScale scale = measure();
                    Path part = Files.createDirectories(out.resolve(BaseCheckpoint.VAE));
                    var json = stage.autoencoder().deepCopy();
                    json.put("_class_name", BaseCheckpoint.VAE_CLASS);
                    json.put("scaling_factor", scale.scale());
                    if (stage.withShift()) {
                        json.put("shift_factor", scale.shift());
                    }
                    CheckpointWriter.network(
                            part, Library.DIFFUSERS, json, network, config.savedDtype());
                });
    }

    private LatentScale measure() throws IOException {
        int batch = stage.pictures().wholeBatch();
        int batches = Math.ceilDiv(Math.min(MEASURED, folder.examples().size()), batch);
        try (var loader = loader(Augmentation.fit(stage.pictures().size()), batch)) {
            loader.start(0);
            return LatentScale.measure(network, () -> batches(loader, batches));
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
    }

    /** Batches that are loaded one by one, since all would not fit into memory. */
    private Iterator<Tensor> batches(PictureLoader loader, int count) {
        return new Iterator<>() {
            private int done;

            @Override
            public boolean hasNext() {
                return done < count;
            }

            @Override
            public Tensor next() {
                if (!hasNext()) {
                    throw new NoSuchElementException();
                }
                done++;
                try {
                    return images(loader);
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            }
        };
    }

    @Override
    public void close() {
        try (learner;
                whole) {
            crops.close();
        }
    }
}
