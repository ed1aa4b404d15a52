package dev.darkroom.cli;

import com.fasterxml.jackson.databind.json.JsonMapper;

import dev.darkroom.common.ByteSize;
import dev.darkroom.hub.CachedModel;
import dev.darkroom.hub.HubCache;
import dev.darkroom.hub.HubException;
import dev.darkroom.hub.ModelId;
import dev.darkroom.models.family.Family;
import dev.darkroom.models.pipeline.Families;

import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

import java.io.IOException;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;

/** {@code darkroom models}: what is in the cache of models. */
@Command(
        name = "models",
        description = "Lists the models in the cache, which is shared with huggingface_hub.",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        subcommands = ModelsCommand.Remove.class)
final class ModelsCommand implements Callable<Integer> {
    private static final int SHORT_COMMIT = 12;

    @Spec private CommandSpec spec;

    @Mixin private CacheFlags flags;

    @Option(names = "--json", description = "Print JSON.")
    private boolean json;

    @Override
    public Integer call() throws IOException {
        var cache = new HubCache(flags.options().cacheFolder());
        var models = cache.list();
        var out = spec.commandLine().getOut();
        if (json) {
            var list = new ArrayList<Object>();
            models.forEach(model -> list.add(properties(model)));
            out.println(new JsonMapper().writerWithDefaultPrettyPrinter().writeValueAsString(list));
        } else if (models.isEmpty()) {
            out.println("no models in " + cache.folder());
        } else {
            var rows = new ArrayList<List<String>>();
            rows.add(List.of("model", "revision", "commit", "size", "family", "class", ""));
            models.forEach(model -> rows.add(row(model)));
            rows.forEach(row -> out.println(aligned(row, rows)));
        }
        out.flush();
        return 0;
    }

    private static List<String> row(CachedModel model) {
        String className = ModelIndex.className(model.folder());
        return List.of(
                model.repository(),
                model.revisions().isEmpty() ? "-" : String.join(", ", model.revisions()),
                model.commit().substring(0, SHORT_COMMIT),
                ByteSize.format(model.size()),
                family(className),
                className,
                model.isComplete() ? "" : "incomplete");
    }

    private static String aligned(List<String> row, List<List<String>> rows) {
        var line = new StringBuilder();
        for (int i = 0; i < row.size(); i++) {
            int column = i;
            int width = rows.stream().mapToInt(each -> each.get(column).length()).max().orElse(0);
            line.append(row.get(i)).append(" ".repeat(width - row.get(i).length() + 2));
        }
        return line.toString().stripTrailing();
    }

    private static LinkedHashMap<String, Object> properties(CachedModel model) {
        var properties = new LinkedHashMap<String, Object>();
        properties.put("model", model.repository());
        properties.put("revisions", model.revisions());
        properties.put("commit", model.commit());
        properties.put("bytes", model.size());
        String className = ModelIndex.className(model.folder());
        properties.put("family", family(className));
        properties.put("class", className);
        properties.put("complete", model.isComplete());
        properties.put("folder", model.folder().toString());
        return properties;
    }

    /** The family that loads it; a dash where there is none. */
    private static String family(String className) {
        return Families.BUILT_IN.find(className).map(Family::name).orElse("-");
    }

    /** {@code darkroom models rm}: makes room. */
    @Command(
            name = "rm",
            description =
                    "Removes a model from the cache, or one revision of it; what other revisions"
                            + " share stays.",
            mixinStandardHelpOptions = true,
            versionProvider = Version.class)
    static final class Remove implements Callable<Integer> {
        @Spec private CommandSpec spec;

        @Parameters(
                paramLabel = "ORG/NAME[@REVISION]",
                converter = CacheFlags.Ids.class,
                description = "The model; with a branch, tag or commit that one alone.")
        private ModelId id;

        @Mixin private CacheFlags flags;

        @Override
        public Integer call() throws IOException {
            var cache = new HubCache(flags.options().cacheFolder());
            var models = new ArrayList<>(cache.list());
            models.removeIf(model -> !isMeant(model));
            if (models.isEmpty()) {
                throw new IOException(
                        id + " is not in " + cache.folder() + "; 'darkroom models' shows what is");
            }
            var out = spec.commandLine().getOut();
            for (CachedModel model : models) {
                remove(cache, model, out);
            }
            out.flush();
            return 0;
        }

        private static void remove(HubCache cache, CachedModel model, PrintWriter out)
                throws HubException {
            long bytes = cache.remove(model);
            out.printf(
                    Locale.ROOT,
                    "removed %s at %s, %s%n",
                    model.repository(),
                    model.commit().substring(0, SHORT_COMMIT),
                    ByteSize.format(bytes));
        }

        private boolean isMeant(CachedModel model) {
            String revision = id.revision();
            return model.repository().equals(id.repository())
                    && (revision == null
                            || model.revisions().contains(revision)
                            || model.commit().startsWith(revision.toLowerCase(Locale.ROOT))
                                    && revision.length() >= 7);
        }
    }
}
