package dev.darkroom.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.json.JsonMapper;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

class InspectCommandTest {
    private record Result(int exit, String out, String err) {}

    @TempDir Path model;

    @BeforeEach
    void files() throws IOException {
        safetensors(
                "transformer/diffusion_pytorch_model.safetensors",
                "{\"__metadata__\":{\"format\":\"pt\"},"
                    + "\"proj_out.weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
                    + "\"scale\":{\"dtype\":\"BF16\",\"shape\":[],\"data_offsets\":[24,26]}}",
                26);
        safetensors(
                "vae/diffusion_pytorch_model.safetensors",
                "{\"a\\u001b[31m\":{\"dtype\":\"F32\",\"shape\":[512],\"data_offsets\":[0,2048]}}",
                2048);
    }

    private void safetensors(String path, String json, int data) throws IOException {
        byte[] header = json.getBytes(StandardCharsets.UTF_8);
        var bytes =
                ByteBuffer.allocate(8 + header.length + data)
                        .order(ByteOrder.LITTLE_ENDIAN)
                        .putLong(header.length)
                        .put(header);
        var file = model.resolve(path);
        Files.createDirectories(file.getParent());
        Files.write(file, bytes.array());
    }

    private static Result inspect(Object... arguments) {
        var out = new StringWriter();
        var err = new StringWriter();
        var command = new String[arguments.length + 1];
        command[0] = "inspect";
        for (int i = 0; i < arguments.length; i++) {
            command[i + 1] = arguments[i].toString();
        }
        int exit =
                Main.commandLine()
                        .setOut(new PrintWriter(out, true))
                        .setErr(new PrintWriter(err, true))
                        .execute(command);
        return new Result(exit, out.toString(), err.toString());
    }

    @Test
    void folderIsAnAlignedTable() {
        var result = inspect(model);
        assertEquals("", result.err);
        assertEquals(0, result.exit);
        assertEquals(
                """
                transformer/diffusion_pytorch_model.safetensors: 2 tensors, 26 B
                  # format: pt
                  proj_out.weight  F32          [2, 3]        24 B
                  scale            BF16         []             2 B

                vae/diffusion_pytorch_model.safetensors: 1 tensor, 2.00 KiB
                  a\ufffd[31m           F32          [512]     2.00 KiB

                transformer: 2 tensors, 26 B
                vae: 1 tensor, 2.00 KiB
                total: 3 tensors, 2.03 KiB (BF16 2 B, F32 2.02 KiB)
                """,
                result.out.replace(System.lineSeparator(), "\n"));
    }

    @Test
    void foldersAreNamedByTheirConfigs() throws IOException {
        Path vae = model.resolve("vae");
        Files.writeString(
                vae.resolve("config.json"), "{\"_class_name\": \"AutoencoderKL\", \"a\": 1}");
        assertTrue(inspect(model).out.contains("\nvae: 1 tensor, 2.00 KiB (AutoencoderKL)\n"));
        assertTrue(inspect(vae).out.contains("\n.: 1 tensor, 2.00 KiB (AutoencoderKL)\n"));
        var tree = new JsonMapper().readTree(inspect("--json", model).out);
        assertEquals("AutoencoderKL", tree.get("parts").get(1).get("class").asText());
        assertFalse(tree.get("parts").get(0).has("class"));
    }

    @Test
    void fileIsListedUnderItsName() {
        var file = model.resolve("vae/diffusion_pytorch_model.safetensors");
        var result = inspect(file);
        assertTrue(result.out.startsWith(file + ": 1 tensor, 2.00 KiB"), result.out);
        assertTrue(result.out.endsWith("(F32 2.00 KiB)" + System.lineSeparator()), result.out);
    }

    @Test
    void jsonHasEverything() throws IOException {
        var tree = new JsonMapper().readTree(inspect("--json", model).out);
        assertEquals(3, tree.get("tensors").asInt());
        assertEquals(2074, tree.get("bytes").asInt());
        assertEquals(2072, tree.get("bytes_by_dtype").get("F32").asInt());
        var part = tree.get("parts").get(0);
        assertEquals("transformer", part.get("name").asText());
        var file = part.get("files").get(0);
        assertEquals("pt", file.get("metadata").get("format").asText());
        var tensor = file.get("tensors").get(0);
        assertEquals("proj_out.weight", tensor.get("name").asText());
        assertEquals("F32", tensor.get("dtype").asText());
        assertEquals("[2,3]", tensor.get("shape").toString());
        assertEquals(24, tensor.get("end").asInt() - tensor.get("begin").asInt());
    }

    @Test
    void errorsAreOneLineAndExitCodeOne() throws IOException {
        Files.write(model.resolve("cut.safetensors"), new byte[5]);
        for (var path : new Path[] {model, model.resolve("cut.safetensors"), model.resolve("no")}) {
            var result = inspect(path);
            assertEquals(1, result.exit);
            assertEquals("", result.out);
            assertEquals(1, result.err.lines().count(), result.err);
            assertTrue(result.err.contains(path.toString()), result.err);
            assertFalse(result.err.contains("Exception"), result.err);
        }
    }

    @Test
    void linkInALoopIsExplained() throws IOException {
        Files.createSymbolicLink(model.resolve("vae/loop"), model);
        var result = inspect(model);
        assertEquals(1, result.exit);
        assertTrue(result.err.contains("leads back to a folder that it lies in"), result.err);
    }

    @Test
    void missingArgumentIsAUsageError() {
        assertEquals(2, inspect().exit);
    }
}
