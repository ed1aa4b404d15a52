package dev.darkroom.hub;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.hub.HubException.Kind;
import dev.darkroom.testing.FakeHub;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/** Names that a hub sends to write elsewhere, to hide, or to confuse file systems. */
class HostileNamesTest extends WithFakeHub {
    /** Several hundred, by kinds and where in the path they stand. */
    static Set<String> names() {
        var bad = new ArrayList<String>();
        bad.addAll(
                List.of("..", ".", "", "...", "....", ".. ", " ..", ". .", "..\u0000", "\u0000"));
        bad.addAll(List.of("..\\x", "a\\..\\..\\x", "\\", "\\\\host\\share", "C:", "C:x", "c:\\x"));
        bad.addAll(List.of("\\\\?\\C:\\x", "\\\\.\\pipe\\x", "a:b", "a::$DATA", "x:stream:$DATA"));
        bad.addAll(List.of("~", "~root", "~/.ssh", "a*", "a?", "a\"b", "a<b", "a>b", "a|b"));
        bad.addAll(List.of(".git", ".GIT", ".Git", "git~1", "GIT~1", "GIT~22", ".g\u200cit"));
        bad.addAll(
                List.of(".git ", ".git.", ".git::$INDEX_ALLOCATION", ".gi\u200dt", "\ufeff.git"));
        for (String device : List.of("con", "prn", "aux", "nul", "com0", "com1", "com9", "lpt1")) {
            bad.add(device);
            bad.add(device.toUpperCase(Locale.ROOT));
            bad.add(device + ".json");
            bad.add(device + ".tar.gz");
            bad.add(device + " ");
            bad.add(device + " .txt");
        }
        bad.addAll(List.of("CONIN$", "conout$", "clock$", "com¹", "lpt³.txt"));
        for (char control = 0; control < 0x20; control++) {
            bad.add("a" + control + "b");
        }
        for (int control = 0x7F; control < 0xA0; control += 3) {
            bad.add("a" + (char) control);
        }
        for (int invisible : new int[] {0x200B, 0x200E, 0x202A, 0x202E, 0x2028, 0x2029, 0x2066}) {
            bad.add("a" + Character.toString(invisible) + "gnp.exe");
        }
        bad.addAll(List.of("\ud800", "a\udc00b", "\ufffe", "\uffff", "\ue000", "\ufffd", "\u00ad"));
        bad.addAll(List.of("a.", "a ", "a. .", "a...", " a", "a\t", "a\u0085"));
        bad.add("x".repeat(256));
        bad.add("ä".repeat(128));
        bad.add("\ud83d\ude00".repeat(64));
        bad.add("x".repeat(100_000));

        var names = new LinkedHashSet<String>();
        for (String each : bad) {
            names.add(each);
            names.add("vae/" + each);
            names.add(each + "/x.json");
        }
        for (int depth = 1; depth < 12; depth++) {
            names.add("../".repeat(depth) + "etc/passwd");
            names.add("vae/" + "../".repeat(depth) + "x");
            names.add("a/".repeat(depth) + "../".repeat(depth + 1) + "x");
            names.add("..\\".repeat(depth) + "x");
        }
        names.addAll(
                List.of(
                        "/etc/passwd",
                        "//host/x",
                        "/",
                        "//",
                        "a//b",
                        "a/",
                        "/a",
                        "./a",
                        "a/./b",
                        "../blobs/x",
                        "../../refs/main",
                        "../../../.locks/x",
                        "a/../../b",
                        "file:///etc/passwd",
                        "http://x/y",
                        "\u2025/x\\",
                        "vae/../../../x"));
        names.add("a/".repeat(32) + "x");
        names.add("a/".repeat(5000) + "x");
        names.add(("x".repeat(200) + "/").repeat(6) + "x");
        return names;
    }

    @Test
    void noneIsWrittenAndEachIsSaid() throws Exception {
        var model = server.model(ID.repository());
        int tried = 0;
        try (Hub hub = hub()) {
            for (String name : names()) {
                model.files.clear();
                model.add("good.json", "{}").add(name, "{\"bad\":1}");
                var e =
                        assertThrows(
                                HubException.class,
                                () -> hub.download(ID, FileSelection.all(), DownloadListener.NONE),
                                () -> RepoPath.printable(name));
                assertEquals(Kind.HOSTILE_NAME, e.kind(), e.getMessage());
                assertEquals(1, e.getMessage().lines().count());
                assertTrue(e.getMessage().length() < 700);
                tried++;
            }
        }
        assertTrue(tried >= 300, tried + " names");
        assertNoWrongFile();
        assertEquals(
                List.of(),
                names(cache()).stream().filter(name -> !name.startsWith(".locks")).toList());
        assertEquals(List.of(), server.asked("/resolve/"));
    }

    /** An index that names one is refused, whether it is a part's or a shard's. */
    @Test
    void noneIsFollowedFromAnIndex() throws Exception {
        Path index = folder.resolve("mine.json");
        var choice = new CheckpointFiles("org/tiny", null, false);
        for (String name : names()) {
            for (boolean isPart : List.of(true, false)) {
                String json = isPart ? "{%s:[\"diffusers\",\"X\"]}" : "{\"weight_map\":{\"a\":%s}}";
                Files.writeString(index, json.formatted(FakeHub.quoted(name)));
                var files =
                        List.of(
                                new RemoteFile("config.json", 2, ""),
                                new RemoteFile(
                                        isPart
                                                ? "model_index.json"
                                                : "model.safetensors.index.json",
                                        Files.size(index),
                                        ""),
                                new RemoteFile(name, 2, ""));
                var e =
                        assertThrows(
                                HubException.class,
                                () -> choice.select(files, file -> index),
                                () -> RepoPath.printable(name));
                assertEquals(Kind.NO_WEIGHTS, e.kind(), e.getMessage());
                assertTrue(e.getMessage().contains("can't be used"));
            }
        }
    }

    @Test
    void pathsOfWhichOneWouldReplaceAnother() throws Exception {
        String[][] clashes = {
            {"a.json", "A.json"},
            {"vae/config.json", "VAE/config.json"},
            {"stra\u00dfe.json", "STRASSE.json"},
            {"\u00e9.json", "e\u0301.json"},
            {"\ufb01.json", "fi.json"},
            {"a", "a/b.json"},
            {"A", "a/b.json"},
            {"k.json", "\u212a.json"}
        };
        for (String[] clash : clashes) {
            var model = server.model(ID.repository());
            model.files.clear();
            model.add(clash[0], "1").add(clash[1], "2");
            try (Hub hub = hub()) {
                var e =
                        assertThrows(
                                HubException.class,
                                () -> hub.download(ID, FileSelection.all(), DownloadListener.NONE),
                                clash[0]);
                assertEquals(Kind.HOSTILE_NAME, e.kind());
                assertTrue(e.getMessage().contains("the same on some file systems"));
            }
        }
        assertNoWrongFile();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "model_index.json",
                "text_encoder/model-00001-of-00002.safetensors",
                ".gitattributes",
                ".github/x",
                "a/b/c/d/e.txt",
                "with space.json",
                "Ünïcödé/模型.json",
                "emoji😀.json",
                "console.json",
                "com10.json",
                "nullable",
                "a..b",
                "..a",
                "-rf",
                "a%2e%2e%2fb",
                "a+b&c=d#e;f@g.json"
            })
    void ordinaryNamesAreWritten(String name) throws Exception {
        assertNull(RepoPath.problem(name));
        var model = server.model(ID.repository()).add(name, "contents of " + name);
        try (Hub hub = hub()) {
            var snapshot = hub.download(ID, FileSelection.all(), DownloadListener.NONE);
            assertSame(model, snapshot, List.of(name));
        }
    }
}
