package dev.darkroom.tests;

import static com.tngtech.archunit.lang.conditions.ArchConditions.accessTargetWhere;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.tngtech.archunit.core.importer.ClassFileImporter;

import org.junit.jupiter.api.Test;

import java.io.PrintStream;
import java.io.PrintWriter;
import java.text.BreakIterator;
import java.text.Collator;
import java.text.DecimalFormat;
import java.text.DecimalFormatSymbols;
import java.text.MessageFormat;
import java.text.NumberFormat;
import java.text.SimpleDateFormat;
import java.time.format.DateTimeFormatter;
import java.util.Date;
import java.util.Formatter;
import java.util.Locale;
import java.util.Scanner;
import java.util.function.UnaryOperator;

/** The check of {@link ArchitectureTest#nothingDependsOnTheLocale} finds what it is made for. */
@SuppressWarnings("unused") // only read as class files
class LocaleDependenceTest {
    /** One call in each line, all dependent on the locale. */
    static class Dependent {
        UnaryOperator<String> lower = String::toLowerCase;

        void calls(PrintStream stream, PrintWriter writer, System.Logger log, Date now) {
            use("%d".formatted(1));
            use(String.format("%d", 1));
            stream.printf("%d", 1);
            stream.format("%d", 1);
            writer.printf("%d", 1);
            writer.format("%d", 1);
            use(new Formatter());
            use(new Formatter(new StringBuilder()));
            use("I".toLowerCase());
            use("i".toUpperCase());
            use(NumberFormat.getInstance());
            use(NumberFormat.getPercentInstance());
            use(new DecimalFormat("0.0"));
            use(new DecimalFormat());
            use(new DecimalFormatSymbols());
            use(new SimpleDateFormat("yyyy"));
            use(DateTimeFormatter.ofPattern("yyyy"));
            use(MessageFormat.format("{0}", 1));
            use(new MessageFormat("{0}"));
            use(new Scanner("1"));
            use(Collator.getInstance());
            use(BreakIterator.getCharacterInstance());
            use(Locale.getDefault());
            log.log(System.Logger.Level.INFO, "{0}", 1);
        }
    }

    /** None of these depends on it. */
    static class Independent {
        void calls(PrintStream stream, PrintWriter writer, System.Logger log) {
            use(String.format(Locale.ROOT, "%d", 1));
            stream.printf(Locale.ROOT, "%d", 1);
            writer.printf(Locale.ROOT, "%d", 1);
            use(new Formatter(Locale.ROOT));
            use("I".toLowerCase(Locale.ROOT));
            use(NumberFormat.getInstance(Locale.ROOT));
            use(new DecimalFormat("0.0", DecimalFormatSymbols.getInstance(Locale.ROOT)));
            use(Character.toLowerCase('I'));
            use("1".equalsIgnoreCase("a" + 1 + 1.5));
            stream.println(1.5);
            log.log(System.Logger.Level.INFO, "a");
        }
    }

    private static void use(Object value) {}

    @Test
    void everyDependentCallIsFound() {
        assertEquals(25, violations(Dependent.class));
        assertEquals(0, violations(Independent.class));
    }

    private static int violations(Class<?> type) {
        return noClasses()
                .should(accessTargetWhere(LocaleDependence.IN_A_CALL))
                .evaluate(new ClassFileImporter().importClasses(type))
                .getFailureReport()
                .getDetails()
                .size();
    }
}
