/** The {@code darkroom} command. */
module dev.darkroom.cli {
    requires dev.darkroom.common;
    requires dev.darkroom.hub;
    requires dev.darkroom.training;
    requires com.fasterxml.jackson.databind;
    requires info.picocli;
    requires me.tongfei.progressbar;
    requires xchart;
    requires static org.jspecify;

    opens dev.darkroom.cli to
            info.picocli;
}
