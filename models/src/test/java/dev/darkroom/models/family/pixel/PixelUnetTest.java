package dev.darkroom.models.family.pixel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.models.family.Size;
import dev.darkroom.models.layers.OldAttention;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.WeightSource;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.testing.Golden;

import org.junit.jupiter.api.Test;

import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Function;

/** The pixel U-Net, against what diffusers computed by {@code tests/oracle/pixels.py}. */
class PixelUnetTest {
    private static final String DDPM =
            """
            {"layers_per_block": 1, "block_out_channels": [4, 6, 8], "norm_eps": 1e-6,
             "norm_num_groups": 2, "attention_head_dim": null, "flip_sin_to_cos": false,
             "freq_shift": 1, "downsample_padding": 0, "sample_size": 8,
             "down_block_types": ["DownBlock2D", "AttnDownBlock2D", "DownBlock2D"],
             "up_block_types": ["UpBlock2D", "AttnUpBlock2D", "UpBlock2D"]}
            """;
    private static final String ADM =
            """
            {"layers_per_block": 2, "block_out_channels": [4, 8], "norm_num_groups": 2,
             "attention_head_dim": 2, "num_class_embeds": 5, "sample_size": 8,
             "resnet_time_scale_shift": "scale_shift", "downsample_type": "resnet",
             "upsample_type": "resnet",
             "down_block_types": ["ResnetDownsampleBlock2D", "AttnDownBlock2D"],
             "up_block_types": ["AttnUpBlock2D", "ResnetUpsampleBlock2D"]}
            """;
    private static final String REST =
            """
            {"in_channels": 1, "out_channels": 2, "layers_per_block": 1, "sample_size": [8, 8],
             "block_out_channels": [4, 8], "norm_num_groups": 2, "attention_head_dim": 4,
             "attn_norm_num_groups": 4, "resnet_time_scale_shift": "scale_shift",
             "downsample_type": "resnet", "center_input_sample": true, "time_embedding_dim": 10,
             "down_block_types": ["AttnDownBlock2D", "DownBlock2D"],
             "up_block_types": ["UpBlock2D", "AttnUpBlock2D"]}
            """;
    private static final String WITHOUT =
            """
            {"layers_per_block": 1, "block_out_channels": [4, 4], "norm_num_groups": 2,
             "attention_head_dim": null, "add_attention": false, "sample_size": 8,
             "down_block_types": ["DownBlock2D", "DownBlock2D"],
             "up_block_types": ["UpBlock2D", "UpBlock2D"]}
            """;

    private static PixelUnetConfig config(String json) {
        return ConfigReader.of(json, PixelUnetConfig::of);
    }

    private static PixelUnet made(String json) throws IOException {
        PixelUnetConfig config = config(json);
        return Golden.network(w -> new PixelUnet(w, config));
    }

    private static void assertEqualsDiffusers(String name, String json) throws Exception {
        long before = Memory.liveTensors();
        try (var scope = TensorScope.open();
                var golden = Golden.pixels(name);
                var network = made(json)) {
            Tensor x = golden.get("x");
            Tensor output = network.forward(x, golden.get("timestep"), null);
            golden.assertClose("output", output, 2e-6);
            golden.assertClose(
                    "output",
                    network.bind(Condition.NONE).predict(x, golden.get("timestep")),
                    2e-6);
        }
        assertEquals(before, Memory.liveTensors());
    }

    @Test
    void equalsDiffusersAsDdpm() throws Exception {
        assertEqualsDiffusers("ddpm", DDPM);
    }

    @Test
    void equalsDiffusersWithTheOtherOptions() throws Exception {
        assertEqualsDiffusers("rest", REST);
        assertEqualsDiffusers("without", WITHOUT);
    }

    @Test
    void equalsDiffusersWithClasses() throws Exception {
        try (var scope = TensorScope.open();
                var golden = Golden.pixels("adm");
                var network = made(ADM)) {
            Tensor x = golden.get("x");
            Tensor timestep = golden.get("timestep");
            Tensor labels = Tensor.copyOf(new long[] {3, 0}, 2);
            golden.assertClose("output", network.forward(x, timestep, labels), 2e-6);
            var condition = Condition.of(PixelUnet.LABELS, labels);
            golden.assertClose("output", network.bind(condition).predict(x, timestep), 2e-6);
            assertThrows(IllegalArgumentException.class, () -> network.forward(x, timestep, null));
            assertThrows(IllegalArgumentException.class, () -> network.bind(Condition.NONE));
        }
    }

    /** As the first version of diffusers wrote them. */
    @Test
    void oldNamesOfAttentionAreUnderstood() throws Exception {
        PixelUnetConfig config = config(DDPM);
        Function<Weights, PixelUnet> constructor = w -> new PixelUnet(w, config);
        try (var scope = TensorScope.open();
                var golden = Golden.pixels("ddpm")) {
            Map<String, Shape> declared = Weights.declared(constructor);
            WeightSource today = Golden.formula(declared);
            var old = new LinkedHashMap<String, Tensor>();
            for (String key : declared.keySet()) {
                String name =
                        key.replace(".to_q.", ".query.")
                                .replace(".to_k.", ".key.")
                                .replace(".to_v.", ".value.")
                                .replace(".to_out.0.", ".proj_attn.");
                old.put(name, today.read(key));
            }
            try (var network =
                    Weights.load(
                            OldAttention.currentNames(WeightSource.of("old", old)),
                            DType.FLOAT32,
                            Device.CPU,
                            constructor)) {
                Tensor output = network.forward(golden.get("x"), golden.get("timestep"), null);
                golden.assertClose("output", output, 2e-6);
            }
        }
    }

    @Test
    void shapesAreChecked() throws Exception {
        try (var scope = TensorScope.open();
                var network = made(DDPM)) {
            Tensor at = Tensor.copyOf(new long[] {1}, 1);
            assertRefused("multiples of 4", network, zeros(3, 8, 6), at, null);
            assertRefused("must be [N,3,H,W]", network, zeros(1, 8, 8), at, null);
            assertRefused("no classes", network, zeros(3, 8, 8), at, at);
        }
    }

    private static Tensor zeros(long... picture) {
        return Tensor.zeros(DType.FLOAT32, picture).unsqueeze(0);
    }

    private static void assertRefused(
            String reason, PixelUnet network, Tensor x, Tensor at, Tensor labels) {
        var refused =
                assertThrows(IllegalArgumentException.class, () -> network.forward(x, at, labels));
        assertTrue(refused.getMessage().contains(reason), refused.getMessage());
    }

    /** What google/ddpm-cifar10-32 and its kin say, of the first version of diffusers. */
    @Test
    void missingOptionsAreThoseOfTheFirstVersions() {
        PixelUnetConfig config =
                config(
                        DDPM.replace("\"attention_head_dim\": null,", "")
                                .replace("[4, 6, 8]", "[8, 8, 8]"));
        assertEquals(new Size(8, 8), config.sampleSize());
        assertEquals(8, config.attentionHeadDim());
        assertEquals(2, config.midNormGroups());
        assertEquals(32, config.timeWidth());
        assertTrue(config.midAttention());
        assertTrue(config.sinesFirst());
    }

    @Test
    void configsThatCantBeHonouredAreRefused() {
        assertUnsupported(
                "time_embedding_type \"fourier\"", "\"time_embedding_type\": \"fourier\"");
        assertUnsupported("class_embed_type", "\"class_embed_type\": \"timestep\"");
        assertUnsupported("resnet_time_scale_shift", "\"resnet_time_scale_shift\": \"spatial\"");
        assertUnsupported("downsample_type", "\"downsample_type\": \"fir\"");
        assertUnsupported("mid_block_scale_factor", "\"mid_block_scale_factor\": 1.41");
        assertUnsupported("norm_num_groups 3", "\"norm_num_groups\": 3");
        assertUnsupported("attention_head_dim", "\"attention_head_dim\": 4");
        assertUnsupported("attn_norm_num_groups", "\"attn_norm_num_groups\": 5");
        assertUnsupported("sample_size", "\"sample_size\": -1");
        assertUnsupported("sample_size", "\"sample_size\": [8, 8, 8]");
        assertUnsupported("freq_shift can't be 2", "\"freq_shift\": 2");
        assertUnsupported("layers_per_block can't be 0", "\"layers_per_block\": 0");
        assertUnsupported(
                "only DownBlock2D, AttnDownBlock2D, ResnetDownsampleBlock2D",
                "\"down_block_types\": [\"SkipDownBlock2D\", \"DownBlock2D\", \"DownBlock2D\"]");
        assertUnsupported("up_block_types must have 3", "\"up_block_types\": [\"UpBlock2D\"]");
        assertUnsupported("block_out_channels", "\"block_out_channels\": []");
    }

    /** Replaces an option, or adds it. */
    private static void assertUnsupported(String reason, String option) {
        String key = option.substring(0, option.indexOf(':'));
        String without = DDPM.replaceFirst(key + ": (\\[[^]]*\\]|[^,\\]}]+),? ?", "");
        String json = without.replaceFirst("\\{", "{" + option + ", ").replaceFirst(",\\s*}", "}");
        var refused = assertThrows(IllegalArgumentException.class, () -> config(json));
        assertTrue(refused.getMessage().contains(reason), refused.getMessage());
    }
}
