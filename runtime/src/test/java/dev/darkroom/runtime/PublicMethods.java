package dev.darkroom.runtime;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.module.ModuleDescriptor;
import java.lang.module.ModuleFinder;
import java.lang.reflect.AccessibleObject;
import java.lang.reflect.Constructor;
import java.lang.reflect.Executable;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** Every public method and constructor of the packages that this module exports. */
final class PublicMethods {
    /** What is not called, by a part of its name, and why. */
    static final Map<String, String> LEFT_OUT =
            Map.of(
                    "Tensor.fromDlpack", "takes an address; called in a pair with toDlpack",
                    "Tensor.freeDlpack", "takes an address; called in a pair with toDlpack",
                    "Cache.", "reads or writes the user's whole cache; CacheIntegrityTest has it",
                    "FileHashes.of", "writes into the user's cache",
                    "FileHashes.known", "reads the user's cache",
                    "Diagnosis.make", "reads the whole cache");

    private PublicMethods() {}

    static List<Executable> all() {
        try {
            Path classes =
                    Path.of(
                            Tensor.class
                                    .getProtectionDomain()
                                    .getCodeSource()
                                    .getLocation()
                                    .toURI());
            ModuleDescriptor module =
                    ModuleFinder.of(classes).findAll().iterator().next().descriptor();
            List<Executable> all = new ArrayList<>();
            for (var exported : module.exports()) {
                Path folder = classes.resolve(exported.source().replace('.', '/'));
                try (Stream<Path> files = Files.list(folder)) {
                    for (Path file : files.sorted().toList()) {
                        String name = file.getFileName().toString();
                        if (name.endsWith(".class") && !name.equals("package-info.class")) {
                            add(
                                    Class.forName(
                                            exported.source() + "." + name.replace(".class", ""),
                                            false,
                                            Tensor.class.getClassLoader()),
                                    all);
                        }
                    }
                }
            }
            all.sort(Comparator.comparing(Executable::toString));
            return all;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (URISyntaxException | ClassNotFoundException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void add(Class<?> type, List<Executable> all) {
        for (Class<?> at = type; at != null; at = at.getEnclosingClass()) {
            if (!Modifier.isPublic(at.getModifiers())) {
                return;
            }
        }
        Stream<Constructor<?>> constructors =
                Modifier.isAbstract(type.getModifiers())
                        ? Stream.of()
                        : Arrays.stream(type.getConstructors());
        Stream.<Executable>concat(of(type), constructors)
                .filter(each -> LEFT_OUT.keySet().stream().noneMatch(name(each)::startsWith))
                .peek(AccessibleObject::trySetAccessible)
                .forEach(all::add);
    }

    /** The public methods that a class declares, itself or in layers that only it extends. */
    static Stream<Method> of(Class<?> type) {
        List<Method> methods = new ArrayList<>();
        for (Class<?> layer = type;
                layer != null && owner(layer) == type;
                layer = layer.getSuperclass()) {
            methods.addAll(Arrays.asList(layer.getDeclaredMethods()));
        }
        return methods.stream()
                .filter(each -> Modifier.isPublic(each.getModifiers()) && !each.isSynthetic());
    }

    /** The class that users call a method on: {@link Tensor} for its layers. */
    static Class<?> owner(Executable each) {
        return owner(each.getDeclaringClass());
    }

    private static Class<?> owner(Class<?> type) {
        Class<?> owner = type;
        while (owner.isSealed() && !Modifier.isPublic(owner.getModifiers())) {
            owner = owner.getPermittedSubclasses()[0];
        }
        return owner;
    }

    /** Class, name and parameters: {@code Tensor.narrow[int, long, long]}. */
    static String name(Executable each) {
        String method = each instanceof Method ? each.getName() : "new";
        return owner(each).getName().replaceFirst(".*\\.", "").replace('$', '.')
                + "."
                + method
                + Arrays.stream(each.getParameterTypes()).map(Class::getSimpleName).toList();
    }
}
