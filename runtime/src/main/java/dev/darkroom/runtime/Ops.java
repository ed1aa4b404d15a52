package dev.darkroom.runtime;

import dev.darkroom.runtime.internal.ffi.CallFrame;
import dev.darkroom.runtime.internal.ffi.Operator;
import dev.darkroom.runtime.libtorch.LibtorchException;

import org.jspecify.annotations.Nullable;

import java.util.List;

/** Operators that are functions of several tensors: layers without their weights. */
public final class Ops {
    private static final Operator CAT = Operator.of("cat", "");
    private static final Operator STACK = Operator.of("stack", "");
    private static final Operator LINEAR = Operator.of("linear", "");
    private static final Operator ADDMM = Operator.of("addmm", "");
    private static final Operator CONV2D = Operator.of("conv2d", "");
    private static final Operator EMBEDDING = Operator.of("embedding", "");
    private static final Operator LAYER_NORM = Operator.of("layer_norm", "");
    private static final Operator GROUP_NORM = Operator.of("group_norm", "");
    private static final Operator PAD = Operator.of("constant_pad_nd", "");
    private static final Operator NEAREST = Operator.of("upsample_nearest2d", "");
    private static final Operator BILINEAR = Operator.of("upsample_bilinear2d", "");
    private static final Operator AVG_POOL = Operator.of("avg_pool2d", "");
    private static final Operator MSE = Operator.of("mse_loss", "");
    private static final Operator DROPOUT = Operator.of("dropout", "");

    private Ops() {}

    /** Concatenates tensors along a dimension that they have. */
    public static Tensor cat(int dim, List<Tensor> tensors) {
        if (tensors.isEmpty()) {
            throw new IllegalArgumentException("cat: no tensors");
        }
        Shape first = tensors.getFirst().shape();
        int along = first.dim(dim);
        for (Tensor tensor : tensors) {
            Shape shape = tensor.shape();
            boolean fits = shape.rank() == first.rank();
            for (int i = 0; fits && i < first.rank(); i++) {
                fits = i == along || shape.size(i) == first.size(i);
            }
            if (!fits) {
                throw new IllegalArgumentException(
                        "cat: shapes "
                                + first
                                + " and "
                                + shape
                                + " differ beside dimension "
                                + dim);
            }
        }
        return Tensor.run(CAT.call().tensors(Tensor.handles(tensors)).arg((long) along));
    }

    /** Concatenates tensors along a dimension that they have. */
    public static Tensor cat(int dim, Tensor... tensors) {
        return cat(dim, List.of(tensors));
    }

    /** Stacks tensors of one shape along a new dimension. */
    public static Tensor stack(int dim, List<Tensor> tensors) {
        if (tensors.isEmpty()) {
            throw new IllegalArgumentException("stack: no tensors");
        }
        Shape first = tensors.getFirst().shape();
        for (Tensor tensor : tensors) {
            if (!tensor.shape().equals(first)) {
                throw new IllegalArgumentException(
                        "stack: shapes " + first + " and " + tensor.shape() + " differ");
            }
        }
        return Tensor.run(STACK.call().tensors(Tensor.handles(tensors)).arg((long) dim));
    }

    /**
     * Computes x · weightᵀ + bias.
     *
     * @param x {@code [...,in]}
     * @param weight {@code [out,in]}
     * @param bias {@code [out]}, or null
     * @return {@code [...,out]}
     */
    public static Tensor linear(Tensor x, Tensor weight, @Nullable Tensor bias) {
        Shape shape = weight.shape();
        Checks.requireRank("linear: weight", shape, 2);
        if (x.rank() == 0 || x.size(-1) != shape.size(1)) {
            throw new IllegalArgumentException(
                    "linear: input "
                            + x.shape()
                            + " does not end in the "
                            + shape.size(1)
                            + " features that weight "
                            + shape
                            + " takes");
        }
        requireVector("linear: bias", bias, shape.size(0));
        DType type = SixteenBits.inFloat32(Kernels.Work.PRODUCTS, x, weight, bias);
        if (type != null) {
            return SixteenBits.compute(
                    type,
                    () ->
                            linear(
                                    SixteenBits.wide(x),
                                    SixteenBits.wide(weight),
                                    SixteenBits.wideOrNull(bias),
                                    weight));
        }
        return linear(x, weight, bias, weight);
    }

    /**
     * @param parameter that the weight is, or is a cast of
     */
    private static Tensor linear(Tensor x, Tensor weight, @Nullable Tensor bias, Tensor parameter) {
        if (DryRun.isOn(x)) {
            return DryRun.linear(x, weight);
        }
        CallFrame frame;
        if (OneDnn.LINEAR != null && OneDnn.takes(x, weight, bias, parameter)) {
            frame = OneDnn.LINEAR.call().arg(x.handle).arg(weight.handle);
            frame.arg(Tensor.handle(bias)).arg("none").doubles().arg("");
        } else {
            frame = LINEAR.call().arg(x.handle).arg(weight.handle).arg(Tensor.handle(bias));
        }
        return Tensor.run(frame);
    }

    /**
     * oneDNN's float32 product, which records no gradients. It runs on libtorch's own native
     * threads. OpenBLAS has a pool of its own, whose waiting threads keep libtorch's from the
     * cores: up to a time slice, 4 ms, for each operator that follows a product.
     */
    private static final class OneDnn {
        /** Multiplications from which more threads than one are a gain, about. */
        private static final long WORTHWHILE = 1 << 20;

        /** Null in builds of libtorch without oneDNN. */
        static final @Nullable Operator LINEAR = find();

        private OneDnn() {}

        private static @Nullable Operator find() {
            try {
                Operator operator = Operator.find("mkldnn::_linear_pointwise", "");
                operator.describe(); // looks it up
                return operator;
            } catch (LibtorchException.NoSuchOperator e) {
                return null;
            }
        }

        static boolean takes(Tensor x, Tensor weight, @Nullable Tensor bias, Tensor parameter) {
            return isPlain(DType.FLOAT32, x, weight, bias, parameter)
                    && x.elements() * weight.size(0) >= WORTHWHILE;
        }
    }

    /**
     * Returns whether a layer is of one type on the CPU and neither records nor casts.
     *
     * <p>A weight in training is left to libtorch without recording too, so that a checkpointed
     * network computes the same again.
     *
     * @param parameter that the weight is, or is a cast of
     */
    private static boolean isPlain(
            DType type, Tensor x, Tensor weight, @Nullable Tensor bias, Tensor parameter) {
        return Mode.current().computesPlainly()
                && isPlain(type, x)
                && isPlain(type, weight)
                && (bias == null || isPlain(type, bias))
                && !parameter.requiresGrad();
    }

    private static boolean isPlain(DType type, Tensor tensor) {
        return tensor.dtype() == type && tensor.device().isLikeCpu();
    }

    /**
     * Computes beta · x + alpha · a · b.
     *
     * @param x broadcasts to {@code [T,M]}
     * @param a {@code [T,K]}
     * @param b {@code [K,M]}
     * @return {@code [T,M]}
     */
    public static Tensor addProduct(Tensor x, Tensor a, Tensor b, double beta, double alpha) {
        Checks.requireRank("addProduct: a", a.shape(), 2);
        Checks.requireRank("addProduct: b", b.shape(), 2);
        Checks.requireMatmul(a.shape(), b.shape());
        DType type = SixteenBits.inFloat32(Kernels.Work.PRODUCTS, a, b, x);
        if (type != null) {
            return SixteenBits.compute(
                    type,
                    () ->
                            addProduct(
                                    SixteenBits.wide(x),
                                    SixteenBits.wide(a),
                                    SixteenBits.wide(b),
                                    beta,
                                    alpha));
        }
        return Tensor.run(
                ADDMM.call().arg(x.handle).arg(a.handle).arg(b.handle).arg(beta).arg(alpha));
    }

    /**
     * Computes a convolution in two dimensions.
     *
     * @param x {@code [N,C,H,W]}
     * @param weight {@code [O,C/groups,kH,kW]}
     * @param bias {@code [O]}, or null
     * @return {@code [N,O,H',W']}
     */
    public static Tensor conv2d(
            Tensor x,
            Tensor weight,
            @Nullable Tensor bias,
            long stride,
            long padding,
            long groups) {
        Checks.requireRank("conv2d: input", x.shape(), 4);
        Checks.requireRank("conv2d: weight", weight.shape(), 4);
        if (x.size(1) != weight.size(1) * groups) {
            throw new IllegalArgumentException(
                    "conv2d: input "
                            + x.shape()
                            + " has not the "
                            + weight.size(1) * groups
                            + " channels that weight "
                            + weight.shape()
                            + " takes");
        }
        requireVector("conv2d: bias", bias, weight.size(0));
        return convolution(x, weight, bias, stride, padding, groups, weight);
    }

    /**
     * @param parameter that the weight is, or is a cast of
     */
    private static Tensor convolution(
            Tensor x,
            Tensor weight,
            @Nullable Tensor bias,
            long stride,
            long padding,
            long groups,
            Tensor parameter) {
        boolean inOrder = Winograd.isChosen(x) && isPlain(x.dtype(), x, weight, bias, parameter);
        boolean known = inOrder && Winograd.knows(x, weight, stride, groups);
        DType type =
                known ? null : SixteenBits.inFloat32(Kernels.Work.CONVOLUTIONS, x, weight, bias);
        if (type != null) {
            return SixteenBits.compute(
                    type,
                    () ->
                            convolution(
                                    SixteenBits.wide(x),
                                    SixteenBits.wide(weight),
                                    SixteenBits.wideOrNull(bias),
                                    stride,
                                    padding,
                                    groups,
                                    parameter));
        }
        if (DryRun.isOn(x)) {
            // oneDNN copies the input into an order of its own, if it isn't channels last.
            long ordered = inOrder ? 0 : x.elements();
            long beside = known ? Winograd.numbersBeside(x, weight, padding) : ordered;
            return DryRun.conv2d(x, weight, stride, padding, beside);
        }
        if (known) {
            return Winograd.conv2d(x, weight, bias, padding);
        }
        try (var scope = TensorScope.open()) {
            Tensor ordered = inOrder ? Winograd.channelsLast(x) : x;
            return scope.keep(
                    Tensor.run(
                            CONV2D.call()
                                    .arg(ordered.handle)
                                    .arg(weight.handle)
                                    .arg(Tensor.handle(bias))
                                    .ints(stride, stride)
                                    .ints(padding, padding)
                                    .ints(1, 1)
                                    .arg(groups)));
        }
    }

    /**
     * Looks rows of an embedding's weight up by their indices.
     *
     * @param table {@code [V,D]}
     * @param ids integers {@code [...]} from 0 to V − 1
     * @return {@code [...,D]}
     */
    public static Tensor embedding(Tensor table, Tensor ids) {
        Checks.requireRank("embedding: table", table.shape(), 2);
        if (DryRun.isOn(table)) {
            return DryRun.embedding(table, ids);
        }
        return Tensor.run(EMBEDDING.call().arg(table.handle).arg(ids.handle));
    }

    /**
     * Normalises the last dimension to mean 0 and variance 1 (Ba et al. 2016).
     *
     * @param weight {@code [D]}, or null
     * @param bias {@code [D]}, or null
     */
    public static Tensor layerNorm(
            Tensor x, @Nullable Tensor weight, @Nullable Tensor bias, double eps) {
        long width = x.size(-1);
        requireVector("layerNorm: weight", weight, width);
        requireVector("layerNorm: bias", bias, width);
        if (DryRun.isOn(x)) {
            return DryRun.like(x);
        }
        return Tensor.run(
                LAYER_NORM
                        .call()
                        .arg(x.handle)
                        .ints(width)
                        .arg(Tensor.handle(weight))
                        .arg(Tensor.handle(bias))
                        .arg(eps));
    }

    /**
     * Normalises groups of channels (Wu and He 2018).
     *
     * @param x {@code [N,C,...]}
     * @param weight {@code [C]}, or null
     * @param bias {@code [C]}, or null
     */
    public static Tensor groupNorm(
            Tensor x, long groups, @Nullable Tensor weight, @Nullable Tensor bias, double eps) {
        long channels = x.size(1);
        if (groups <= 0 || channels % groups != 0) {
            throw new IllegalArgumentException(
                    "groupNorm: "
                            + channels
                            + " channels of "
                            + x.shape()
                            + " do not divide into "
                            + groups
                            + " groups");
        }
        requireVector("groupNorm: weight", weight, channels);
        requireVector("groupNorm: bias", bias, channels);
        if (DryRun.isOn(x)) {
            return DryRun.like(x);
        }
        return Tensor.run(
                GROUP_NORM
                        .call()
                        .arg(x.handle)
                        .arg(groups)
                        .arg(Tensor.handle(weight))
                        .arg(Tensor.handle(bias))
                        .arg(eps));
    }

    /**
     * Computes scaled dot-product attention, softmax(scale · q · kᵀ + mask) · v (Vaswani et al.
     * 2017).
     *
     * @param q {@code [N,heads,T,d]}
     * @param k {@code [N,heads,L,d]}
     * @param v {@code [N,heads,L,d']}
     * @param mask broadcasts to {@code [N,heads,T,L]}: bool, true where q may look, or numbers that
     *     are added; or null
     * @param scale null for 1/√d
     * @return {@code [N,heads,T,d']}
     */
    public static Tensor attention(
            Tensor q, Tensor k, Tensor v, @Nullable Tensor mask, @Nullable Double scale) {
        Checks.requireRank("attention: q", q.shape(), 4);
        if (k.rank() != 4 || v.rank() != 4 || q.size(-1) != k.size(-1) || k.size(2) != v.size(2)) {
            throw new IllegalArgumentException(
                    "attention: q "
                            + q.shape()
                            + ", k "
                            + k.shape()
                            + " and v "
                            + v.shape()
                            + " do not fit");
        }
        return DotProductAttention.compute(q, k, v, mask, scale);
    }

    /**
     * Pads with a constant.
     *
     * @param amounts before and after in the last dimension, then in the one before it, and so on;
     *     negative amounts cut
     */
    public static Tensor pad(Tensor x, double value, long... amounts) {
        if (amounts.length % 2 != 0 || amounts.length > 2 * x.rank()) {
            throw new IllegalArgumentException(
                    "pad: " + amounts.length + " amounts do not fit shape " + x.shape());
        }
        return Tensor.run(PAD.call().arg(x.handle).ints(amounts).arg(value));
    }

    /**
     * Resizes by repeating the nearest element.
     *
     * @param x {@code [N,C,H,W]}
     * @return {@code [N,C,height,width]}
     */
    public static Tensor resizeNearest(Tensor x, long height, long width) {
        Checks.requireRank("resizeNearest: input", x.shape(), 4);
        return Tensor.run(NEAREST.call().arg(x.handle).ints(height, width));
    }

    /**
     * Resizes by linear interpolation between pixel centres.
     *
     * @param x {@code [N,C,H,W]}
     * @return {@code [N,C,height,width]}
     */
    public static Tensor resizeBilinear(Tensor x, long height, long width) {
        Checks.requireRank("resizeBilinear: input", x.shape(), 4);
        return Tensor.run(BILINEAR.call().arg(x.handle).ints(height, width).arg(false));
    }

    /**
     * Averages over square windows.
     *
     * @param x {@code [N,C,H,W]}
     * @return {@code [N,C,H/size,W/size]}
     */
    public static Tensor averagePool(Tensor x, long size) {
        Checks.requireRank("averagePool: input", x.shape(), 4);
        return Tensor.run(AVG_POOL.call().arg(x.handle).ints(size, size));
    }

    /**
     * Computes the mean of the squared differences.
     *
     * @return {@code []}
     */
    public static Tensor meanSquaredError(Tensor prediction, Tensor target) {
        if (!prediction.shape().equals(target.shape())) {
            throw new IllegalArgumentException(
                    "meanSquaredError: shapes "
                            + prediction.shape()
                            + " and "
                            + target.shape()
                            + " differ");
        }
        return Tensor.run(MSE.call().arg(prediction.handle).arg(target.handle));
    }

    /** Zeroes elements with a probability and scales the others up (training only). */
    public static Tensor dropout(Tensor x, double probability) {
        return Tensor.run(DROPOUT.call().arg(x.handle).arg(probability).arg(true));
    }

    private static void requireVector(String what, @Nullable Tensor vector, long size) {
        if (vector != null && (vector.rank() != 1 || vector.size(0) != size)) {
            throw new IllegalArgumentException(
                    what + " must have shape [" + size + "], not " + vector.shape());
        }
    }
}
