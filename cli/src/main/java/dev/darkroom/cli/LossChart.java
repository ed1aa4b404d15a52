package dev.darkroom.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;

import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.Styler.LegendPosition;
import org.knowm.xchart.style.markers.SeriesMarkers;

import java.awt.BasicStroke;
import java.awt.Color;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

import javax.imageio.ImageIO;

/** The log of a training run as a picture: its loss, raw and smoothed. */
final class LossChart {
    private static final int WIDTH = 1000;
    private static final int HEIGHT = 560;

    /** Points of a curve; a longer log is averaged. */
    private static final int POINTS = 1000;

    /** The share of the points that the smoothed curve takes in on either side. */
    private static final double NEIGHBOURS = 0.02;

    /** Losses that differ more than so many times are drawn on a logarithmic scale. */
    private static final double WIDE = 20;

    private static final Color RAW = new Color(31, 119, 180, 70);
    private static final Color SMOOTHED = new Color(31, 119, 180);
    private static final JsonMapper JSON = JsonMapper.builder().build();

    /** What is drawn of a step. */
    private record Point(double step, double loss) {}

    private LossChart() {}

    /**
     * Draws a log, if there is a step with a loss in it.
     *
     * @param log lines of JSON; one that is half written is left out
     * @throws IOException if it can't be read, or the picture can't be written
     */
    static void write(Path log, Path png) throws IOException {
        List<Point> points = thinned(read(log));
        if (!points.isEmpty()) {
            var picture = BitmapEncoder.getBufferedImage(chart(points));
            Output.write(png, stream -> ImageIO.write(picture, "png", stream));
        }
    }

    private static List<Point> read(Path log) throws IOException {
        List<Point> points = new ArrayList<>();
        try (Stream<String> lines = Files.lines(log)) {
            for (String line : (Iterable<String>) lines::iterator) {
                JsonNode step = parsed(line);
                if (step.path("loss").isNumber()) { // a skipped step has none
                    points.add(
                            new Point(step.path("step").asDouble(), step.path("loss").asDouble()));
                }
            }
        }
        return points;
    }

    private static JsonNode parsed(String line) {
        try {
            return JSON.readTree(line);
        } catch (JsonProcessingException e) {
            return JSON.missingNode();
        }
    }

    private static List<Point> thinned(List<Point> points) {
        int group = Math.ceilDiv(points.size(), POINTS);
        List<Point> thinned = new ArrayList<>();
        for (int from = 0; from < points.size(); from += group) {
            List<Point> of = points.subList(from, Math.min(from + group, points.size()));
            thinned.add(
                    new Point(
                            of.getLast().step,
                            of.stream().mapToDouble(Point::loss).average().orElseThrow()));
        }
        return thinned;
    }

    /** The mean of each point and its neighbours, of as many on both sides. */
    private static double[] smoothed(double... losses) {
        int most = (int) (NEIGHBOURS * losses.length);
        var smoothed = new double[losses.length];
        for (int i = 0; i < losses.length; i++) {
            int reach = Math.min(most, Math.min(i, losses.length - 1 - i));
            smoothed[i] = Arrays.stream(losses, i - reach, i + reach + 1).average().orElseThrow();
        }
        return smoothed;
    }

    private static XYChart chart(List<Point> points) {
        double[] steps = points.stream().mapToDouble(Point::step).toArray();
        double[] losses = points.stream().mapToDouble(Point::loss).toArray();
        XYChart chart =
                new XYChartBuilder()
                        .width(WIDTH)
                        .height(HEIGHT)
                        .xAxisTitle("step")
                        .yAxisTitle("loss")
                        .build();
        style(chart, losses);
        line(chart, "loss", steps, losses, RAW, 1);
        line(chart, "smoothed", steps, smoothed(losses), SMOOTHED, 2);
        return chart;
    }

    private static void style(XYChart chart, double... losses) {
        double least = Double.POSITIVE_INFINITY;
        double greatest = Double.NEGATIVE_INFINITY;
        for (double loss : losses) {
            least = Math.min(least, loss);
            greatest = Math.max(greatest, loss);
        }
        chart.getStyler()
                .setYAxisLogarithmic(least > 0 && greatest > WIDE * least)
                .setXAxisTickMarkSpacingHint(110)
                .setLegendPosition(LegendPosition.InsideNE)
                .setChartBackgroundColor(Color.WHITE)
                .setPlotBorderVisible(false)
                .setAntiAlias(true);
    }

    private static void line(
            XYChart chart, String name, double[] x, double[] y, Color colour, float width) {
        XYSeries series = chart.addSeries(name, x, y);
        series.setMarker(SeriesMarkers.NONE);
        series.setLineColor(colour);
        series.setLineStyle(new BasicStroke(width, BasicStroke.CAP_ROUND, BasicStroke.JOIN_ROUND));
    }
}
