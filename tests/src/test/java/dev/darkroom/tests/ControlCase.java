package dev.darkroom.tests;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.family.ControlPicture;
import dev.darkroom.models.family.Edit;
import dev.darkroom.models.family.Image;
import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleMonitor;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.runtime.Tensor;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.UnaryOperator;

/**
 * A reference case with ControlNets.
 *
 * @param model a checkpoint that has all of them as parts
 * @param watching compares what a pipeline tells, by the names that it is to have
 */
record ControlCase(
        Path model,
        Comparison comparison,
        Function<JsonNode, SampleRequest.Builder> request,
        Function<UnaryOperator<String>, SampleMonitor> watching) {
    private static final ObjectMapper JSON = new ObjectMapper();

    /** The seed of the generator that the draws for a picture's variation came from. */
    private static final long VARIATION_SEED = 3;

    private static final List<String> SHARES =
            List.of("control_guidance_start", "control_guidance_end");

    /** One net, and a variation of a picture by the same checkpoint without it. */
    void compareOne(JsonNode call) throws IOException {
        JsonNode variation = call.get("img2img");
        var request =
                SampleRequest.builder()
                        .prompt(call.get("prompt").asText())
                        .seed(VARIATION_SEED)
                        .guidanceScale(variation.get("guidance_scale").asDouble())
                        .steps(variation.get("steps").asInt())
                        .edit(
                                new Edit(
                                        Image.of(comparison.input("source")),
                                        null,
                                        variation.get("strength").asDouble()));
        var names =
                Map.of(
                        "image", "img2img",
                        "input_noise", "img2img_noise",
                        "input_encode_noise", "img2img_encode_noise");
        sample(withoutNets(), List.of(), request, name -> names.getOrDefault(name, "none"), null);
        JsonNode steered = call.get("controlnet");
        var picture = ControlPicture.of(Image.of(comparison.input("control")));
        request.edit(null)
                .guidanceScale(steered.get("guidance_scale").asDouble())
                .steps(steered.get("steps").asInt())
                .controls(List.of(picture.withScale(steered.get("scale").asDouble())));
        Tensor start = comparison.input("control_latents_init");
        sample(
                model,
                List.of(),
                request,
                name -> name.equals("image") ? "control_image" : "none",
                start);
    }

    /** A call with several nets, and its variants with some of them. */
    void compareAll(JsonNode call) throws IOException {
        List<Path> nets = new ArrayList<>();
        if (call.has("folders")) {
            call.get("folders").forEach(name -> nets.add(model.resolve(name.asText())));
        } else {
            nets.addAll(List.of(model.resolve("controlnet"), model.resolve("controlnet_1")));
        }
        compare(call, List.of(), "");
        compare(call, nets.subList(0, 2), "");
        for (var variant : call.path("variants").properties()) {
            var changed = (ObjectNode) call.deepCopy();
            changed.remove(SHARES);
            changed.setAll((ObjectNode) variant.getValue());
            List<Path> some = new ArrayList<>();
            changed.get("controlnets").forEach(index -> some.add(nets.get(index.asInt())));
            compare(changed, some, variant.getKey() + ".");
        }
    }

    /**
     * Compares a call.
     *
     * @param nets that are named beside the checkpoint; none where its own are used
     */
    private void compare(JsonNode call, List<Path> nets, String prefix) throws IOException {
        SampleRequest.Builder builder = request.apply(call);
        String pipeline = call.get("pipeline").asText();
        Tensor start = null;
        if (call.has("strength")) {
            boolean paints = pipeline.contains("Inpaint");
            builder.edit(
                    new Edit(
                            Image.of(comparison.input("input_image")),
                            paints ? Image.of(comparison.input("input_mask")) : null,
                            call.get("strength").asDouble()));
        } else {
            start = comparison.input("latents_init");
        }
        List<ControlPicture> pictures = new ArrayList<>();
        int count = nets.isEmpty() ? 2 : nets.size();
        for (int i = 0; i < count; i++) {
            int index = call.path("controlnets").path(i).asInt(i);
            String own = prefix + "input_control_" + index;
            String shared = "input_control_" + index;
            pictures.add(
                    ControlPicture.of(
                                    Image.of(
                                            comparison.input(
                                                    comparison.expects(own) ? own : shared)))
                            .withScale(each(call, "controlnet_conditioning_scale", i, 1))
                            .between(
                                    each(call, SHARES.get(0), i, 0),
                                    each(call, SHARES.get(1), i, 1))
                            .withGuess(call.path("guess_mode").asBoolean()));
        }
        builder.controls(pictures);
        Path checkpoint = nets.isEmpty() ? model : withoutNets();
        sample(checkpoint, nets, builder, name -> prefix + name, start);
    }

    private void sample(
            Path checkpoint,
            List<Path> nets,
            SampleRequest.Builder builder,
            UnaryOperator<String> names,
            Tensor start)
            throws IOException {
        PipelineOptions options = PipelineOptions.defaults();
        for (Path net : nets) {
            options = options.withControl(net.toString());
        }
        try (var pipeline = Pipeline.load(checkpoint, options)) {
            pipeline.sample(builder.build(), watching.apply(names), start);
        }
    }

    /** A value for each net, or for all of them. */
    private static double each(JsonNode call, String name, int index, double missing) {
        JsonNode value = call.path(name);
        if (value.isMissingNode()) {
            return missing;
        }
        return value.isArray() ? value.get(index).asDouble() : value.asDouble();
    }

    /** The same checkpoint without its ControlNets. */
    private Path withoutNets() throws IOException {
        Path folder = Cases.linked(model);
        Path index = folder.resolve("model_index.json");
        var content = (ObjectNode) JSON.readTree(index.toFile());
        content.remove("controlnet");
        String name = content.get("_class_name").asText();
        content.put("_class_name", name.replace("ControlNet", ""));
        Files.delete(index);
        JSON.writeValue(index.toFile(), content);
        return folder;
    }
}
