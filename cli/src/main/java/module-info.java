/** The {@code darkroom} command. */
module dev.darkroom.cli {
    requires dev.darkroom.models;
    requires info.picocli;
    requires static org.jspecify;

    opens dev.darkroom.cli to
            info.picocli;
}
