package dev.darkroom.tests;

import dev.darkroom.cli.Main;
import dev.darkroom.models.convert.Conversion;
import dev.darkroom.runtime.Diagnosis;
import dev.darkroom.runtime.Threads;
import dev.darkroom.runtime.cache.Cache;
import dev.darkroom.training.run.RunListener;
import dev.darkroom.training.stage.Stage;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.TreeSet;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.stream.LongStream;
import java.util.stream.Stream;

/**
 * Lets the disk be full at random points while a cache is unpacked, a picture written, a step
 * trained and a checkpoint converted: by a limit of what a file may have, or, in a small file
 * system, by a file that takes what is free. Each time the error names the folder and nothing half
 * written is left, and when there is room again it goes on to the same bytes.
 */
@SuppressWarnings("restricted")
final class FullDisk {
    private static final int LARGEST = 400_000;
    private static final int PIECE = 100_000;

    /** What is done, and what it makes. */
    private abstract static class Use {
        final String name;
        final Path folder;

        Use(String name, Path folder) {
            this.name = name;
            this.folder = folder;
        }

        /** Goes on, or begins; what it says if it fails. */
        abstract @Nullable String fails() throws Exception;

        /** What is compared. */
        abstract Path result();

        /** Whether an error says where there was no room. */
        boolean isNamed(String said) {
            return said.contains(folder.toString());
        }

        /** What may lie in the folder that is no result. */
        boolean mayRemain(String file) {
            return false;
        }
    }

    /** Says each time what it unpacks. */
    private static final Logger CACHE = Logger.getLogger("dev.darkroom.cache");

    private final Room room;
    private final Random random;
    private int faults;

    private FullDisk(Room room, long seed) {
        this.room = room;
        random = new Random(seed);
    }

    /**
     * Arguments: a checkpoint, a folder, how often, a seed, whether the folder's disk is small, a
     * checkpoint of Stable Diffusion.
     */
    public static void main(String[] arguments) throws Exception {
        CACHE.setLevel(Level.WARNING);
        Diagnosis.loaded(); // which is unpacked itself
        Threads.set(1);
        Path root = Path.of(arguments[1]);
        Room room =
                Boolean.parseBoolean(arguments[4])
                        ? new SmallDisk(root.resolve("ballast"))
                        : new FileLimit();
        var attack = new FullDisk(room, Long.parseLong(arguments[3]));
        int times = Integer.parseInt(arguments[2]);
        attack.run(unpack(root.resolve("cache")), times);
        attack.run(picture(Path.of(arguments[0]), root.resolve("pictures")), times);
        attack.run(train(root.resolve("run")), times);
        attack.run(convert(Path.of(arguments[5]), root.resolve("converted")), times);
        System.exit(attack.faults == 0 ? 0 : 1);
    }

    private void run(Use use, int times) throws Exception {
        require(use.fails() == null, use, "it fails with room");
        byte[] expected = Files.readAllBytes(use.result());
        int most = Math.toIntExact(room.most(use.folder));
        int failures = 0;
        for (int i = 0; i < times; i++) {
            delete(use.folder);
            int bytes = random.nextInt(most);
            room.leave(bytes);
            String said;
            try {
                said = use.fails();
            } finally {
                room.give();
            }
            String what = use.name + " with room for " + bytes + " bytes";
            if (said != null) {
                failures++;
                require(use.isNamed(said), use, what + " says: " + said);
                List<String> left = left(use);
                require(left.isEmpty(), use, what + " leaves " + left);
            }
            String then = use.fails();
            require(then == null, use, what + ", and then with enough: " + then);
            require(
                    Arrays.equals(expected, Files.readAllBytes(use.result())),
                    use,
                    what + " changes the result");
        }
        System.out.printf(
                Locale.ROOT,
                "%s: the disk was full %d times of %d, %d faults%n",
                use.name,
                failures,
                times,
                faults);
        require(failures > times / 4, use, "too few failures");
    }

    private void require(boolean holds, Use use, String fault) {
        if (!holds) {
            faults++;
            System.out.println(use.name + ": " + fault);
        }
    }

    /** What was being written. */
    private static List<String> left(Use use) throws IOException {
        var left = new TreeSet<String>();
        if (Files.exists(use.folder)) {
            try (Stream<Path> files = Files.walk(use.folder)) {
                files.filter(Files::isRegularFile)
                        .map(file -> use.folder.relativize(file).toString())
                        .filter(file -> !use.mayRemain(file))
                        .forEach(left::add);
            }
        }
        return new ArrayList<>(left);
    }

    private static void delete(Path folder) throws IOException {
        if (Files.exists(folder)) {
            List<Path> files;
            try (Stream<Path> walk = Files.walk(folder)) {
                files = walk.toList();
            }
            for (Path file : files.reversed()) {
                Files.delete(file);
            }
        }
    }

    // ---- What is done ----

    private static Use unpack(Path root) {
        System.setProperty("darkroom.cache", root.toString());
        var bytes = new byte[LARGEST];
        new Random(1).nextBytes(bytes);
        return new Use("unpacking", root) {
            @Override
            String fails() {
                try {
                    Cache.folder(
                            Path.of("kind", "name"),
                            to -> {
                                for (int i = 0; i < LARGEST; i += PIECE) {
                                    byte[] piece = Arrays.copyOfRange(bytes, 0, i + PIECE);
                                    Files.write(to.resolve("file" + i), piece);
                                }
                            });
                    return null;
                } catch (IOException e) {
                    return e.getMessage();
                }
            }

            @Override
            Path result() {
                return root.resolve("kind/name/file" + (LARGEST - PIECE));
            }

            @Override
            boolean mayRemain(String file) {
                return file.equals(".lock");
            }
        };
    }

    private static Use picture(Path model, Path folder) throws IOException {
        Path png = folder.resolve("picture.png");
        return new Use("a picture", folder) {
            @Override
            String fails() throws IOException {
                Files.createDirectories(folder);
                var err = new StringWriter();
                int exit =
                        Main.run(
                                new PrintWriter(new StringWriter()),
                                new PrintWriter(err, true),
                                "sample",
                                "a dog",
                                "--model",
                                model.toString(),
                                "--steps",
                                "1",
                                "--width",
                                "192",
                                "--height",
                                "192",
                                "--seed",
                                "1",
                                "--no-binning",
                                "--quiet",
                                "--weights-hash",
                                "none",
                                "--out",
                                png.toString());
                return exit == 0 ? null : err.toString();
            }

            @Override
            Path result() {
                return png;
            }
        };
    }

    private static Use train(Path out) throws IOException {
        Path data = Files.createDirectories(out.resolveSibling("data"));
        Uses.pictures(data);
        Path config = out.resolveSibling("run.json");
        Files.writeString(
                config, Uses.VAE.replace("\"steps\": 1", "\"steps\": 2, \"saveEvery\": 1"));
        return new Use("training", out) {
            @Override
            String fails() {
                try {
                    Stage.read(Stage.Kind.VAE, config, data).run(out, RunListener.NONE);
                    return null;
                } catch (IOException e) {
                    return String.valueOf(e.getMessage());
                }
            }

            @Override
            Path result() {
                return out.resolve("vae/diffusion_pytorch_model.safetensors");
            }

            /** Checkpoints that are whole, and what the next run goes on with or writes again. */
            @Override
            boolean mayRemain(String file) {
                return !file.contains("/.") && !file.startsWith(".");
            }
        };
    }

    private static Use convert(Path model, Path folder) throws IOException {
        Path file = folder.resolveSibling("file.safetensors");
        Conversion.of(model, file, Conversion.Options.KEEP);
        Path checkpoint = folder.resolve("checkpoint");
        return new Use("converting", folder) {
            @Override
            String fails() throws IOException {
                Files.createDirectories(folder);
                delete(checkpoint);
                try {
                    Conversion.of(file, checkpoint, Conversion.Options.KEEP);
                    return null;
                } catch (IOException e) {
                    return e.getMessage();
                }
            }

            @Override
            Path result() {
                return checkpoint.resolve("unet/diffusion_pytorch_model.safetensors");
            }

            /** Tokenizers are read through a temporary folder. */
            @Override
            boolean isNamed(String said) {
                return super.isNamed(said) || said.contains("/darkroom-tokenizer-");
            }
        };
    }

    // ---- How the disk is full ----

    /** What can be written. */
    private interface Room {
        /** With which all that is in a folder could be written. */
        long most(Path folder) throws IOException;

        void leave(int bytes) throws IOException;

        void give() throws IOException;
    }

    private static LongStream sizes(Path folder) throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            return LongStream.of(
                    files.filter(Files::isRegularFile)
                            .mapToLong(file -> file.toFile().length())
                            .toArray());
        }
    }

    /** No file may be larger: writes beyond fail. */
    private static final class FileLimit implements Room {
        private static final int RLIMIT_FSIZE = 1;

        private final MemorySegment limits =
                Arena.global().allocate(ValueLayout.JAVA_LONG, 2); // soft and hard
        private final MethodHandle setrlimit =
                Linker.nativeLinker()
                        .downcallHandle(
                                Linker.nativeLinker()
                                        .defaultLookup()
                                        .find("setrlimit")
                                        .orElseThrow(),
                                FunctionDescriptor.of(
                                        ValueLayout.JAVA_INT,
                                        ValueLayout.JAVA_INT,
                                        ValueLayout.ADDRESS));

        @Override
        public long most(Path folder) throws IOException {
            return sizes(folder).max().orElseThrow();
        }

        @Override
        public void leave(int bytes) {
            set(bytes);
        }

        @Override
        public void give() {
            set(-1);
        }

        private void set(long soft) {
            limits.setAtIndex(ValueLayout.JAVA_LONG, 0, soft);
            limits.setAtIndex(ValueLayout.JAVA_LONG, 1, -1);
            try {
                if ((int) setrlimit.invokeExact(RLIMIT_FSIZE, limits) != 0) {
                    throw new AssertionError("setrlimit");
                }
            } catch (Throwable e) {
                throw new AssertionError(e);
            }
        }
    }

    /** A small file system of its own. */
    private record SmallDisk(Path ballast) implements Room {
        @Override
        public long most(Path folder) throws IOException {
            return sizes(folder).sum();
        }

        @Override
        public void leave(int bytes) throws IOException {
            long free = Files.getFileStore(ballast.getParent()).getUsableSpace();
            try (var out =
                    FileChannel.open(
                            ballast, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
                var piece = ByteBuffer.allocate(4096);
                for (long taken = 0; taken + bytes < free; taken += piece.capacity()) {
                    out.write(piece.clear());
                }
            }
        }

        @Override
        public void give() throws IOException {
            Files.deleteIfExists(ballast);
        }
    }
}
