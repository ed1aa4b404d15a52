package dev.darkroom.tests;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.AccessTarget.CodeUnitAccessTarget;
import com.tngtech.archunit.core.domain.JavaAccess;
import com.tngtech.archunit.core.domain.JavaClass;

import java.lang.reflect.Constructor;
import java.lang.reflect.Executable;
import java.text.DecimalFormat;
import java.text.MessageFormat;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Scanner;
import java.util.stream.Stream;

/**
 * Which calls of Java's library depend on the locale that the JVM runs in: those with an overload
 * that takes a {@link Locale} besides, and a few that have none.
 */
final class LocaleDependence {
    /**
     * Whether a call, or a reference such as {@code String::toLowerCase}, depends on the locale.
     */
    static final DescribedPredicate<JavaAccess<?>> IN_A_CALL =
            DescribedPredicate.describe(
                    "depends on the locale: give it Locale.ROOT",
                    access ->
                            access.getTarget() instanceof CodeUnitAccessTarget target
                                    && isIn(target));

    private LocaleDependence() {}

    private static boolean isIn(CodeUnitAccessTarget target) {
        if (!target.getOwner().getPackageName().startsWith("java.")) {
            return false;
        }
        Class<?> owner = target.getOwner().reflect();
        String name = target.getName();
        List<Class<?>> parameters =
                target.getRawParameterTypes().stream().<Class<?>>map(JavaClass::reflect).toList();
        return isWithoutOverload(owner, name, parameters)
                || overloads(owner, name)
                        .map(overload -> List.of(overload.getParameterTypes()))
                        .anyMatch(
                                other ->
                                        other.contains(Locale.class)
                                                && other.size() == parameters.size() + 1
                                                && without(other).equals(parameters));
    }

    private static boolean isWithoutOverload(
            Class<?> owner, String name, List<Class<?>> parameters) {
        boolean constructor = name.equals("<init>");
        return owner == String.class && name.equals("formatted")
                || owner == Locale.class && name.equals("getDefault")
                || owner == MessageFormat.class && name.equals("format") && parameters.size() == 2
                || owner == System.Logger.class && parameters.contains(Object[].class)
                || owner == Scanner.class && constructor
                || owner == DecimalFormat.class && constructor && parameters.size() < 2;
    }

    private static Stream<? extends Executable> overloads(Class<?> owner, String name) {
        if (name.equals("<init>")) {
            return Arrays.<Constructor<?>>stream(owner.getConstructors());
        }
        return Arrays.stream(owner.getMethods()).filter(method -> method.getName().equals(name));
    }

    private static List<Class<?>> without(List<Class<?>> parameters) {
        return parameters.stream().filter(type -> type != Locale.class).toList();
    }
}
