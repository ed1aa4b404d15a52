package dev.darkroom.cli;

import picocli.CommandLine.IVersionProvider;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Objects;
import java.util.Properties;

/** What {@code --version} prints. */
final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
        return new String[] {
            "darkroom " + project(),
            "java "
                    + System.getProperty("java.version")
                    + " ("
                    + System.getProperty("java.vendor")
                    + ")",
            "libtorch "
                    + properties().getProperty("libtorch")
                    + " by default; 'darkroom doctor'"
                    + " shows the one in use"
        };
    }

    /** The version of this build. */
    static String project() {
        return properties().getProperty("version");
    }

    /** Reads the resource that Maven fills in. */
    private static Properties properties() {
        var properties = new Properties();
        try (var in = Version.class.getResourceAsStream("version.properties")) {
            properties.load(Objects.requireNonNull(in, "version.properties"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return properties;
    }
}
