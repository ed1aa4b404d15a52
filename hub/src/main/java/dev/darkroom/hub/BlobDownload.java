package dev.darkroom.hub;

import dev.darkroom.hub.HubException.Kind;

import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.ClosedByInterruptException;
import java.util.regex.Pattern;

/**
 * The bytes of one file: those that came before are kept and the rest is asked for, after a cut as
 * often as it makes progress, until the whole has the listed size and hash.
 */
final class BlobDownload {
    private static final int MOST_RESTARTS = 5;
    private static final Pattern CONTENT_RANGE =
            Pattern.compile("bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\\*)");

    private final Http http;
    private final Repository repository;
    private final RemoteFile file;
    private final BlobFile blob;
    private final Tracker tracker;
    private final Retries retries;
    private final String what;

    private boolean isPieced;
    private int restarts;
    private long sinceFailure;

    /**
     * Prepares the download of a file.
     *
     * @param blob takes the bytes
     */
    BlobDownload(
            Http http,
            Repository repository,
            RemoteFile file,
            BlobFile blob,
            Retries.Policy policy,
            Tracker tracker) {
        this.http = http;
        this.repository = repository;
        this.file = file;
        this.blob = blob;
        this.tracker = tracker;
        what = repository.id().repository() + ", " + RepoPath.printable(file.path());
        retries = new Retries(what, policy, tracker::warns);
    }

    /**
     * Brings the rest.
     *
     * @throws HubException if it can't be had or is not what was listed
     */
    void run() throws IOException, InterruptedException {
        readEarlier();
        while (!isDone()) {
            try {
                ask();
            } catch (IOException e) {
                sinceFailure = 0;
                retries.failed(e);
            }
        }
        blob.sync();
    }

    private void readEarlier() throws IOException, InterruptedException {
        try {
            blob.takeEarlier(tracker);
        } catch (ClosedByInterruptException e) {
            retries.failed(e);
        }
        isPieced = blob.size() > 0;
        tracker.at(file, blob.size());
    }

    /** Whether all is there and right. */
    private boolean isDone() throws IOException, InterruptedException {
        if (blob.size() < file.size()) {
            return false;
        }
        if (blob.matches()) {
            return true;
        }
        boolean mayBePieces = isPieced && restarts == 0;
        restart();
        if (!mayBePieces) {
            throw mismatch("its hash is another than " + file.hash());
        }
        tracker.warns(what + ": the pieces of it do not fit together; it begins anew");
        return false;
    }

    /** Forgets what came. */
    private void restart() throws IOException {
        restarts++;
        if (restarts > MOST_RESTARTS) {
            throw mismatch("it had to begin anew " + MOST_RESTARTS + " times");
        }
        blob.restart();
        isPieced = false;
    }

    private void ask() throws IOException, InterruptedException {
        var address = http.contents(repository, file);
        String range = blob.size() > 0 ? "bytes=" + blob.size() + "-" : null;
        try (Answer answer = http.get(address, range, repository.id())) {
            requireListed(answer);
            if (answer.status() == 416) {
                restart();
                throw new IOException("the hub had no more of the file");
            }
            if (answer.status() == 206) {
                requireRange(answer);
                isPieced = true;
            } else if (blob.size() > 0) {
                restart(); // The whole comes, not the rest.
            }
            long left = file.size() - blob.size();
            long length = answer.number("Content-Length").orElse(left);
            if (length != left) {
                throw mismatch((blob.size() + length) + " bytes are sent");
            }
            copy(answer);
        }
    }

    /** The first answers name commit and hash; they must be those of the listing. */
    private void requireListed(Answer answer) throws HubException {
        String commit = answer.hubHeader("X-Repo-Commit").orElse(repository.commit());
        if (!commit.equals(repository.commit())) {
            throw mismatch("it is sent of another commit, " + RepoPath.printable(commit));
        }
        String tag =
                answer.hubHeader("X-Linked-Etag").or(() -> answer.hubHeader("ETag")).orElse("");
        String sent = tag.replaceFirst("^W/", "").replace("\"", "");
        if (BlobHash.isHash(sent) && !sent.equals(file.hash())) {
            throw mismatch("its listed hash is " + file.hash() + " and the sent one is " + sent);
        }
    }

    private void requireRange(Answer answer) throws IOException {
        String text = answer.headers().firstValue("Content-Range").orElse("");
        var range = CONTENT_RANGE.matcher(text);
        if (!range.matches() || Long.parseLong(range.group(1)) != blob.size()) {
            restart();
            throw new IOException("another range was sent than the one asked for");
        }
        String size = range.group(2);
        if (!size.equals("*") && Long.parseLong(size) != file.size()) {
            throw mismatch("it is sent with " + size + " bytes");
        }
    }

    private void copy(Answer answer) throws IOException, InterruptedException {
        while (true) {
            tracker.requireGoing();
            byte[] chunk = blob.chunk();
            int read = -1;
            try {
                read = piece(answer.body(), chunk);
            } finally {
                if (read < 0) {
                    blob.release(chunk);
                }
            }
            if (read < 0) {
                break;
            }
            if (blob.size() + read > file.size()) {
                restart();
                throw mismatch("more bytes are sent");
            }
            blob.append(chunk, read);
            sinceFailure += read;
            if (sinceFailure >= Retries.PROGRESS) {
                retries.progressed();
            }
            tracker.at(file, blob.size());
        }
        if (blob.size() < file.size()) {
            throw new IOException("the connection ended after " + blob.size() + " bytes");
        }
    }

    /** Reads what there is without waiting for more, since few large pieces cost less to write. */
    private static int piece(InputStream body, byte[] chunk) throws IOException {
        int length = body.read(chunk);
        while (length > 0 && length < chunk.length && body.available() > 0) {
            int more = body.read(chunk, length, chunk.length - length);
            if (more < 0) {
                break;
            }
            length += more;
        }
        return length;
    }

    private HubException mismatch(String how) {
        return new HubException(
                Kind.MISMATCH,
                what
                        + " is not what the hub lists ("
                        + file.size()
                        + " bytes): "
                        + how
                        + "; try again, and if it stays so don't trust the endpoint or proxy");
    }
}
