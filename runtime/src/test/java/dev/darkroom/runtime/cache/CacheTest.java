package dev.darkroom.runtime.cache;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.text.MessageFormat;
import java.util.ArrayList;
import java.util.List;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;

/** What is unpacked is logged, once. */
class CacheTest {
    private static final Logger LOG = Logger.getLogger("dev.darkroom.cache");

    @TempDir private Path root;

    private final List<String> logged = new ArrayList<>();
    private final Handler handler =
            new Handler() {
                @Override
                public void publish(LogRecord record) {
                    logged.add(MessageFormat.format(record.getMessage(), record.getParameters()));
                }

                @Override
                public void flush() {}

                @Override
                public void close() {}
            };
    private String before;

    @BeforeEach
    void listen() {
        before = System.getProperty("darkroom.cache");
        System.setProperty("darkroom.cache", root.toString());
        LOG.addHandler(handler);
        LOG.setUseParentHandlers(false);
    }

    @AfterEach
    void stop() {
        LOG.setUseParentHandlers(true);
        LOG.removeHandler(handler);
        if (before == null) {
            System.clearProperty("darkroom.cache");
        } else {
            System.setProperty("darkroom.cache", before);
        }
    }

    @Test
    void theFirstCallUnpacksAndLogsIt() throws IOException {
        for (int i = 0; i < 2; i++) {
            Path folder =
                    Cache.folder(
                            Path.of("models", "a"),
                            to -> Files.writeString(to.resolve("file"), "text"));
            assertEquals("text", Files.readString(folder.resolve("file")));
        }
        assertEquals(
                List.of("unpacking " + root.resolve("models/a") + ", once on this machine"),
                logged);
    }
}
