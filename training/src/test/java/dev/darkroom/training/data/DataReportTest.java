package dev.darkroom.training.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.pipeline.CancelledException;
import dev.darkroom.training.data.DataReport.Size;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

class DataReportTest {
    @TempDir private Path folder;

    private DataReport read() throws IOException {
        return DataReport.of(folder, CacheListener.NONE);
    }

    private static void assertProblems(DataReport report, String... expected) {
        assertEquals(expected.length, report.problems().size(), report.problems().toString());
        for (int i = 0; i < expected.length; i++) {
            String problem = String.valueOf(report.problems().get(i).getMessage());
            assertTrue(problem.contains(expected[i]), problem);
        }
    }

    @Test
    void everyPictureIsReadAndEveryProblemCounted() throws IOException {
        TestPictures.folder(folder, 100, 8, 6);
        TestPictures.write(folder.resolve("007.png"), TestPictures.picture(1, 20, 10));
        TestPictures.write(folder.resolve("008.png"), TestPictures.picture(1, 4, 5));
        Files.write(folder.resolve("001.png"), new byte[0]);
        Files.delete(folder.resolve("002.txt"));
        Files.writeString(folder.resolve("003.txt"), "\ufeff");
        Files.writeString(folder.resolve("notes.md"), "why");
        DataReport report = read();
        assertEquals(97, report.examples().size());
        assertEquals(
                List.of(
                        Map.entry(new Size(4, 5), 1),
                        Map.entry(new Size(8, 6), 95),
                        Map.entry(new Size(20, 10), 1)),
                List.copyOf(report.sizes().entrySet()));
        assertEquals(new Size(8, 6), report.commonestSize());
        assertEquals(List.of(folder.resolve("notes.md")), report.leftOut());
        assertProblems(
                report,
                "001.png: the picture can't be read: the file is empty",
                "002.png: its caption is missing",
                "003.txt: the caption is empty");
    }

    @Test
    void everyLineIsRead() throws IOException {
        TestPictures.write(folder.resolve("a.png"), TestPictures.picture(1, 8, 6));
        Files.writeString(folder.resolve("b.jpg"), "no picture");
        Files.write(
                folder.resolve("metadata.jsonl"),
                List.of(
                        "{\"file_name\": \"a.png\", \"text\": \"an A\"}",
                        "{\"file_name\": \"none.png\", \"text\": \"none\"}",
                        "{\"file_name\": \"b.jpg\", \"text\": \"a B\"}",
                        "{\"file_name\": \"a.png\""));
        DataReport report = read();
        assertEquals(1, report.examples().size());
        assertProblems(
                report,
                "b.jpg: the picture can't be read: it is no PNG",
                "metadata.jsonl, line 2: there is no picture none.png",
                "metadata.jsonl, line 4: not valid JSON");
    }

    @Test
    void whatIsNoDataAtAllIsRefused() {
        assertThrows(DataException.class, this::read);
    }

    @Test
    void readingCanBeEnded() throws IOException {
        TestPictures.folder(folder, 70, 4, 4);
        var listener =
                new CacheListener() {
                    private long read;

                    @Override
                    public void encoded(long done, long total) {
                        assertEquals(70, total);
                        read = done;
                    }

                    @Override
                    public boolean isCancelled() {
                        return read > 0;
                    }
                };
        assertThrows(CancelledException.class, () -> DataReport.of(folder, listener));
        assertTrue(listener.read < 70);
    }
}
