package dev.darkroom.runtime.safetensors;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;

/**
 * A checkpoint was refused. The {@link #kind} says which rule it broke; the message names the file
 * and the tensor, says what is wrong and what to do.
 */
public final class SafetensorsException extends IOException {
    private static final long serialVersionUID = 1;

    private static final String DAMAGED =
            "The file is damaged or was not made by a safetensors writer: get it again, or export"
                    + " it again with the safetensors library.";
    private static final String INCOMPLETE =
            "The download or copy did not finish, or the index belongs to other files: get the"
                    + " checkpoint again.";

    /** The rules, one constant for each. */
    public enum Kind {
        /** The path leads to nothing. */
        MISSING_FILE("Check the path."),
        /** A link of a hub's cache leads to a file that is not there or not complete. */
        UNFINISHED_DOWNLOAD("The hub's client goes on where it stopped."),
        /** The folder has the weights only in variants, such as {@code fp16}. */
        OTHER_VARIANT("In Java, that is PipelineOptions.withVariant."),
        /** A folder, a device or a pipe. */
        NOT_A_FILE("Give the path of a .safetensors file or of a .safetensors.index.json."),
        /** A pickled checkpoint. */
        PICKLE(
                "Reading a pickle runs whatever code its author put into it, so Darkroom does not."
                        + " Use the .safetensors version of the checkpoint, or convert it in Python"
                        + " where you trust the file: safetensors.torch.save_file(torch.load(file,"
                        + " weights_only=True), 'model.safetensors')."),
        /** The text that stands for a large file in a git repository. */
        LFS_POINTER("Fetch the file itself with `git lfs pull`, or download it from the hub."),
        /** Fewer than the 8 bytes of the header's length. */
        FILE_TOO_SHORT(DAMAGED),
        /** The header's length is 2⁶³ or more. */
        HEADER_LENGTH_OVERFLOW(DAMAGED),
        /**
         * The header is longer than {@link SafetensorsHeader#MAX_BYTES}, or the index than 32 MB.
         */
        HEADER_TOO_LARGE(DAMAGED),
        /** The header's length reaches past the end of the file. */
        HEADER_BEYOND_FILE(DAMAGED),
        /** The header or the index is not UTF-8. */
        INVALID_UTF8(DAMAGED),
        /** The header or the index begins with a byte order mark. */
        BYTE_ORDER_MARK(DAMAGED),
        /** A {@code \\ud800} escape without its other half. */
        LONE_SURROGATE(DAMAGED),
        /** Zero bytes behind the header's object; padding is spaces. */
        TRAILING_NUL(DAMAGED),
        /** Something else than white space behind the object. */
        TRAILING_CONTENT(DAMAGED),
        /** Not JSON. */
        MALFORMED_JSON(DAMAGED),
        /** Deeper nesting than the format has. */
        TOO_DEEP(DAMAGED),
        /** Another JSON type than the format has in this place. */
        WRONG_TYPE(DAMAGED),
        /** Two tensors of one name, or {@code __metadata__} twice. */
        DUPLICATE_NAME(DAMAGED),
        /** A tensor's field given twice. */
        DUPLICATE_FIELD(DAMAGED),
        /** A tensor without dtype, shape or data_offsets. */
        MISSING_FIELD(DAMAGED),
        /** A field of a tensor that the format does not have. */
        UNKNOWN_FIELD(DAMAGED),
        /** A key of the metadata given twice. */
        DUPLICATE_METADATA(DAMAGED),
        /** A value of the metadata that is not a string. */
        NON_STRING_METADATA(DAMAGED),
        /** A dtype that the format does not have. */
        UNKNOWN_DTYPE(DAMAGED),
        /** A size or an offset with a fraction or an exponent. */
        NOT_AN_INTEGER(DAMAGED),
        /** A negative size or offset. */
        NEGATIVE_NUMBER(DAMAGED),
        /** A size or an offset of 2⁶³ or more. */
        NUMBER_OVERFLOW(DAMAGED),
        /** More dimensions than {@link SafetensorsHeader#MAX_RANK}. */
        RANK_TOO_HIGH(DAMAGED),
        /** {@code data_offsets} has not exactly two numbers. */
        OFFSET_COUNT(DAMAGED),
        /** A tensor ends before it begins. */
        BEGIN_AFTER_END(DAMAGED),
        /** A shape with more bits than a 64-bit number can count. */
        SIZE_OVERFLOW(DAMAGED),
        /** Elements smaller than a byte that do not fill whole bytes. */
        PARTIAL_BYTE(DAMAGED),
        /** A tensor's bytes are more or fewer than shape and dtype need. */
        SIZE_MISMATCH(DAMAGED),
        /** Bytes between two tensors, or before the first, that belong to none. */
        HOLE(DAMAGED),
        /** Bytes that belong to two tensors. */
        OVERLAP(DAMAGED),
        /** The file ends before its tensors do. */
        BYTES_MISSING("The download or copy did not finish: get the file again."),
        /** Bytes behind the last tensor. */
        BYTES_LEFT_OVER(DAMAGED),

        /** The index has no {@code weight_map}, or one that is not an object of strings. */
        INDEX_MALFORMED(DAMAGED),
        /** A shard's name that is not a bare file name. */
        INDEX_FILE_NAME("Don't use this checkpoint: its index points outside its own folder."),
        /** A shard that the index names is not there. */
        MISSING_SHARD(INCOMPLETE),
        /** The index and the shards name different tensors. */
        INDEX_MISMATCH(INCOMPLETE),
        /** One tensor is in two shards. */
        DUPLICATE_ACROSS_SHARDS(INCOMPLETE),

        /** A dtype that libtorch has no tensors of. */
        UNSUPPORTED_DTYPE(
                "Convert the tensor to a floating-point dtype with the tool that made it."),
        /** A tensor that the checkpoint does not have. */
        NO_SUCH_TENSOR("List the names with `darkroom inspect`."),
        /** A BOOL tensor with bytes other than 0 and 1. */
        INVALID_BOOL(DAMAGED),
        /** The file was written to or replaced after it had been opened. */
        CHANGED("Open the checkpoint again when nothing writes to it any more."),
        /** Reading would take more memory than there is. */
        NOT_ENOUGH_MEMORY(
                "Free some memory or raise the limit: -Xmx for the Java heap,"
                        + " -Ddarkroom.memory.limit for tensors.");

        private final String advice;

        Kind(String advice) {
            this.advice = advice;
        }
    }

    private final Kind kind;
    private final transient Path file;
    private final @Nullable String tensor;

    /**
     * @param what is wrong, without a full stop
     */
    SafetensorsException(Kind kind, Path file, @Nullable String tensor, String what) {
        super(
                file
                        + (tensor == null ? "" : ", tensor " + Names.quote(tensor))
                        + ": "
                        + what
                        + ". "
                        + kind.advice);
        this.kind = kind;
        this.file = file;
        this.tensor = tensor;
    }

    /** Returns the broken rule. */
    public Kind kind() {
        return kind;
    }

    /** Returns the file that broke it. */
    public Path file() {
        return file;
    }

    /** Returns the tensor that broke it; empty where it is the file as a whole. */
    public Optional<String> tensor() {
        return Optional.ofNullable(tensor);
    }
}
