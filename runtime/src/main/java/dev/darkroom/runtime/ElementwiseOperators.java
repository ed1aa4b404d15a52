package dev.darkroom.runtime;

import static dev.darkroom.runtime.Checks.requireBroadcast;

import dev.darkroom.runtime.internal.ffi.CallFrame;
import dev.darkroom.runtime.internal.ffi.Operator;
import dev.darkroom.runtime.internal.ffi.TensorHandle;

/** The operators of a {@link Tensor} that take each element by itself. */
abstract sealed class ElementwiseOperators extends ReductionOperators permits Tensor {
    ElementwiseOperators(TensorHandle handle) {
        super(handle);
    }

    // ---- Arithmetic ----

    private static final Operator ADD = Operator.of("add", "Tensor");
    private static final Operator ADD_ = Operator.of("add_", "Tensor");
    private static final Operator ADD_SCALAR = Operator.of("add", "Scalar");
    private static final Operator SUB = Operator.of("sub", "Tensor");
    private static final Operator SUB_ = Operator.of("sub_", "Tensor");
    private static final Operator SUB_SCALAR = Operator.of("sub", "Scalar");
    private static final Operator RSUB = Operator.of("rsub", "Scalar");
    private static final Operator MUL = Operator.of("mul", "Tensor");
    private static final Operator MUL_ = Operator.of("mul_", "Tensor");
    private static final Operator MUL_SCALAR = Operator.of("mul", "Scalar");
    private static final Operator MUL_SCALAR_ = Operator.of("mul_", "Scalar");
    private static final Operator DIV = Operator.of("div", "Tensor");
    private static final Operator DIV_ = Operator.of("div_", "Tensor");
    private static final Operator DIV_SCALAR = Operator.of("div", "Scalar");
    private static final Operator POW = Operator.of("pow", "Tensor_Scalar");
    private static final Operator ADDCMUL = Operator.of("addcmul", "");
    private static final Operator LERP = Operator.of("lerp", "Scalar");
    private static final Operator LERP_ = Operator.of("lerp_", "Scalar");
    private static final Operator MINIMUM = Operator.of("minimum", "");
    private static final Operator MAXIMUM = Operator.of("maximum", "");
    private static final Operator FILL_ = Operator.of("fill_", "Scalar");
    private static final Operator COPY_ = Operator.of("copy_", "");

    private CallFrame binary(Operator operator, String name, Tensor other) {
        requireBroadcast(name, shape(), other.shape());
        return operator.call().arg(handle).arg(other.handle);
    }

    private CallFrame binaryInto(Operator operator, String name, Tensor other) {
        Checks.requireExpands(name, other.shape(), shape());
        return operator.call().arg(handle).arg(other.handle);
    }

    /** Computes this + other, broadcast. */
    public Tensor plus(Tensor other) {
        return run(binary(ADD, "plus", other));
    }

    /** Computes this + alpha · other, broadcast. */
    public Tensor plus(Tensor other, double alpha) {
        return run(binary(ADD, "plus", other).arg(alpha));
    }

    /** Computes this + other. */
    public Tensor plus(double other) {
        return run(ADD_SCALAR.call().arg(handle).arg(other));
    }

    /** Computes this − other, broadcast. */
    public Tensor minus(Tensor other) {
        return run(binary(SUB, "minus", other));
    }

    /** Computes this − other. */
    public Tensor minus(double other) {
        return run(SUB_SCALAR.call().arg(handle).arg(other));
    }

    /** Computes other − this. */
    public Tensor subtractedFrom(double other) {
        return run(RSUB.call().arg(handle).arg(other));
    }

    /** Computes this · other, element by element, broadcast. */
    public Tensor times(Tensor other) {
        return run(binary(MUL, "times", other));
    }

    /** Computes this · other. */
    public Tensor times(double other) {
        return run(MUL_SCALAR.call().arg(handle).arg(other));
    }

    /** Computes this / other, element by element, broadcast. */
    public Tensor dividedBy(Tensor other) {
        return run(binary(DIV, "dividedBy", other));
    }

    /** Computes this / other. */
    public Tensor dividedBy(double other) {
        return run(DIV_SCALAR.call().arg(handle).arg(other));
    }

    /** Computes this to the power of an exponent. */
    public Tensor pow(double exponent) {
        return run(POW.call().arg(handle).arg(exponent));
    }

    /** Computes this + scale · a · b, broadcast. */
    public Tensor plusProduct(Tensor a, Tensor b, double scale) {
        requireBroadcast("plusProduct", shape(), a.shape());
        requireBroadcast("plusProduct", shape(), b.shape());
        return run(ADDCMUL.call().arg(handle).arg(a.handle).arg(b.handle).arg(scale));
    }

    /** Computes this + weight · (end − this). */
    public Tensor lerp(Tensor end, double weight) {
        return run(binary(LERP, "lerp", end).arg(weight));
    }

    /** Returns the smaller of each pair, broadcast. */
    public Tensor minimum(Tensor other) {
        return run(binary(MINIMUM, "minimum", other));
    }

    /** Returns the larger of each pair, broadcast. */
    public Tensor maximum(Tensor other) {
        return run(binary(MAXIMUM, "maximum", other));
    }

    /** Adds alpha · other to this tensor. */
    public Tensor plusInPlace(Tensor other, double alpha) {
        return inPlace(binaryInto(ADD_, "plusInPlace", other).arg(alpha));
    }

    /** Adds other to this tensor. */
    public Tensor plusInPlace(Tensor other) {
        return inPlace(binaryInto(ADD_, "plusInPlace", other));
    }

    /** Subtracts other from this tensor. */
    public Tensor minusInPlace(Tensor other) {
        return inPlace(binaryInto(SUB_, "minusInPlace", other));
    }

    /** Multiplies this tensor by other. */
    public Tensor timesInPlace(Tensor other) {
        return inPlace(binaryInto(MUL_, "timesInPlace", other));
    }

    /** Multiplies this tensor by a number. */
    public Tensor timesInPlace(double other) {
        return inPlace(MUL_SCALAR_.call().arg(handle).arg(other));
    }

    /** Divides this tensor by other. */
    public Tensor dividedByInPlace(Tensor other) {
        return inPlace(binaryInto(DIV_, "dividedByInPlace", other));
    }

    /** Interpolates this tensor towards {@code end} by a weight. */
    public Tensor lerpInPlace(Tensor end, double weight) {
        return inPlace(binaryInto(LERP_, "lerpInPlace", end).arg(weight));
    }

    /** Sets all elements. */
    public Tensor fillInPlace(double value) {
        return inPlace(FILL_.call().arg(handle).arg(value));
    }

    /** Copies a tensor's values to this one, from any type and device, broadcast. */
    public Tensor copyInPlace(Tensor source) {
        return inPlace(binaryInto(COPY_, "copyInPlace", source));
    }

    // ---- Functions of each element ----

    private static final Operator NEG = Operator.of("neg", "");
    private static final Operator ABS = Operator.of("abs", "");
    private static final Operator SIGN = Operator.of("sign", "");
    private static final Operator EXP = Operator.of("exp", "");
    private static final Operator LOG = Operator.of("log", "");
    private static final Operator SQRT = Operator.of("sqrt", "");
    private static final Operator RSQRT = Operator.of("rsqrt", "");
    private static final Operator RECIPROCAL = Operator.of("reciprocal", "");
    private static final Operator SQUARE = Operator.of("square", "");
    private static final Operator SIN = Operator.of("sin", "");
    private static final Operator COS = Operator.of("cos", "");
    private static final Operator TANH = Operator.of("tanh", "");
    private static final Operator ERF = Operator.of("erf", "");
    private static final Operator FLOOR = Operator.of("floor", "");
    private static final Operator ROUND = Operator.of("round", "");
    private static final Operator SIGMOID = Operator.of("sigmoid", "");
    private static final Operator SILU = Operator.of("silu", "");
    private static final Operator RELU = Operator.of("relu", "");
    private static final Operator GELU = Operator.of("gelu", "");
    private static final Operator CLAMP = Operator.of("clamp", "");
    private static final Operator ISFINITE = Operator.of("isfinite", "");
    private static final Operator LOGICAL_NOT = Operator.of("logical_not", "");

    /** Computes −this. */
    public Tensor negated() {
        return unary(NEG);
    }

    /** Computes |this|. */
    public Tensor abs() {
        return unary(ABS);
    }

    /** Computes the sign: −1, 0 or 1. */
    public Tensor sign() {
        return unary(SIGN);
    }

    /** Computes e to the power of this. */
    public Tensor exp() {
        return unary(EXP);
    }

    /** Computes the natural logarithm. */
    public Tensor log() {
        return unary(LOG);
    }

    /** Computes the square root. */
    public Tensor sqrt() {
        return unary(SQRT);
    }

    /** Computes 1 / square root. */
    public Tensor rsqrt() {
        return unary(RSQRT);
    }

    /** Computes 1 / this. */
    public Tensor reciprocal() {
        return unary(RECIPROCAL);
    }

    /** Computes this². */
    public Tensor square() {
        return unary(SQUARE);
    }

    /** Computes the sine. */
    public Tensor sin() {
        return unary(SIN);
    }

    /** Computes the cosine. */
    public Tensor cos() {
        return unary(COS);
    }

    /** Computes the hyperbolic tangent. */
    public Tensor tanh() {
        return unary(TANH);
    }

    /** Computes the error function. */
    public Tensor erf() {
        return unary(ERF);
    }

    /** Rounds down to an integer. */
    public Tensor floor() {
        return unary(FLOOR);
    }

    /** Rounds to the nearest integer, halves to even. */
    public Tensor round() {
        return unary(ROUND);
    }

    /** Computes 1 / (1 + e^−x). */
    public Tensor sigmoid() {
        return unary(SIGMOID);
    }

    /** Computes x · sigmoid(x), also called swish. */
    public Tensor silu() {
        return unary(SILU);
    }

    /** Computes max(x, 0). */
    public Tensor relu() {
        Tensor x = (Tensor) this;
        return DryRun.isOn(x) ? DryRun.like(x) : unary(RELU);
    }

    /** Computes x · Φ(x), with Φ exact. */
    public Tensor gelu() {
        return unary(GELU);
    }

    /** Computes x · Φ(x), with the tanh approximation of Φ. */
    public Tensor geluTanh() {
        return run(GELU.call().arg(handle).arg("tanh"));
    }

    /** Limits the elements to [low, high]. */
    public Tensor clamp(double low, double high) {
        return run(CLAMP.call().arg(handle).arg(low).arg(high));
    }

    /**
     * Returns whether each element is neither infinite nor NaN.
     *
     * @return bool
     */
    public Tensor isFinite() {
        return unary(ISFINITE);
    }

    /**
     * Returns whether each element is zero.
     *
     * @return bool
     */
    public Tensor not() {
        return unary(LOGICAL_NOT);
    }

    // ---- Comparisons ----

    private static final Operator EQ = Operator.of("eq", "Tensor");
    private static final Operator EQ_SCALAR = Operator.of("eq", "Scalar");
    private static final Operator LT = Operator.of("lt", "Tensor");
    private static final Operator LT_SCALAR = Operator.of("lt", "Scalar");
    private static final Operator GT = Operator.of("gt", "Tensor");
    private static final Operator GT_SCALAR = Operator.of("gt", "Scalar");
    private static final Operator LE_SCALAR = Operator.of("le", "Scalar");
    private static final Operator GE_SCALAR = Operator.of("ge", "Scalar");
    private static final Operator WHERE = Operator.of("where", "self");
    private static final Operator MASKED_FILL = Operator.of("masked_fill", "Scalar");
    private static final Operator EQUAL = Operator.of("equal", "");

    /**
     * Returns where this equals other.
     *
     * @return bool, broadcast
     */
    public Tensor eq(Tensor other) {
        return run(binary(EQ, "eq", other));
    }

    /**
     * Returns where this equals a number.
     *
     * @return bool
     */
    public Tensor eq(double other) {
        return run(EQ_SCALAR.call().arg(handle).arg(other));
    }

    /**
     * Returns where this is less.
     *
     * @return bool, broadcast
     */
    public Tensor lt(Tensor other) {
        return run(binary(LT, "lt", other));
    }

    /**
     * Returns where this is less.
     *
     * @return bool
     */
    public Tensor lt(double other) {
        return run(LT_SCALAR.call().arg(handle).arg(other));
    }

    /**
     * Returns where this is greater.
     *
     * @return bool, broadcast
     */
    public Tensor gt(Tensor other) {
        return run(binary(GT, "gt", other));
    }

    /**
     * Returns where this is greater.
     *
     * @return bool
     */
    public Tensor gt(double other) {
        return run(GT_SCALAR.call().arg(handle).arg(other));
    }

    /**
     * Returns where this is at most a number.
     *
     * @return bool
     */
    public Tensor le(double other) {
        return run(LE_SCALAR.call().arg(handle).arg(other));
    }

    /**
     * Returns where this is at least a number.
     *
     * @return bool
     */
    public Tensor ge(double other) {
        return run(GE_SCALAR.call().arg(handle).arg(other));
    }

    /** Chooses {@code yes} where this bool tensor is true and {@code no} elsewhere, broadcast. */
    public Tensor where(Tensor yes, Tensor no) {
        requireBroadcast("where", shape(), yes.shape());
        requireBroadcast("where", shape(), no.shape());
        return run(WHERE.call().arg(handle).arg(yes.handle).arg(no.handle));
    }

    /** Puts a number where a bool mask is true, and keeps this elsewhere. */
    public Tensor maskedFill(Tensor mask, double value) {
        return run(binary(MASKED_FILL, "maskedFill", mask).arg(value));
    }

    /** Returns whether shapes and all elements are equal. */
    public boolean contentEquals(Tensor other) {
        return shape().equals(other.shape())
                && EQUAL.call()
                        .arg(handle)
                        .arg(other.handle)
                        .bool(ThreadState.current().mode().nativeMode);
    }
}
