package dev.darkroom.training.run;

import dev.darkroom.runtime.ForeignCode;

/** A caller's listener: what it leaves on the run's thread does not touch the run. */
record GuardedListener(RunListener listener) implements RunListener {
    @Override
    public void prepared(long done, long of) {
        ForeignCode.run(() -> listener.prepared(done, of));
    }

    @Override
    public void stepped(StepReport report) {
        ForeignCode.run(() -> listener.stepped(report));
    }

    @Override
    public void resumed(long step) {
        ForeignCode.run(() -> listener.resumed(step));
    }

    @Override
    public void finished(long steps) {
        ForeignCode.run(() -> listener.finished(steps));
    }

    @Override
    public void saved(long step) {
        ForeignCode.run(() -> listener.saved(step));
    }

    @Override
    public void warned(String warning) {
        ForeignCode.run(() -> listener.warned(warning));
    }

    @Override
    public boolean isStopping() {
        return ForeignCode.call(listener::isStopping);
    }
}
