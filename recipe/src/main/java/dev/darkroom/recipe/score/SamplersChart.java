package dev.darkroom.recipe.score;

import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.markers.SeriesMarkers;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.awt.image.DataBuffer;
import java.awt.image.IndexColorModel;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;

/**
 * A cell for each sampler: the share of right pictures, and below it their distance to the art,
 * against the evaluations; the other samplers are faint behind it.
 */
final class SamplersChart {
    private static final int COLUMNS = 5;
    private static final int WIDTH = 250;
    private static final int RIGHT_HEIGHT = 104;
    private static final int DISTANCE_HEIGHT = 146;

    /** Room for the labels of the vertical axes, so that both panels begin at the same place. */
    private static final int LABELS = 34;

    /** Steps from white to a colour, for the edges of lines. */
    private static final int SHADES = 2;

    /** Samplers with fewer right pictures and greater distances leave the panels. */
    private static final double LEAST_RIGHT = 60;

    private static final double GREATEST_DISTANCE = 0.6;

    private static final Color BLUE = new Color(0x1f, 0x5f, 0xa8);
    private static final Color GREEN = new Color(0x2e, 0x7d, 0x5b);
    private static final Color FAINT = new Color(0xd8, 0xd8, 0xd8);
    private static final Color INK = new Color(0x33, 0x33, 0x33);
    private static final Color GRID = new Color(0xee, 0xee, 0xee);
    private static final Font FONT = new Font(Font.SANS_SERIF, Font.PLAIN, 10);

    private final List<SamplerPoint> points;
    private final int most;

    private SamplersChart(List<SamplerPoint> points) {
        this.points = points;
        most = points.stream().mapToInt(SamplerPoint::evaluations).max().orElse(1);
    }

    /**
     * Draws the chart.
     *
     * @param points of all samplers, those of each by their evaluations
     */
    static BufferedImage draw(List<SamplerPoint> points) {
        var chart = new SamplersChart(points);
        List<String> samplers = points.stream().map(SamplerPoint::sampler).distinct().toList();
        int rows = Math.ceilDiv(samplers.size(), COLUMNS);
        int height = RIGHT_HEIGHT + DISTANCE_HEIGHT;
        var picture = new BufferedImage(COLUMNS * WIDTH, rows * height, BufferedImage.TYPE_INT_RGB);
        Graphics2D graphics = picture.createGraphics();
        graphics.setColor(Color.WHITE);
        graphics.fillRect(0, 0, picture.getWidth(), picture.getHeight());
        for (int i = 0; i < samplers.size(); i++) {
            var cell = (Graphics2D) graphics.create();
            cell.translate(i % COLUMNS * WIDTH, i / COLUMNS * height);
            chart.right(samplers.get(i)).paint(cell, WIDTH, RIGHT_HEIGHT);
            cell.translate(0, RIGHT_HEIGHT);
            chart.distance(samplers.get(i)).paint(cell, WIDTH, DISTANCE_HEIGHT);
            cell.dispose();
        }
        graphics.dispose();
        return fewColours(picture);
    }

    /** The same in shades of its few colours, in a third of the bytes of a file. */
    private static BufferedImage fewColours(BufferedImage picture) {
        List<Color> shades = new ArrayList<>();
        for (Color colour : List.of(INK, FAINT, GRID, GREEN, BLUE)) {
            for (int share = 0; share <= SHADES; share++) {
                shades.add(
                        new Color(
                                shade(colour.getRed(), share),
                                shade(colour.getGreen(), share),
                                shade(colour.getBlue(), share)));
            }
        }
        int[] palette = shades.stream().mapToInt(Color::getRGB).distinct().toArray();
        var model =
                new IndexColorModel(
                        Byte.SIZE, palette.length, palette, 0, false, -1, DataBuffer.TYPE_BYTE);
        var few =
                new BufferedImage(
                        picture.getWidth(),
                        picture.getHeight(),
                        BufferedImage.TYPE_BYTE_INDEXED,
                        model);
        for (int y = 0; y < picture.getHeight(); y++) {
            for (int x = 0; x < picture.getWidth(); x++) {
                few.setRGB(x, y, picture.getRGB(x, y)); // the nearest
            }
        }
        return few;
    }

    /** A channel between white and a colour. */
    private static int shade(int channel, int share) {
        return 255 - (255 - channel) * share / SHADES;
    }

    private XYChart right(String sampler) {
        XYChart chart = chart(sampler, RIGHT_HEIGHT, "", LEAST_RIGHT, 102);
        chart.getStyler().setXAxisTicksVisible(false);
        lines(chart, sampler, point -> Math.max(100 * point.right(), LEAST_RIGHT), GREEN);
        return chart;
    }

    private XYChart distance(String sampler) {
        XYChart chart = chart("", DISTANCE_HEIGHT, "evaluations", 0, GREATEST_DISTANCE);
        lines(chart, sampler, point -> Math.min(point.distance(), GREATEST_DISTANCE), BLUE);
        return chart;
    }

    private XYChart chart(String title, int height, String xAxis, double low, double high) {
        XYChart chart =
                new XYChartBuilder()
                        .width(WIDTH)
                        .height(height)
                        .title(title)
                        .xAxisTitle(xAxis)
                        .build();
        chart.getStyler()
                .setYAxisMin(low)
                .setYAxisMax(high)
                .setXAxisMin(0.0)
                .setXAxisMax((double) most)
                .setXAxisTickMarkSpacingHint(34)
                .setYAxisTickMarkSpacingHint(24)
                .setXAxisDecimalPattern("0")
                .setYAxisDecimalPattern("0.##")
                .setPlotGridLinesColor(GRID)
                .setPlotGridLinesStroke(new BasicStroke(1))
                .setAxisTickLabelsFont(FONT)
                .setAxisTitleFont(FONT)
                .setPlotMargin(0)
                .setYAxisLeftWidthHint(LABELS)
                .setLocale(Locale.ROOT)
                .setChartTitleFont(FONT.deriveFont(Font.BOLD, 12))
                .setChartTitlePadding(2)
                .setLegendVisible(false)
                .setChartFontColor(INK)
                .setChartBackgroundColor(Color.WHITE)
                .setPlotBorderVisible(false)
                .setPlotContentSize(1)
                .setChartPadding(6)
                .setMarkerSize(4);
        return chart;
    }

    private void lines(
            XYChart chart, String sampler, ToDoubleFunction<SamplerPoint> value, Color colour) {
        points.stream()
                .map(SamplerPoint::sampler)
                .distinct()
                .filter(other -> !other.equals(sampler))
                .forEach(other -> line(chart, other, value, FAINT, 1));
        line(chart, sampler, value, colour, 2);
    }

    private void line(
            XYChart chart,
            String sampler,
            ToDoubleFunction<SamplerPoint> value,
            Color colour,
            float width) {
        List<SamplerPoint> own =
                points.stream().filter(point -> point.sampler().equals(sampler)).toList();
        XYSeries series =
                chart.addSeries(
                        sampler,
                        own.stream().mapToDouble(SamplerPoint::evaluations).toArray(),
                        own.stream().mapToDouble(value).toArray());
        series.setMarker(width > 1 ? SeriesMarkers.CIRCLE : SeriesMarkers.NONE);
        series.setMarkerColor(colour);
        series.setLineColor(colour);
        series.setLineStyle(new BasicStroke(width, BasicStroke.CAP_ROUND, BasicStroke.JOIN_ROUND));
    }
}
