package dev.darkroom.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;

import dev.darkroom.common.Sha256;
import dev.darkroom.models.diffusion.diffusers.LevelChoice;
import dev.darkroom.models.family.ControlPicture;
import dev.darkroom.models.family.Edit;
import dev.darkroom.models.family.Inputs;
import dev.darkroom.models.family.PromptReading;
import dev.darkroom.models.family.PromptSyntax;
import dev.darkroom.models.family.RequestedSize;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.models.pipeline.SampleResult;
import dev.darkroom.models.pipeline.Sampling;
import dev.darkroom.models.pipeline.Seed;
import dev.darkroom.runtime.Diagnosis;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * What is needed to make a picture again, as texts for its file. Nothing in it changes from one run
 * to the next, so the same request on the same machine gives the same bytes.
 *
 * @param result how the pictures came about
 * @param model what the checkpoint is
 * @param weights the SHA-256 of each weights file; none where they are not known
 * @param latentsSha256 of the file with the start; null if the start was random
 * @param libtorch that was used
 */
record GenerationParameters(
        SampleResult result,
        Map<String, Object> model,
        Map<String, String> weights,
        @Nullable String latentsSha256,
        Diagnosis.Loaded libtorch) {
    private static final int SHORT_HASH = 10;
    private static final int EMBEDDING_HASH = 12;

    /** This with the hashes of the weights. */
    GenerationParameters with(Map<String, String> weights) {
        return new GenerationParameters(result, model, weights, latentsSha256, libtorch);
    }

    /**
     * The texts for the file of one picture.
     *
     * @param index of the picture in the batch, from 0
     */
    Map<String, String> texts(int index) {
        Map<String, String> texts = new LinkedHashMap<>();
        texts.put("parameters", parameters(index));
        texts.put("darkroom", json(index));
        return texts;
    }

    /** The text that AUTOMATIC1111's web UI writes and many tools read. */
    String parameters(int index) {
        SampleRequest request = result.request();
        Inputs inputs = request.inputs();
        var text = new StringBuilder(subject(inputs, index));
        if (!inputs.negativeText().isEmpty()) {
            text.append("\nNegative prompt: ").append(inputs.negativeText());
        }
        var fields = new ArrayList<String>();
        fields.add("Steps: " + used("steps"));
        fields.add("Sampler: " + used("sampler"));
        fields.add("CFG scale: " + used("guidanceScale"));
        if (result.used().containsKey("guidance")) {
            fields.add("Guidance: " + quoted(String.valueOf(used("guidance"))));
        }
        if (result.used().containsKey("autoGuidance")) {
            fields.add("Auto guidance: " + quoted(String.valueOf(used("autoGuidance"))));
        }
        fields.add("Seed: " + Seed.value(request.sampling().seed() + index));
        if (result.used().containsKey("strength")) {
            fields.add("Denoising strength: " + used("strength"));
        }
        if (result.used().containsKey("noiseLevel")) {
            fields.add("Noise level: " + used("noiseLevel"));
        }
        fields.add("Size: " + used("width") + "x" + used("height"));
        if (!weights.isEmpty()) {
            fields.add("Model hash: " + modelHash());
        }
        fields.add("Model: " + quoted(String.valueOf(model.get("model"))));
        String embeddings = embeddings(inputs);
        if (!embeddings.isEmpty()) {
            fields.add("TI hashes: " + json(embeddings));
        }
        fields.add("Version: darkroom " + Version.project());
        return text.append(text.isEmpty() ? "" : "\n").append(String.join(", ", fields)).toString();
    }

    /** The learned embeddings that prompts name, each with the start of its hash. */
    private String embeddings(Inputs inputs) {
        var texts =
                Stream.of(
                                inputs.prompt(),
                                inputs.negativePrompt(),
                                inputs.secondPrompt(),
                                inputs.secondNegativePrompt())
                        .filter(Objects::nonNull)
                        .toList();
        var hashes = new ArrayList<String>();
        if (model.get("embeddings") instanceof List<?> embeddings) {
            for (Object each : embeddings) {
                if (each instanceof Map<?, ?> embedding) {
                    String token = String.valueOf(embedding.get("token"));
                    String hash = String.valueOf(embedding.get("sha256"));
                    if (texts.stream().anyMatch(text -> text.contains(token))) {
                        hashes.add(
                                token.replaceAll("[:,]", "")
                                        + ": "
                                        + hash.substring(0, EMBEDDING_HASH));
                    }
                }
            }
        }
        return String.join(", ", hashes);
    }

    private static String subject(Inputs inputs, int index) {
        if (inputs.prompt() != null) {
            return inputs.prompt();
        }
        List<String> classes = inputs.classes();
        if (classes.isEmpty()) {
            return "";
        }
        return "class " + classes.get(classes.size() == 1 ? 0 : index);
    }

    private Object used(String name) {
        return result.used().getOrDefault(name, "unknown");
    }

    /** One hash for all of the checkpoint's files: the start of that of their list. */
    private String modelHash() {
        var sha = new Sha256();
        weights.forEach((file, hash) -> sha.add(hash + "  " + file + "\n"));
        return sha.hex().substring(0, SHORT_HASH);
    }

    /** Readers split the fields at commas and colons, except in quotes. */
    private static String quoted(String value) {
        return value.matches("[^,:\\n]*") ? value : json(value);
    }

    private String json(int index) {
        Map<String, Object> values = new LinkedHashMap<>();
        values.put("index", index);
        values.put("request", request(result.request()));
        if (latentsSha256 != null) {
            values.put("latents", latentsSha256);
        }
        values.put("used", result.used());
        values.put("checkpoint", model);
        if (!weights.isEmpty()) {
            values.put("weights", weights);
        }
        Map<String, Object> versions = new LinkedHashMap<>();
        versions.put("darkroom", Version.project());
        versions.put("libtorch", libtorch.version());
        versions.put("java", System.getProperty("java.version"));
        values.put("versions", versions);
        Map<String, Object> machine = new LinkedHashMap<>();
        machine.put("os", System.getProperty("os.name"));
        machine.put("arch", System.getProperty("os.arch"));
        machine.put("cpuCapability", libtorch.cpuCapability());
        values.put("machine", machine);
        return json(values);
    }

    /** A request by the names of its values, without those left to the checkpoint. */
    static Map<String, Object> request(SampleRequest request) {
        Inputs inputs = request.inputs();
        Sampling sampling = request.sampling();
        RequestedSize size = request.size();
        Map<String, Object> values = new LinkedHashMap<>();
        put(values, "prompt", inputs.prompt());
        put(values, "negativePrompt", inputs.negativePrompt());
        put(values, "secondPrompt", inputs.secondPrompt());
        put(values, "secondNegativePrompt", inputs.secondNegativePrompt());
        put(values, "classes", inputs.classes());
        put(values, "steps", sampling.steps());
        put(values, "guidanceScale", sampling.guidanceScale());
        put(values, "guidance", sampling.guidance() == null ? null : "" + sampling.guidance());
        put(values, "sampler", sampling.sampler());
        LevelChoice levels = sampling.levels();
        if (levels != null) {
            put(values, "levels", levels.spacing() == null ? null : levels.spacing().id());
            put(values, "timesteps", levels.timesteps().isEmpty() ? null : levels.timesteps());
            put(values, "sigmas", levels.sigmas().isEmpty() ? null : levels.sigmas());
        }
        put(values, "eta", sampling.eta());
        put(values, "start", sampling.start());
        put(values, "end", sampling.end());
        Edit edit = inputs.edit();
        if (edit != null) {
            values.put("initialSize", edit.picture().size().toString());
            values.put("mask", edit.mask() != null);
            put(values, "strength", edit.strength());
            put(values, "noiseLevel", edit.noiseLevel());
        }
        List<Map<String, Object>> controls =
                inputs.controls().stream().map(GenerationParameters::control).toList();
        put(values, "controls", controls.isEmpty() ? null : controls);
        put(values, "seed", Seed.value(sampling.seed()));
        put(values, "width", size.width());
        put(values, "height", size.height());
        put(values, "batch", inputs.batch());
        put(values, "maxTokens", inputs.maxTokens());
        put(values, "clipSkip", inputs.clipSkip() == 0 ? null : inputs.clipSkip());
        PromptReading reading = inputs.reading();
        if (reading.syntax() != PromptSyntax.PLAIN) {
            values.put("promptSyntax", reading.syntax().name().toLowerCase(Locale.ROOT));
        }
        put(values, "longPrompts", reading.inChunks() ? true : null);
        put(values, "sizes", inputs.sizes());
        put(values, "negativeSizes", inputs.negativeSizes());
        put(values, "binning", size.binning());
        return values;
    }

    private static Map<String, Object> control(ControlPicture control) {
        Map<String, Object> values = new LinkedHashMap<>();
        values.put("size", control.picture().size().toString());
        values.put("scale", control.scale());
        values.put("start", control.start());
        values.put("end", control.end());
        put(values, "guess", control.guess() ? true : null);
        return values;
    }

    private static void put(Map<String, Object> values, String name, @Nullable Object value) {
        if (value != null) {
            values.put(name, value);
        }
    }

    /** Maps, lists, texts, numbers and booleans as JSON on one line. */
    static String json(Object value) {
        try {
            return new JsonMapper().writeValueAsString(value);
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException("not to be written as JSON: " + e.getMessage(), e);
        }
    }
}
