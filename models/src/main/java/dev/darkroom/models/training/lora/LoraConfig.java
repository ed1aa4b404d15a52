package dev.darkroom.models.training.lora;

import dev.darkroom.models.config.ConfigReader;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * Which layers are adapted, and how much.
 *
 * @param rank of the adapters' matrices, at least 1
 * @param alpha adapters count alpha / rank
 * @param targets the layers: each a name from the network's root, or its last parts, such as {@code
 *     to_q} or {@code attn1.to_q}
 */
public record LoraConfig(int rank, double alpha, List<String> targets) {
    /** The projections of every attention, what diffusion models are adapted at. */
    public static final List<String> ATTENTION = List.of("to_q", "to_k", "to_v", "to_out.0");

    public LoraConfig {
        targets = List.copyOf(targets);
        if (rank < 1 || !Double.isFinite(alpha) || targets.isEmpty()) {
            throw new IllegalArgumentException(
                    "LoRA needs a rank from 1, a finite alpha and target modules, not r "
                            + rank
                            + ", lora_alpha "
                            + alpha
                            + " and "
                            + targets);
        }
    }

    /** What adapters count. */
    public double scale() {
        return alpha / rank;
    }

    /** Whether a layer of a name is adapted. */
    boolean matches(String name) {
        return targets.stream()
                .anyMatch(target -> name.equals(target) || name.endsWith("." + target));
    }

    /**
     * Reads PEFT's {@code adapter_config.json}.
     *
     * @throws IOException if it can't be read, is not LoRA's, or asks for a variant of it
     */
    public static LoraConfig read(Path file) throws IOException {
        return ConfigReader.read(file, LoraConfig::of);
    }

    private static LoraConfig of(ConfigReader json) {
        json.only("peft_type", "LORA");
        json.only("bias", "none");
        json.only("fan_in_fan_out", false);
        for (String off : List.of("use_dora", "use_rslora", "use_qalora", "lora_bias")) {
            json.only(off, false);
        }
        json.only("alpha_pattern", Map.of());
        json.only("rank_pattern", Map.of());
        for (String none :
                List.of(
                        "modules_to_save",
                        "exclude_modules",
                        "layers_to_transform",
                        "layer_replication",
                        "target_parameters",
                        "trainable_token_indices",
                        "use_bdlora",
                        "alora_invocation_tokens")) {
            json.only(none, (Object) null);
        }
        // Where adapters came from and how they began; training only.
        json.ignore(json.keys().stream().filter(LoraConfig::isHistory).toArray(String[]::new));
        return new LoraConfig(
                json.integer("r", 8),
                json.number("lora_alpha", 8),
                json.texts("target_modules", List.of()));
    }

    private static boolean isHistory(String key) {
        return List.of(
                                "auto_mapping",
                                "base_model_name_or_path",
                                "ensure_weight_tying",
                                "inference_mode",
                                "init_lora_weights",
                                "layers_pattern",
                                "loftq_config",
                                "lora_dropout",
                                "megatron_config",
                                "megatron_core",
                                "peft_version",
                                "qalora_group_size",
                                "revision",
                                "task_type")
                        .contains(key)
                || (key.endsWith("_config") && !key.equals("lora_config"));
    }
}
