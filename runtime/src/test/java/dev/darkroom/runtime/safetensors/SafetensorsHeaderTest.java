package dev.darkroom.runtime.safetensors;

import static dev.darkroom.runtime.safetensors.RawFile.entry;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.safetensors.SafetensorsException.Kind;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

class SafetensorsHeaderTest {
    @TempDir Path folder;

    private SafetensorsHeader read(String json, int data) throws IOException {
        return SafetensorsHeader.read(
                Files.write(folder.resolve("a.safetensors"), RawFile.of(json, data)));
    }

    private Kind refusal(Path file) {
        return assertThrows(SafetensorsException.class, () -> SafetensorsHeader.read(file)).kind();
    }

    @Test
    void namesTypesShapesAndPlaces() throws IOException {
        var json =
                "{\"__metadata__\":{\"format\":\"pt\"},"
                        + entry("b", "I64", "[2,1]", 4, 20)
                        + ","
                        + entry("a", "F32", "[]", 0, 4)
                        + "}";
        var header = read(json, 20);
        var file = folder.resolve("a.safetensors");
        long data = 8 + json.length();
        assertEquals(json.length(), header.headerBytes());
        assertEquals(List.of("a", "b"), header.names());
        assertEquals(Map.of("format", "pt"), header.metadata());
        assertEquals(20, header.tensorBytes());
        assertEquals(
                new StoredTensor("a", SafetensorsDType.F32, Shape.SCALAR, file, data, data + 4),
                header.tensors().get("a"));
        assertEquals(
                new StoredTensor(
                        "b", SafetensorsDType.I64, Shape.of(2, 1), file, data + 4, data + 20),
                header.tensors().get("b"));
    }

    @Test
    void noTensorsAreFine() throws IOException {
        assertEquals(List.of(), read("{}", 0).names());
        assertEquals(List.of(), read("{\"__metadata__\":{}}", 0).names());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{%s}     ",
                "   {%s}",
                "\n\t{%s}\r\n",
                "{ %s }",
                "{\"__metadata__\":{\"\":\"\"},%s}",
                "{%s,\"__metadata__\":{\"a\":\"\\ud83d\\ude00 \\u0000 \\\\ud800\"}}"
            })
    void spaceAndOrderAreFree(String json) throws IOException {
        assertEquals(List.of("w"), read(json.formatted(entry("w", "F32", "[1]", 0, 4)), 4).names());
    }

    @Test
    void fieldsInAnyOrder() throws IOException {
        var header = read("{\"w\":{\"data_offsets\":[0,4],\"shape\":[1],\"dtype\":\"F32\"}}", 4);
        assertEquals(Shape.of(1), header.tensors().get("w").shape());
    }

    @Test
    void emptyTensorsTakeNoBytesAnywhere() throws IOException {
        var header =
                read(
                        "{"
                                + entry("z", "F32", "[0,1000000]", 4, 4)
                                + ","
                                + entry("w", "F32", "[1]", 0, 4)
                                + ","
                                + entry("y", "U8", "[3,0]", 0, 0)
                                + "}",
                        4);
        assertEquals(List.of("y", "w", "z"), header.names());
        assertEquals(0, header.tensors().get("z").bytes());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"", " ", "名前.😀", "a/b\\\\c", "../../x", "\\u0000", "__metadata", "a b"})
    void anyOtherNameIsAName(String name) throws IOException {
        assertEquals(1, read("{" + entry(name, "U8", "[1]", 0, 1) + "}", 1).names().size());
    }

    @ParameterizedTest
    @EnumSource(SafetensorsDType.class)
    void everyDTypeIsKnown(SafetensorsDType dtype) throws IOException {
        var header =
                read("{" + entry("w", dtype.name(), "[2,4]", 0, dtype.bits()) + "}", dtype.bits());
        assertEquals(dtype, header.tensors().get("w").dtype());
        assertEquals(dtype.bits(), header.tensors().get("w").bytes());
    }

    @Test
    void sixtyFourDimensionsAreFine() throws IOException {
        var ones = "[" + "1,".repeat(63) + "1]";
        assertEquals(
                64,
                read("{" + entry("w", "U8", ones, 0, 1) + "}", 1)
                        .tensors()
                        .get("w")
                        .shape()
                        .rank());
    }

    @Test
    void longestHeaderIsReadAndOneMoreByteIsNot() throws IOException {
        var file = folder.resolve("long.safetensors");
        for (long length :
                new long[] {SafetensorsHeader.MAX_BYTES, SafetensorsHeader.MAX_BYTES + 1}) {
            try (var out = new RandomAccessFile(file.toFile(), "rw")) {
                out.write(RawFile.withLength(length, "{}".getBytes(), 0));
                byte[] spaces = " ".repeat(1 << 20).getBytes();
                for (long left = length - 2; left > 0; left -= spaces.length) {
                    out.write(spaces, 0, (int) Math.min(left, spaces.length));
                }
            }
            if (length <= SafetensorsHeader.MAX_BYTES) {
                assertEquals(length, SafetensorsHeader.read(file).headerBytes());
            } else {
                assertEquals(Kind.HEADER_TOO_LARGE, refusal(file));
            }
        }
    }

    @Test
    void whatIsNoFileIsRefused() throws IOException {
        assertEquals(Kind.MISSING_FILE, refusal(folder.resolve("absent.safetensors")));
        assertEquals(Kind.NOT_A_FILE, refusal(folder));
        var dangling = folder.resolve("link.safetensors");
        Files.createSymbolicLink(dangling, folder.resolve("blob"));
        var error =
                assertThrows(SafetensorsException.class, () -> SafetensorsHeader.read(dangling));
        assertEquals(Kind.UNFINISHED_DOWNLOAD, error.kind());
        assertTrue(
                error.getMessage()
                        .contains(
                                "is a link to " + folder.resolve("blob") + ", which is not there"));
        var lengthy = folder.resolve("long.safetensors");
        Files.createSymbolicLink(lengthy, Path.of("x".repeat(4000)));
        error = assertThrows(SafetensorsException.class, () -> SafetensorsHeader.read(lengthy));
        assertTrue(error.getMessage().length() < 1500, error.getMessage());
    }

    @ParameterizedTest
    @ValueSource(strings = {"model.bin", "model.ckpt", "model.pt", "model.PTH", "model.pkl"})
    void picklesAreRefusedByNameWithAdvice(String name) throws IOException {
        var file = Files.write(folder.resolve(name), RawFile.of("{}", 0));
        var error = assertThrows(SafetensorsException.class, () -> SafetensorsHeader.read(file));
        assertEquals(Kind.PICKLE, error.kind());
        assertTrue(error.getMessage().contains("runs whatever code its author put into it"));
        assertTrue(error.getMessage().contains("save_file"));
    }

    @Test
    void linksOutOfTheFolderAreFollowed() throws IOException {
        var blob = Files.write(folder.resolve("blob"), RawFile.of("{}", 0));
        var snapshot = Files.createDirectories(folder.resolve("snapshots/main"));
        var link = snapshot.resolve("model.safetensors");
        Files.createSymbolicLink(link, Path.of("../../blob"));
        assertEquals(link, SafetensorsHeader.read(link).file());
        assertTrue(Files.isSameFile(blob, link));
    }

    @Test
    void strangeNamesAreQuotedInMessages() throws IOException {
        var name = "\\u001b[31m\\n" + "x".repeat(1000);
        var file =
                Files.write(
                        folder.resolve("a.safetensors"),
                        RawFile.of("{" + entry(name, "F33", "[1]", 0, 4) + "}", 4));
        var error = assertThrows(SafetensorsException.class, () -> SafetensorsHeader.read(file));
        assertTrue(error.getMessage().contains("\"\\u001b[31m\\u000axxx"), error.getMessage());
        assertTrue(error.getMessage().contains("xxx…\""), error.getMessage());
        assertEquals(1, error.getMessage().lines().count());
    }
}
