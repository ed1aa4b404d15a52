package dev.darkroom.models.pipeline;

import dev.darkroom.runtime.cache.Cache;
import dev.darkroom.runtime.cache.FileHashes;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.UUID;
import java.util.stream.Stream;

/**
 * The small text-to-image model that comes with Darkroom: icons of 128×128 from captions such as "a
 * red heart on a blue background". It was trained from colour emoji by Darkroom; {@code
 * docs/embedded-model.md} tells what it knows and how well.
 *
 * <p>Both models share their tokenizer, text encoder and autoencoder. Each says itself how many
 * steps and which guidance suit it: see {@link dev.darkroom.models.family.Defaults}.
 */
public enum EmbeddedModel {
    /** Distilled by latent consistency: 4 steps without guidance, and still usable with 2 or 1. */
    STUDENT,
    /** What the student was distilled from: 20 steps with classifier-free guidance. */
    TEACHER;

    private static final String RESOURCES = "/dev/darkroom/models/embedded/";

    /** Lines of {@code sha256sum}: of each file, below a folder for each model. */
    private static final String FILES = "SHA256SUMS";

    /**
     * The checkpoint's folder in hub layout, for {@link Pipeline#load}. The models are unpacked
     * into the {@linkplain Cache cache} by the first call on a machine.
     *
     * @throws PipelineException if they can't be unpacked
     */
    public Path folder() {
        try {
            byte[] files = read(FILES);
            Path name = Path.of("models", UUID.nameUUIDFromBytes(files).toString());
            return Cache.folder(name, folder -> unpack(files, folder)).resolve(folderName());
        } catch (IOException e) {
            throw new PipelineException(
                    "the embedded model: "
                            + e.getMessage()
                            + "; it takes about 40 MB, and -Ddarkroom.cache chooses another folder",
                    e);
        }
    }

    private String folderName() {
        return name().toLowerCase(Locale.ROOT);
    }

    private static void unpack(byte[] files, Path folder) throws IOException {
        for (String line : new String(files, StandardCharsets.UTF_8).lines().toList()) {
            int space = line.indexOf(' ');
            String name = line.substring(space).strip();
            Path file = folder.resolve(name);
            Files.createDirectories(file.getParent());
            try (InputStream in = open(name)) {
                Files.copy(in, file);
            }
            if (!FileHashes.compute(file).equals(line.substring(0, space))) {
                throw new IOException(
                        "darkroom-models is damaged: its "
                                + name
                                + " has not the SHA-256 that it was built with");
            }
        }
        share(folder.resolve(TEACHER.folderName()), folder.resolve(STUDENT.folderName()));
    }

    /** Gives the student the teacher's parts that it has not itself. */
    private static void share(Path teacher, Path student) throws IOException {
        for (Path part : list(teacher)) {
            Path into = student.resolve(teacher.relativize(part));
            if (!Files.exists(into)) {
                Files.createDirectory(into);
                for (Path file : list(part)) {
                    link(file, into.resolve(part.relativize(file)));
                }
            }
        }
    }

    private static List<Path> list(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.toList();
        }
    }

    /** One file under two names, or a copy where the file system knows no links. */
    private static void link(Path file, Path link) throws IOException {
        try {
            Files.createLink(link, file);
        } catch (UnsupportedOperationException | IOException e) {
            Files.copy(file, link);
        }
    }

    private static byte[] read(String name) throws IOException {
        try (InputStream in = open(name)) {
            return in.readAllBytes();
        }
    }

    private static InputStream open(String name) throws IOException {
        InputStream in = EmbeddedModel.class.getResourceAsStream(RESOURCES + name);
        if (in == null) {
            throw new IOException("it is not in this build of darkroom-models: no " + name);
        }
        return in;
    }
}
