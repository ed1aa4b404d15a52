package dev.darkroom.cli;

import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.Styler;
import org.knowm.xchart.style.markers.Marker;
import org.knowm.xchart.style.markers.SeriesMarkers;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.MathContext;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.DoubleStream;

import javax.imageio.ImageIO;

/**
 * The curves of a run: each step's loss, faint, the smoothed loss on top, the steps that were
 * skipped, and below them the learning rate.
 */
final class LossChart {
    private static final int WIDTH = 1200;
    private static final int LOSS_HEIGHT = 560;
    private static final int RATE_HEIGHT = 200;

    /** Room for the labels of both vertical axes, so that both panels begin at the same place. */
    private static final int LABELS = 70;

    /** Two pixels each; of more steps, only the largest and the smallest values show anyway. */
    private static final int COLUMNS = 550;

    /** Steps that the average spans, as a part of all. */
    private static final double SPAN = 0.01;

    /** The ratio of the smoothed loss from which on a logarithm shows more. */
    private static final double LOGARITHMIC_FROM = 8;

    /** The share of losses at either end that may leave the picture. */
    private static final double OUTLIERS = 0.002;

    private static final Color BLUE = new Color(0x1f, 0x5f, 0xa8);
    private static final Color FAINT = new Color(0x1f, 0x5f, 0xa8, 0x48);
    private static final Color RED = new Color(0xc0, 0x39, 0x2b);
    private static final Color GREEN = new Color(0x2e, 0x7d, 0x5b);
    private static final Color INK = new Color(0x33, 0x33, 0x33);
    private static final Color GRID = new Color(0xe6, 0xe6, 0xe6);

    private final LossLog log;
    private final double[] smoothed;

    private LossChart(LossLog log) {
        this.log = log;
        smoothed = log.smoothed(Math.max(1, SPAN * log.steps().length));
    }

    /**
     * Draws a run's log. The run may be writing it: a line that is not whole is left out.
     *
     * @param log a {@code training/log.jsonl}
     * @param png replaced if it exists
     * @throws IOException if the log can't be read or has no step yet, the picture can't be
     *     written, or this system can't draw, having no fonts
     */
    static void write(Path log, Path png) throws IOException {
        var chart = new LossChart(LossLog.read(log));
        BufferedImage picture;
        try {
            picture = chart.draw();
        } catch (RuntimeException | InternalError | LinkageError e) {
            // What Java2D does on a system without fonts; no reason to lose a run.
            throw new IOException("this system can't draw " + png + ": " + e, e);
        }
        Output.write(png, out -> ImageIO.write(picture, "png", out));
    }

    private BufferedImage draw() {
        var picture =
                new BufferedImage(WIDTH, LOSS_HEIGHT + RATE_HEIGHT, BufferedImage.TYPE_INT_RGB);
        var graphics = picture.createGraphics();
        try {
            lossPanel().paint(graphics, WIDTH, LOSS_HEIGHT);
            graphics.translate(0, LOSS_HEIGHT);
            ratePanel().paint(graphics, WIDTH, RATE_HEIGHT);
        } finally {
            graphics.dispose();
        }
        return picture;
    }

    // ---- The loss ----

    private XYChart lossPanel() {
        XYChart chart = chart(LOSS_HEIGHT, title(), "loss");
        Range range = range();
        chart.getStyler().setYAxisLogarithmic(range.logarithmic);
        chart.getStyler().setYAxisTickLabelsFormattingFunction(value -> number(value, 5));
        chart.getStyler().setLegendPosition(Styler.LegendPosition.InsideNE);
        corners(chart, range);
        line(chart, "each step", log.losses(), range, FAINT, 1.5f);
        line(chart, "smoothed", smoothed, range, BLUE, 2.5f);
        if (log.skipped() > 0) {
            skipped(chart, range);
        }
        return chart;
    }

    private String title() {
        int last = log.steps().length - 1;
        String steps =
                log.steps()[last] == 1
                        ? "1 step"
                        : String.format(Locale.ROOT, "%,.0f steps", log.steps()[last]);
        return Double.isNaN(smoothed[last])
                ? "no loss after " + steps
                : "loss " + number(smoothed[last], 3) + " after " + steps;
    }

    /**
     * A value to read.
     *
     * @param digits the most that count
     */
    static String number(double value, int digits) {
        return value == 0 || (Math.abs(value) >= 1e-3 && Math.abs(value) < 1e5)
                ? new BigDecimal(value)
                        .round(new MathContext(digits))
                        .stripTrailingZeros()
                        .toPlainString()
                : String.format(Locale.ROOT, "%.1e", value);
    }

    /** What the vertical axis shows. */
    private record Range(double low, double high, boolean logarithmic) {
        /** A value a little above the lower end. */
        double bottom() {
            double share = 0.015;
            return logarithmic ? low * Math.pow(high / low, share) : low + share * (high - low);
        }
    }

    private Range range() {
        double[] sorted =
                DoubleStream.of(log.losses())
                        .filter(loss -> !Double.isNaN(loss))
                        .sorted()
                        .toArray();
        if (sorted.length == 0) {
            return new Range(0, 1, false);
        }
        int cut = (int) (OUTLIERS * sorted.length);
        double[] line = DoubleStream.of(smoothed).filter(loss -> !Double.isNaN(loss)).toArray();
        double lowest = Arrays.stream(line).min().orElseThrow();
        double highest = Arrays.stream(line).max().orElseThrow();
        double low = Math.min(lowest, sorted[cut]);
        double high = Math.max(highest, sorted[sorted.length - 1 - cut]);
        if (low > 0 && highest / lowest > LOGARITHMIC_FROM) {
            return new Range(low / 1.1, high * 1.1, true);
        }
        double largest = Math.max(Math.abs(low), Math.abs(high));
        double margin = Math.max(0.05 * (high - low), largest == 0 ? 1 : 0.01 * largest);
        return new Range(low - margin, high + margin, false);
    }

    private void line(
            XYChart chart, String name, double[] values, Range range, Color colour, float width) {
        double[][] points = thinned(values);
        for (int i = 0; i < points[1].length; i++) {
            // An axis does not cut off what lies beyond its ends.
            points[1][i] =
                    Double.isNaN(points[1][i])
                            ? Double.NaN
                            : Math.clamp(points[1][i], range.low, range.high);
        }
        XYSeries series = chart.addSeries(name, points[0], points[1]);
        boolean alone = points[0].length == 1;
        style(series, alone ? SeriesMarkers.CIRCLE : SeriesMarkers.NONE, colour, width);
    }

    private void skipped(XYChart chart, Range range) {
        double[] steps = new double[(int) log.skipped()];
        for (int i = 0, at = 0; i < log.steps().length; i++) {
            if (Double.isNaN(log.losses()[i])) {
                steps[at++] = log.steps()[i];
            }
        }
        var bottom = new double[steps.length];
        Arrays.fill(bottom, range.bottom());
        String name = steps.length == 1 ? "1 step skipped" : steps.length + " steps skipped";
        XYSeries series = chart.addSeries(name, steps, bottom);
        series.setXYSeriesRenderStyle(XYSeries.XYSeriesRenderStyle.Scatter);
        style(series, SeriesMarkers.TRIANGLE_UP, RED, 1);
    }

    // ---- The learning rate ----

    private XYChart ratePanel() {
        XYChart chart = chart(RATE_HEIGHT, "", "learning rate");
        chart.getStyler().setLegendVisible(false);
        chart.setXAxisTitle("step");
        var range = new Range(0, 1.05, false);
        corners(chart, range);
        line(chart, "learning rate", log.learningRates(), range, GREEN, 2);
        return chart;
    }

    // ---- Both ----

    private XYChart chart(int height, String title, String yAxis) {
        XYChart chart =
                new XYChartBuilder()
                        .width(WIDTH)
                        .height(height)
                        .title(title)
                        .yAxisTitle(yAxis)
                        .build();
        var font = new Font(Font.SANS_SERIF, Font.PLAIN, 14);
        chart.getStyler()
                .setXAxisDecimalPattern("#,###")
                .setXAxisTickMarkSpacingHint(100)
                .setPlotGridLinesColor(GRID)
                .setPlotGridLinesStroke(new BasicStroke(1))
                .setAxisTickLabelsFont(font)
                .setAxisTitleFont(font)
                .setPlotMargin(0)
                .setYAxisLeftWidthHint(LABELS)
                .setLocale(Locale.ROOT)
                .setChartTitleFont(font.deriveFont(Font.BOLD, 18))
                .setLegendFont(font)
                .setLegendBorderColor(GRID)
                .setChartFontColor(INK)
                .setChartBackgroundColor(Color.WHITE)
                .setPlotBorderVisible(false)
                .setPlotContentSize(1)
                .setChartPadding(16)
                .setMarkerSize(8);
        return chart;
    }

    /** Invisible points that open the axes: of values that are all the same, there are no ticks. */
    private void corners(XYChart chart, Range range) {
        double last = Math.max(2, log.steps()[log.steps().length - 1]);
        XYSeries series =
                chart.addSeries(
                        "corners", new double[] {0, last}, new double[] {range.low, range.high});
        series.setShowInLegend(false);
        series.setXYSeriesRenderStyle(XYSeries.XYSeriesRenderStyle.Scatter);
        style(series, SeriesMarkers.NONE, Color.WHITE, 1);
    }

    private static void style(XYSeries series, Marker marker, Color colour, float width) {
        series.setMarker(marker);
        series.setMarkerColor(colour);
        series.setLineColor(colour);
        series.setLineStyle(new BasicStroke(width, BasicStroke.CAP_ROUND, BasicStroke.JOIN_ROUND));
    }

    /**
     * The values with their steps; of many, the smallest and the largest of each column, in the
     * order in which they came.
     */
    private double[][] thinned(double[] values) {
        int count = values.length;
        if (count <= 2 * COLUMNS) {
            return new double[][] {log.steps().clone(), values.clone()};
        }
        var steps = DoubleStream.builder();
        var kept = DoubleStream.builder();
        for (int column = 0; column < COLUMNS; column++) {
            int begin = (int) ((long) count * column / COLUMNS);
            int end = (int) ((long) count * (column + 1) / COLUMNS);
            int smallest = begin;
            int largest = begin;
            for (int i = begin; i < end; i++) {
                smallest =
                        values[i] < values[smallest] || Double.isNaN(values[smallest])
                                ? i
                                : smallest;
                largest =
                        values[i] > values[largest] || Double.isNaN(values[largest]) ? i : largest;
            }
            for (int i : new int[] {Math.min(smallest, largest), Math.max(smallest, largest)}) {
                steps.add(log.steps()[i]);
                kept.add(values[i]);
            }
        }
        return new double[][] {steps.build().toArray(), kept.build().toArray()};
    }
}
