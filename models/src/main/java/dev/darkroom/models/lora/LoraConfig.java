package dev.darkroom.models.lora;

import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.runtime.Warnings;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * The config of a set of adapters: the layers that are adapted, and the size of the changes.
 *
 * @param rank of the adapters' matrices, at least 1
 * @param alpha the factor of the changes is alpha / rank
 * @param targets the layers: each a name from the network's root, or its last parts, such as {@code
 *     to_q} or {@code attn1.to_q}
 */
public record LoraConfig(int rank, double alpha, List<String> targets) {
    /** The projections of every attention layer, where diffusion models are mostly adapted. */
    public static final List<String> ATTENTION = List.of("to_q", "to_k", "to_v", "to_out.0");

    /** Options of PEFT 0.21 that change what adapters compute or which files they have. */
    private static final List<String> VARIANTS =
            List.of(
                    "alora_invocation_tokens",
                    "arrow_config",
                    "exclude_modules",
                    "kasa_config",
                    "layer_replication",
                    "layers_to_transform",
                    "modules_to_save",
                    "monteclora_config",
                    "target_parameters",
                    "trainable_token_indices",
                    "use_bdlora");

    /** Options that note where adapters came from and how they were trained; none is computed. */
    private static final String[] HISTORY = {
        "auto_mapping",
        "base_model_name_or_path",
        "corda_config",
        "ensure_weight_tying",
        "eva_config",
        "inference_mode",
        "init_lora_weights",
        "layers_pattern", // of layers_to_transform
        "loftq_config",
        "lora_dropout",
        "lora_ga_config",
        "megatron_config",
        "megatron_core",
        "peft_version",
        "qalora_group_size", // of use_qalora
        "revision",
        "task_type",
        "velora_config"
    };

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

    /** Returns the factor of the adapters' outputs, alpha / rank. */
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
     * @param warnings collect the unknown options
     * @throws IOException if it can't be read, is not LoRA's, or asks for a variant of it
     */
    public static LoraConfig read(Path file, Warnings warnings) throws IOException {
        return ConfigReader.read(file, warnings, LoraConfig::of);
    }

    /** Reads a config as {@link #read(Path, Warnings)} does; an unknown option is an error. */
    public static LoraConfig read(Path file) throws IOException {
        return read(file, Warnings.strict());
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
        for (String none : VARIANTS) {
            json.only(none, (Object) null);
        }
        json.ignore(HISTORY);
        return new LoraConfig(
                json.integer("r", 8),
                json.number("lora_alpha", 8),
                json.texts("target_modules", List.of()));
    }
}
