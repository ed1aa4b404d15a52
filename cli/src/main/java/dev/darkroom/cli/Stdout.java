package dev.darkroom.cli;

import org.jspecify.annotations.Nullable;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintWriter;

/** Standard output, which remembers that it could not be written: writers swallow that. */
final class Stdout extends OutputStream {
    private static final String NOBODY_READS = "Broken pipe";

    private final OutputStream out;
    private @Nullable IOException failure;

    Stdout(FileDescriptor out) {
        this(new FileOutputStream(out));
    }

    Stdout(OutputStream out) {
        this.out = out;
    }

    @Override
    public void write(int b) throws IOException {
        write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int from, int count) throws IOException {
        try {
            out.write(bytes, from, count);
        } catch (IOException e) {
            failure = e;
            throw e;
        }
    }

    /** Whether something was lost; says so, unless whoever read it has heard enough. */
    boolean hasFailed(PrintWriter err) {
        if (failure == null) {
            return false;
        }
        if (!NOBODY_READS.equals(failure.getMessage())) {
            err.println(
                    "darkroom: standard output could not be written: "
                            + failure.getMessage()
                            + ".");
        }
        return true;
    }
}
