package dev.darkroom.runtime;

import java.io.File;
import java.lang.ref.WeakReference;
import java.lang.reflect.InvocationTargetException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/** Loads Darkroom by several class loaders, in a JVM of its own. */
final class ClassLoaders {
    private ClassLoaders() {}

    /** What each loader does with its Darkroom. */
    public static final class Use implements Runnable {
        @Override
        public void run() {
            try (var scope = TensorScope.open();
                    var mode = Mode.GRAD.enter()) {
                Tensor x = Tensor.ones(DType.FLOAT32, 64, 64).requiresGrad(true);
                x.matmul(x).silu().sum().backward();
                require(x.grad().sum().item() > 0, "a gradient");
            }
            require(Memory.liveTensors() == 0, "no live tensors");
            require(Memory.liveBytes() == 0, Memory.liveBytes() + " live bytes");
        }
    }

    public static void main(String[] arguments) throws Exception {
        if (arguments[0].equals("two")) {
            two();
        } else {
            oneAfterAnother(Integer.parseInt(arguments[1]));
        }
    }

    private static void two() throws Exception {
        try (var first = open();
                var second = open()) {
            use(first);
            for (int i = 0; i < 2; i++) {
                try {
                    use(second);
                    throw new AssertionError("libtorch was loaded twice");
                } catch (InvocationTargetException e) {
                    Throwable cause = Objects.requireNonNull(e.getCause());
                    require(
                            cause.getClass().getSimpleName().equals("LibtorchNotFoundException"),
                            cause.toString());
                    require(
                            cause.getMessage().startsWith("another class loader of this JVM"),
                            cause.getMessage());
                    System.out.println(cause.getMessage());
                }
                use(first);
            }
        }
    }

    /** On this thread, which outlives them. */
    private static void oneAfterAnother(int times) throws Exception {
        long maps = 0;
        long threads = 0;
        for (int i = 0; i < times; i++) {
            WeakReference<ClassLoader> loader = useAndClose();
            for (int wait = 0; loader.get() != null; wait++) {
                require(wait < 100, "the class loader is still reachable");
                System.gc();
                Thread.sleep(20);
            }
            if (i == times / 2) {
                maps = maps();
                threads = threads();
            }
        }
        System.out.println(
                times
                        + " class loaders: "
                        + maps
                        + " mapped libraries and "
                        + threads
                        + " threads after half, "
                        + maps()
                        + " and "
                        + threads()
                        + " at the end");
        require(maps == maps(), "libraries stay mapped");
        require(threads == threads(), "threads stay");
    }

    private static WeakReference<ClassLoader> useAndClose() throws Exception {
        try (var loader = open()) {
            // The JVM lets the libraries of a loader go shortly after it is collected.
            for (int wait = 0; ; wait++) {
                try {
                    use(loader);
                    return new WeakReference<>(loader);
                } catch (InvocationTargetException e) {
                    Throwable cause = Objects.requireNonNull(e.getCause());
                    if (wait == 100 || !cause.getMessage().startsWith("another class loader")) {
                        throw e;
                    }
                    System.gc();
                    Thread.sleep(20);
                }
            }
        }
    }

    private static void use(ClassLoader loader) throws Exception {
        Class<?> use = loader.loadClass(Use.class.getName());
        require(use.getClassLoader() == loader, "a class of the loader's own");
        use.getMethod("run").invoke(use.getConstructor().newInstance());
    }

    private static URLClassLoader open() throws Exception {
        List<URL> urls = new ArrayList<>();
        for (String entry : System.getProperty("java.class.path").split(File.pathSeparator)) {
            urls.add(Path.of(entry).toUri().toURL());
        }
        return new URLClassLoader(urls.toArray(new URL[0]), ClassLoader.getPlatformClassLoader());
    }

    private static long maps() throws Exception {
        try (var lines = Files.lines(Path.of("/proc/self/maps"))) {
            return lines.filter(line -> line.contains(".so")).count();
        }
    }

    private static long threads() throws Exception {
        try (var tasks = Files.list(Path.of("/proc/self/task"))) {
            return tasks.count();
        }
    }

    private static void require(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }
}
