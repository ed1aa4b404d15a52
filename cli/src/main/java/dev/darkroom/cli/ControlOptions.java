package dev.darkroom.cli;

import dev.darkroom.common.NameAndSettings;
import dev.darkroom.models.family.ControlPicture;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.training.data.PictureFile;

import picocli.CommandLine.Option;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** ControlNets, and the pictures that they see. */
final class ControlOptions {
    @Option(
            names = "--control",
            paramLabel = "NET",
            description =
                    "A ControlNet for the U-Net of Stable Diffusion or XL: a folder with"
                            + " config.json and weights, a .safetensors file, or ORG/NAME on a hub."
                            + " May be given several"
                            + " times.")
    private List<String> nets = new ArrayList<>();

    @Option(
            names = "--control-image",
            paramLabel = "FILE[:KEY=VALUE,…]",
            description =
                    "The edges, the pose and so on that a ControlNet follows; one for each, in"
                            + " their order. scale=S weighs the net, 1 by itself; it acts from"
                            + " start=A to end=B of the steps, 0 to 1; guess=true draws what the"
                            + " picture shows where the prompt does not say it. Without --width and"
                            + " --height, the result has its size.")
    private List<String> images = new ArrayList<>();

    /** Adds the nets to the options of a pipeline. */
    PipelineOptions with(PipelineOptions options) {
        PipelineOptions all = options;
        for (String net : nets) {
            all = all.withControl(net);
        }
        return all;
    }

    /**
     * Reads the pictures.
     *
     * @throws IllegalArgumentException if a setting is not known or out of range
     * @throws IOException if a file can't be read
     */
    List<ControlPicture> pictures() throws IOException {
        List<ControlPicture> pictures = new ArrayList<>();
        for (String image : images) {
            pictures.add(picture(image));
        }
        return pictures;
    }

    /** Files may have colons in their names: settings are what comes after the last, with a =. */
    private static ControlPicture picture(String text) throws IOException {
        int colon = text.lastIndexOf(':');
        boolean sets = colon > 0 && text.indexOf('=', colon) > 0;
        Path file = Path.of(sets ? text.substring(0, colon) : text);
        var settings =
                sets
                        ? NameAndSettings.parse("control image", text.substring(colon)).settings()
                        : Map.<String, String>of();
        var picture = ControlPicture.of(PictureFile.read(file).image());
        double start = picture.start();
        double end = picture.end();
        for (var setting : settings.entrySet()) {
            String key = setting.getKey();
            String value = setting.getValue();
            switch (key) {
                case "scale" -> picture = picture.withScale(number(key, value));
                case "start" -> start = number(key, value);
                case "end" -> end = number(key, value);
                case "guess" -> picture = picture.withGuess(flag(key, value));
                default ->
                        throw new IllegalArgumentException(
                                "a control image has no setting '"
                                        + key
                                        + "', only scale, start, end and guess");
            }
        }
        return picture.between(start, end);
    }

    private static double number(String key, String value) {
        try {
            return Double.parseDouble(value);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(
                    key + " of a control image is a number, not '" + value + "'", e);
        }
    }

    private static boolean flag(String key, String value) {
        if (!value.equals("true") && !value.equals("false")) {
            throw new IllegalArgumentException(
                    key + " of a control image is true or false, not '" + value + "'");
        }
        return value.equals("true");
    }
}
