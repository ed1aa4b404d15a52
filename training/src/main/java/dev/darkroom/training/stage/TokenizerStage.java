package dev.darkroom.training.stage;

import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.family.TrainingInput;
import dev.darkroom.tokenizers.UnigramTrainer;
import dev.darkroom.training.data.CacheListener;
import dev.darkroom.training.data.PictureFolder;
import dev.darkroom.training.run.RunListener;
import dev.darkroom.training.run.Trainer.End;

import java.io.IOException;
import java.nio.file.Path;

/**
 * Trains a tokenizer, in one go; it becomes {@code tokenizer} in the folder of the run.
 *
 * @param data whose captions it is trained on
 */
record TokenizerStage(Path data, UnigramTrainer.Options options) implements Stage {
    static TokenizerStage read(ConfigReader json, StageContext context) {
        var defaults = UnigramTrainer.Options.of(json.integer("vocabularySize", 8000));
        return new TokenizerStage(
                context.data(json),
                new UnigramTrainer.Options(
                        defaults.vocabularySize(),
                        json.flag("lowercase", defaults.lowercase()),
                        json.number("characterCoverage", defaults.characterCoverage()),
                        json.integer("maxPieceLength", defaults.maxPieceLength()),
                        json.integer("maxLength", defaults.maxLength())));
    }

    @Override
    public End run(Path out, RunListener listener) throws IOException {
        new UnigramTrainer(options)
                .train(PictureFolder.open(data).captions())
                .save(out.resolve(TrainingInput.Text.TOKENIZER));
        return End.FINISHED;
    }

    @Override
    public DryRun dryRun(CacheListener listener) throws IOException {
        return DryRun.of(data, listener);
    }
}
