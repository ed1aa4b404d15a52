package dev.darkroom.tests;

import static com.tngtech.archunit.base.DescribedPredicate.alwaysTrue;
import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.belongToAnyOf;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.conditions.ArchConditions.accessTargetWhere;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noMethods;
import static com.tngtech.archunit.library.GeneralCodingRules.ACCESS_STANDARD_STREAMS;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import static org.junit.jupiter.api.Assertions.assertFalse;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.lang.ArchCondition;
import com.tngtech.archunit.library.dependencies.SliceAssignment;
import com.tngtech.archunit.library.dependencies.SliceIdentifier;

import dev.darkroom.runtime.Tensor;

import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The layers of ARCHITECTURE.md, cli over training over models over tokenizers and runtime, runtime
 * over bindings, and what each may use.
 */
class ArchitectureTest {
    private static final String COMMON = "dev.darkroom.common..";
    private static final String BINDINGS = "dev.darkroom.bindings..";
    private static final String FFI = "dev.darkroom.runtime.internal.ffi..";
    private static final String RUNTIME = "dev.darkroom.runtime..";
    private static final String TOKENIZERS = "dev.darkroom.tokenizers..";
    private static final String HUB = "dev.darkroom.hub..";
    private static final String MODELS = "dev.darkroom.models..";
    private static final String TRAINING = "dev.darkroom.training..";
    private static final String CLI = "dev.darkroom.cli..";
    private static final String RECIPE = "dev.darkroom.recipe..";
    private static final String DIFFUSION = "dev.darkroom.models.diffusion..";
    private static final String CONFIG = "dev.darkroom.models.config..";

    private static JavaClasses darkroom;

    @BeforeAll
    static void read() {
        darkroom =
                new ClassFileImporter()
                        .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
                        .importPackages("dev.darkroom");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                COMMON,
                BINDINGS,
                FFI,
                RUNTIME,
                TOKENIZERS,
                HUB,
                MODELS,
                TRAINING,
                CLI,
                DIFFUSION,
                CONFIG
            })
    void everyLayerIsThere(String layer) {
        assertFalse(darkroom.that(resideInAPackage(layer)).isEmpty());
    }

    @Test
    void aLayerUsesOnlyLayersBelow() {
        forbid(not(resideInAPackage(CLI)), resideInAPackage(CLI));
        forbid(not(resideInAnyPackage(TRAINING, CLI, RECIPE)), resideInAPackage(TRAINING));
        forbid(
                resideInAnyPackage(COMMON, BINDINGS, RUNTIME, TOKENIZERS, HUB),
                resideInAPackage(MODELS));
        forbid(resideInAnyPackage(COMMON, BINDINGS, RUNTIME), resideInAnyPackage(TOKENIZERS, HUB));
        forbid(resideInAPackage(COMMON), resideInAnyPackage(BINDINGS, RUNTIME));
    }

    @Test
    void tokenizersAndHubKnowNoLibtorch() {
        forbid(resideInAPackage(TOKENIZERS), resideInAnyPackage(BINDINGS, RUNTIME));
        forbid(resideInAPackage(HUB), resideInAnyPackage(BINDINGS, RUNTIME, TOKENIZERS));
    }

    @Test
    void onlyTheFfiLayerTouchesTheBindings() {
        forbid(not(resideInAnyPackage(FFI, BINDINGS)), resideInAPackage(BINDINGS));
    }

    @Test
    void onlyTheRuntimeTouchesTheFfiLayer() {
        forbid(not(resideInAPackage(RUNTIME)), resideInAPackage(FFI));
    }

    @Test
    void foreignMemoryStaysInTheFfiLayerAndAtTheEdgeOfTensor() {
        forbid(
                not(resideInAnyPackage(FFI, BINDINGS)).and(not(belongToAnyOf(Tensor.class))),
                resideInAPackage("java.lang.foreign.."));
    }

    @Test
    void samplingKnowsNoModel() {
        forbid(
                resideInAPackage(DIFFUSION),
                resideInAPackage(MODELS).and(not(resideInAnyPackage(DIFFUSION, CONFIG))));
    }

    /** A module's root package is one of its packages, as those below it are. */
    @ParameterizedTest
    @ValueSource(
            strings = {COMMON, BINDINGS, RUNTIME, TOKENIZERS, HUB, MODELS, TRAINING, CLI, RECIPE})
    void packagesOfAModuleHaveNoCycles(String module) {
        slices().assignedFrom(new PackagesOf(module)).should().beFreeOfCycles().check(darkroom);
    }

    @Test
    void modulesHaveNoCycles() {
        slices().matching("dev.darkroom.(*)..").should().beFreeOfCycles().check(darkroom);
    }

    @Test
    void onlyTheCommandLinePrints() {
        noClasses()
                .that()
                .resideInAnyPackage(COMMON, RUNTIME, TOKENIZERS, HUB, MODELS, TRAINING)
                .should(ACCESS_STANDARD_STREAMS)
                .check(darkroom);
    }

    @Test
    void logsGoToTheSystemLogger() {
        forbid(alwaysTrue(), resideInAPackage("java.util.logging.."));
    }

    @Test
    void thereIsNoJni() {
        noMethods().should().haveModifier(JavaModifier.NATIVE).check(darkroom);
    }

    @Test
    void everyPackageIsNullMarked() {
        classes()
                .that()
                .resideOutsideOfPackage(BINDINGS)
                .should(
                        ArchCondition.from(
                                DescribedPredicate.describe(
                                        "be in a package marked @NullMarked",
                                        type ->
                                                type.getPackage()
                                                        .isAnnotatedWith(NullMarked.class))))
                .check(darkroom);
    }

    /** In Egypt {@code String.format("%d", 12)} is ١٢, in Turkey "ID".toLowerCase() is ıd. */
    @Test
    void nothingDependsOnTheLocale() {
        noClasses()
                .that()
                .resideOutsideOfPackage(BINDINGS)
                .should(accessTargetWhere(LocaleDependence.IN_A_CALL))
                .check(darkroom);
    }

    /** Makes each package of a module a slice, and leaves out all others. */
    private record PackagesOf(String module) implements SliceAssignment {
        @Override
        public SliceIdentifier getIdentifierOf(JavaClass type) {
            return resideInAPackage(module).test(type)
                    ? SliceIdentifier.of(type.getPackageName())
                    : SliceIdentifier.ignore();
        }

        @Override
        public String getDescription() {
            return "packages of " + module;
        }
    }

    private static void forbid(
            DescribedPredicate<? super JavaClass> user,
            DescribedPredicate<? super JavaClass> used) {
        noClasses().that(user).should().dependOnClassesThat(used).check(darkroom);
    }
}
