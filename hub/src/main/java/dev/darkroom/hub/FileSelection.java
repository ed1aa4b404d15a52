package dev.darkroom.hub;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** Which files of a model are needed. */
@FunctionalInterface
public interface FileSelection {
    /**
     * Chooses among the files of a model.
     *
     * @param files all that there are
     * @param contents gives the contents of some that the choice depends on
     * @throws IOException if the model lacks what is needed
     * @throws InterruptedException if the thread is interrupted while such a file is downloaded
     */
    Selected select(List<RemoteFile> files, Contents contents)
            throws IOException, InterruptedException;

    /** Brings a file of the model into the cache. */
    @FunctionalInterface
    interface Contents {
        /**
         * Where the file is.
         *
         * @throws IOException if it can't be had
         * @throws InterruptedException if the thread is interrupted
         */
        Path of(RemoteFile file) throws IOException, InterruptedException;
    }

    /**
     * A choice.
     *
     * @param files what is needed
     * @param warnings what was chosen otherwise than asked for, such as plain weights of a part
     *     that lacks the variant
     * @param missing paths of files that would have been chosen instead, and that are not there
     */
    record Selected(List<RemoteFile> files, List<String> warnings, List<String> missing) {
        /** Keeps the lists as they are now. */
        public Selected {
            files = List.copyOf(files);
            warnings = List.copyOf(warnings);
            missing = List.copyOf(missing);
        }

        /** A choice that would not have been another. */
        public Selected(List<RemoteFile> files, List<String> warnings) {
            this(files, warnings, List.of());
        }
    }

    /** All files, pickles included. */
    static FileSelection all() {
        return (files, contents) -> new Selected(files, List.of());
    }
}
