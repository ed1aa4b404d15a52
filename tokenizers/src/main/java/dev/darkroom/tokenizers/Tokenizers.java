package dev.darkroom.tokenizers;

import static dev.darkroom.tokenizers.TokenizerSettings.Role;

import dev.darkroom.common.UntrustedFile;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.Map;
import java.util.Objects;

/** Reads tokenizer folders. */
public final class Tokenizers {
    private Tokenizers() {}

    /**
     * Reads a tokenizer folder as the class that it names itself. See {@link #load(Path, String)}.
     */
    public static Tokenizer load(Path folder) throws IOException {
        return load(folder, null);
    }

    /**
     * Reads a tokenizer folder as transformers would for the class that {@code model_index.json}
     * names.
     *
     * <ul>
     *   <li>{@code T5Tokenizer} reads {@code spiece.model}, {@code CLIPTokenizer} reads {@code
     *       vocab.json} and {@code merges.txt}; each falls back to {@code tokenizer.json}.
     *   <li>{@code T5TokenizerFast} and {@code CLIPTokenizerFast} read {@code tokenizer.json}, and
     *       without it convert the other files. T5's also converts where the config says {@code
     *       add_prefix_space}, because transformers does.
     *   <li>{@code PreTrainedTokenizerFast} reads {@code tokenizer.json}.
     * </ul>
     *
     * @param folder the folder that holds the files
     * @param className the class, or null for that of {@code tokenizer_config.json}, and without
     *     one there, for whichever class fits the files
     * @throws TokenizerException if a file is missing or malformed, or asks for something that is
     *     not supported
     * @throws IOException if a file can't be read
     */
    public static Tokenizer load(Path folder, @Nullable String className) throws IOException {
        if (!Files.isDirectory(folder)) {
            throw new TokenizerException(folder, "there is no such folder");
        }
        requireFinished(folder);
        var files = new Folder(folder, TokenizerSettings.read(folder));
        var name = className == null ? files.settings.className() : className;
        return switch (name == null ? files.likelyClass() : name) {
            case "T5Tokenizer" -> files.t5();
            case "T5TokenizerFast" -> files.t5Fast();
            case "CLIPTokenizer" -> files.clip();
            case "CLIPTokenizerFast" -> files.clipFast();
            case "PreTrainedTokenizerFast", "TokenizersBackend" -> files.anyFast();
            case String other ->
                    throw new TokenizerException(
                            folder,
                            "the tokenizer class \""
                                    + other
                                    + "\" is not supported; those that are: T5Tokenizer,"
                                    + " CLIPTokenizer, their Fast forms and"
                                    + " PreTrainedTokenizerFast");
        };
    }

    /** A link of a hub's cache that leads nowhere must not count as a file that is left out. */
    private static void requireFinished(Path folder) throws IOException {
        try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
            for (Path file : files) {
                if (Files.isSymbolicLink(file) && !Files.exists(file)) {
                    throw new TokenizerException(
                            file,
                            "download unfinished: this is a link to "
                                    + Files.readSymbolicLink(file)
                                    + ", which is not there; download it again");
                }
            }
        } catch (DirectoryIteratorException e) {
            IOException cause = Objects.requireNonNull(e.getCause());
            throw new TokenizerException(folder, UntrustedFile.problem(cause), e);
        } catch (FileSystemException e) {
            throw new TokenizerException(folder, UntrustedFile.problem(e), e);
        }
    }

    private record Folder(Path path, TokenizerSettings settings) {

        boolean has(String file) {
            return Files.isRegularFile(path.resolve(file));
        }

        boolean hasClipFiles() {
            return has("vocab.json") && has("merges.txt");
        }

        String likelyClass() {
            return has("spiece.model")
                    ? "T5Tokenizer"
                    : hasClipFiles() ? "CLIPTokenizer" : "PreTrainedTokenizerFast";
        }

        Tokenizer t5() throws IOException {
            return has("spiece.model")
                    ? T5Tokenizer.of(
                            SentencePieceModel.read(path.resolve("spiece.model")), settings)
                    : t5FromJson("spiece.model or tokenizer.json");
        }

        Tokenizer t5Fast() throws IOException {
            boolean convert = settings.addPrefixSpace() != null || !has("tokenizer.json");
            if (convert && has("spiece.model")) {
                var model = SentencePieceModel.read(path.resolve("spiece.model"));
                return FastTokenizer.of(
                        Conversion.t5(model, settings),
                        settings.withExtraIds(),
                        T5Tokenizer.SPECIAL);
            }
            return t5FromJson("tokenizer.json or spiece.model");
        }

        private Tokenizer t5FromJson(String expected) throws IOException {
            return fromJson(settings.withExtraIds(), T5Tokenizer.SPECIAL, expected);
        }

        Tokenizer clip() throws IOException {
            return hasClipFiles()
                    ? ClipTokenizer.of(clipVocabulary(), settings)
                    : clipFromJson("vocab.json and merges.txt, or tokenizer.json");
        }

        Tokenizer clipFast() throws IOException {
            if (has("tokenizer.json") || !hasClipFiles()) {
                return clipFromJson("tokenizer.json, or vocab.json and merges.txt");
            }
            var resolved =
                    settings.withDefaults(
                            ClipTokenizer.SPECIAL, EnumSet.of(Role.BOS, Role.EOS, Role.UNK));
            return FastTokenizer.of(
                    Conversion.clip(clipVocabulary(), resolved), resolved, Map.of());
        }

        private ClipVocabulary clipVocabulary() throws IOException {
            return ClipVocabulary.read(path.resolve("vocab.json"), path.resolve("merges.txt"));
        }

        private Tokenizer clipFromJson(String expected) throws IOException {
            return fromJson(settings, ClipTokenizer.SPECIAL, expected);
        }

        Tokenizer anyFast() throws IOException {
            return fromJson(settings, Map.of(), "tokenizer.json");
        }

        private Tokenizer fromJson(
                TokenizerSettings settings, Map<Role, String> defaults, String expected)
                throws IOException {
            if (!has("tokenizer.json")) {
                throw new TokenizerException(path, "there should be " + expected);
            }
            var parts = TokenizerJson.read(path.resolve("tokenizer.json"));
            return FastTokenizer.of(parts, settings, defaults);
        }
    }
}
