package dev.darkroom.runtime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** Leaks are reported where it is asked for, which takes a JVM of its own. */
class LeakReportTest {
    @Test
    void namesThePlaceOfALeakAndOfAClosedTensor() throws Exception {
        Process process =
                new ProcessBuilder(
                                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                                "--enable-native-access=ALL-UNNAMED",
                                "-Ddarkroom.leaks=sites",
                                "-cp",
                                System.getProperty("java.class.path"),
                                Leaking.class.getName())
                        .redirectErrorStream(true)
                        .start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, process.waitFor(), output);
        assertTrue(output.contains("a tensor was never closed and has leaked"), output);
        assertTrue(output.contains("LeakReportTest$Leaking.leakHere"), output);
        assertTrue(output.contains("used after close, made in closeHere"), output);
    }

    /** The program that leaks. */
    static final class Leaking {
        private Leaking() {}

        public static void main(String[] arguments) throws InterruptedException {
            leakHere();
            closeHere();
            for (int i = 0; i < 50; i++) {
                System.gc();
                Thread.sleep(20);
            }
            if (Memory.liveTensors() != 1) {
                throw new AssertionError("the collector freed a tensor, or one was lost");
            }
        }

        private static void leakHere() {
            Tensor.zeros(DType.FLOAT32, 2);
        }

        private static void closeHere() {
            Tensor tensor = Tensor.zeros(DType.FLOAT32, 2);
            tensor.close();
            try {
                tensor.exp();
            } catch (IllegalStateException e) {
                for (StackTraceElement frame : e.getCause().getStackTrace()) {
                    if (frame.getMethodName().equals("closeHere")) {
                        System.out.println("used after close, made in " + frame.getMethodName());
                    }
                }
            }
        }
    }
}
