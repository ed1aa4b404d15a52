package dev.darkroom.runtime.libtorch;

/**
 * libtorch refused or failed a call. The message names the operator, says what libtorch said, and
 * lists the shapes and types of the arguments. The subclasses tell the kinds of failure apart.
 */
public class LibtorchException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** A failure that libtorch does not classify, most often shapes or types that do not fit. */
    public LibtorchException(String message) {
        super(message);
    }

    /** An allocation failed, on the host or on a device. */
    public static final class OutOfMemory extends LibtorchException {
        private static final long serialVersionUID = 1L;

        public OutOfMemory(String message) {
            super(message);
        }
    }

    /** The operator or overload does not exist in the loaded libtorch. */
    public static final class NoSuchOperator extends LibtorchException {
        private static final long serialVersionUID = 1L;

        public NoSuchOperator(String message) {
            super(message);
        }
    }

    /** The operator has no kernel for this device or type. */
    public static final class NotImplemented extends LibtorchException {
        private static final long serialVersionUID = 1L;

        public NotImplemented(String message) {
            super(message);
        }
    }

    /** An index or a dimension is out of range. */
    public static final class IndexError extends LibtorchException {
        private static final long serialVersionUID = 1L;

        public IndexError(String message) {
            super(message);
        }
    }

    /** Types that do not fit. */
    public static final class TypeError extends LibtorchException {
        private static final long serialVersionUID = 1L;

        public TypeError(String message) {
            super(message);
        }
    }

    /** A value outside its domain. */
    public static final class ValueError extends LibtorchException {
        private static final long serialVersionUID = 1L;

        public ValueError(String message) {
            super(message);
        }
    }

    /** A decomposition did not converge, or a matrix was singular. */
    public static final class LinalgError extends LibtorchException {
        private static final long serialVersionUID = 1L;

        public LinalgError(String message) {
            super(message);
        }
    }

    /** The loaded libtorch or the device lacks the facility. */
    public static final class Unsupported extends LibtorchException {
        private static final long serialVersionUID = 1L;

        public Unsupported(String message) {
            super(message);
        }
    }
}
