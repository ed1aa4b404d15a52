package dev.darkroom.tests;

import org.apache.maven.repository.internal.MavenRepositorySystemUtils;
import org.eclipse.aether.DefaultRepositorySystemSession;
import org.eclipse.aether.RepositoryException;
import org.eclipse.aether.RepositorySystem;
import org.eclipse.aether.artifact.Artifact;
import org.eclipse.aether.artifact.DefaultArtifact;
import org.eclipse.aether.collection.CollectRequest;
import org.eclipse.aether.repository.LocalRepositoryManager;
import org.eclipse.aether.resolution.ArtifactDescriptorRequest;
import org.eclipse.aether.resolution.DependencyRequest;
import org.eclipse.aether.supplier.RepositorySystemSupplier;
import org.eclipse.aether.util.artifact.JavaScopes;
import org.eclipse.aether.util.filter.DependencyFilterUtils;
import org.eclipse.aether.util.repository.ChainedLocalRepositoryManager;
import org.eclipse.aether.util.repository.SimpleArtifactDescriptorPolicy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.spi.ToolProvider;

/**
 * A Maven repository with Darkroom's artifacts as {@code mvn install} would put them there: each
 * module's classes as a jar, its POM as it is. Maven's own resolver reads it, without network. What
 * is not Darkroom's comes from the repository of the build that runs the tests.
 */
final class LocalRepository {
    private static final String GROUP = "dev.darkroom";
    private static final Path PROJECT = Path.of(System.getProperty("basedir", ".")).resolve("..");

    private final Path folder;
    private final String version;
    private final RepositorySystem system = new RepositorySystemSupplier().get();
    private final DefaultRepositorySystemSession session = MavenRepositorySystemUtils.newSession();

    /** Installs the parent, the BOM and all modules that are published. */
    LocalRepository(Path folder, String version) throws IOException {
        this.folder = folder;
        this.version = version;
        session.setSystemProperties(System.getProperties());
        session.setArtifactDescriptorPolicy(new SimpleArtifactDescriptorPolicy(false, false));
        session.setLocalRepositoryManager(
                new ChainedLocalRepositoryManager(
                        manager(folder), List.of(manager(ofTheBuild())), true));
        session.setOffline(true);
        installPom("darkroom-parent", PROJECT.resolve("pom.xml"));
        installPom("darkroom-bom", PROJECT.resolve("bom/pom.xml"));
        for (String module :
                List.of(
                        "common",
                        "native",
                        "bindings",
                        "runtime",
                        "tokenizers",
                        "hub",
                        "models",
                        "training",
                        "cli")) {
            installPom("darkroom-" + module, PROJECT.resolve(module).resolve("pom.xml"));
            installJar("darkroom-" + module, PROJECT.resolve(module).resolve("target/classes"));
        }
    }

    /** The one that Surefire names; in an IDE, Maven's default. */
    private static Path ofTheBuild() {
        Path usual = Path.of(System.getProperty("user.home"), ".m2", "repository");
        return Path.of(System.getProperty("localRepository", usual.toString()));
    }

    private LocalRepositoryManager manager(Path folder) {
        return system.newLocalRepositoryManager(
                session, new org.eclipse.aether.repository.LocalRepository(folder.toFile()));
    }

    private void installPom(String artifact, Path pom) throws IOException {
        Files.copy(pom, target(GROUP, artifact, version, "pom"));
    }

    private void installJar(String artifact, Path classes) throws IOException {
        Path jar = target(GROUP, artifact, version, "jar");
        int status =
                ToolProvider.findFirst("jar")
                        .orElseThrow()
                        .run(
                                System.out,
                                System.err,
                                "--create",
                                "--no-compress",
                                "--file=" + jar,
                                "-C",
                                classes.toString(),
                                ".");
        if (status != 0) {
            throw new IOException("no jar could be made of " + classes);
        }
    }

    private Path target(String group, String artifact, String version, String type)
            throws IOException {
        Path of = folder.resolve(group.replace('.', '/')).resolve(artifact).resolve(version);
        return Files.createDirectories(of).resolve(artifact + "-" + version + "." + type);
    }

    /**
     * What Maven puts on the class path of a project.
     *
     * @param pom the project's POM
     * @param scope {@link JavaScopes#COMPILE} or {@link JavaScopes#RUNTIME}
     */
    List<Artifact> classPath(String pom, String scope) throws IOException, RepositoryException {
        Files.writeString(target("example", "consumer", "1", "pom"), pom);
        var project = new DefaultArtifact("example:consumer:1");
        var read = new ArtifactDescriptorRequest(project, List.of(), null);
        var model = system.readArtifactDescriptor(session, read);
        var collect = new CollectRequest();
        collect.setRootArtifact(project);
        collect.setDependencies(model.getDependencies());
        collect.setManagedDependencies(model.getManagedDependencies());
        var request = new DependencyRequest(collect, DependencyFilterUtils.classpathFilter(scope));
        return system.resolveDependencies(session, request).getArtifactResults().stream()
                .map(result -> result.getArtifact())
                .toList();
    }
}
