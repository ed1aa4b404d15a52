package dev.darkroom.models.diffusion.guidance;

import dev.darkroom.models.diffusion.ClassifierFree;
import dev.darkroom.models.diffusion.Guidance;
import dev.darkroom.models.diffusion.Perturbation;
import dev.darkroom.models.diffusion.Perturbation.Kind;

import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;

/** The guidances that have a name, with their settings and papers. */
public enum GuidanceKind {
    /** {@link ClassifierFree}. */
    CFG(
            "classifier-free guidance",
            "Ho and Salimans 2022, arXiv:2207.12598",
            "rescale=0,from=0,to=Infinity,start=0,stop=1") {
        @Override
        Guidance make(double scale, Settings of) {
            return of.inSteps(
                    new ClassifierFree(scale, of.get("rescale"), of.get("from"), of.get("to")));
        }
    },

    /** {@link Thresholded} classifier-free guidance. */
    THRESHOLD(
            "classifier-free guidance with dynamic thresholding, for models of pixels",
            "Saharia et al. 2022, arXiv:2205.11487",
            "ratio=0.995,limit=Infinity,rescale=0,start=0,stop=1") {
        @Override
        Guidance make(double scale, Settings of) {
            var cfg = new ClassifierFree(scale, of.get("rescale"));
            return of.inSteps(new Thresholded(cfg, of.get("ratio"), of.get("limit")));
        }
    },

    /** {@link ZeroStar} with {@link ZeroInit}. */
    ZERO_STAR(
            "CFG-Zero★: an unconditional estimate that is scaled, the first steps zero",
            "Fan et al. 2025, arXiv:2503.18886",
            "zero-steps=1,rescale=0,start=0,stop=1") {
        @Override
        Guidance make(double scale, Settings of) {
            double steps = of.get("zero-steps");
            if (steps != Math.rint(steps) || steps > 1000) {
                throw new IllegalArgumentException(
                        "zero-steps is a whole number from 0 to 1000, not " + steps);
            }
            Guidance star = of.inSteps(new ZeroStar(scale, of.get("rescale")));
            return new ZeroInit(star, scale > 1 || steps < 0 ? (int) steps : 0);
        }
    },

    /** {@link Projected}. */
    APG(
            "adaptive projected guidance: without what saturates, with a momentum",
            "Sadat et al. 2024, arXiv:2410.02416",
            "eta=0,momentum=-0.5,threshold=15,rescale=0,start=0,stop=1") {
        @Override
        Guidance make(double scale, Settings of) {
            var projected =
                    new Projected(
                            scale,
                            of.get("rescale"),
                            of.get("eta"),
                            of.get("momentum"),
                            of.get("threshold"),
                            false);
            return of.inSteps(
                    projected.isNeutral()
                            ? new ClassifierFree(scale, of.get("rescale"))
                            : projected);
        }
    },

    /** {@link Tangential}. */
    TCFG(
            "tangential damping of the unconditional estimate",
            "Kwon et al. 2025, arXiv:2503.18137",
            "rescale=0,start=0,stop=1") {
        @Override
        Guidance make(double scale, Settings of) {
            return of.inSteps(new Tangential(scale, of.get("rescale")));
        }
    },

    /** {@link MagnitudeAware}. */
    MAG(
            "magnitude-aware guidance: less where the outputs differ much, as they do at first",
            "Zhu et al. 2025, arXiv:2508.03442",
            "alpha=8,rescale=0,start=0,stop=1") {
        @Override
        Guidance make(double scale, Settings of) {
            double alpha = of.get("alpha");
            double rescale = of.get("rescale");
            return of.inSteps(
                    alpha == 0
                            ? new ClassifierFree(scale, rescale)
                            : new MagnitudeAware(scale, alpha, rescale));
        }
    },

    /** {@link FrequencyDecoupled}. */
    FDG(
            "frequency-decoupled guidance: another weight for low frequencies",
            "Sadat et al. 2025, arXiv:2506.19713",
            "low=2,start=0,stop=1") {
        @Override
        Guidance make(double scale, Settings of) {
            double low = of.get("low");
            var decoupled = new FrequencyDecoupled(scale, low);
            return of.inSteps(low == scale ? new ClassifierFree(scale) : decoupled);
        }
    },

    /** {@link PerpendicularNegative}. */
    PERP_NEG(
            "away from the part of --negative that is perpendicular to the prompt",
            "Armandpour et al. 2023, arXiv:2304.04968",
            "negative=1,start=0,stop=1") {
        @Override
        Guidance make(double scale, Settings of) {
            return of.inSteps(new PerpendicularNegative(scale, of.get("negative")));
        }
    },

    /** {@link Perturbed} by leaving blocks out. */
    SLG(
            "skip-layer guidance: away from the network without some blocks",
            "Hyung et al. 2024, arXiv:2411.18664",
            "weight=2.8,layers=auto,start=0.01,stop=0.2,rescale=0") {
        @Override
        Guidance make(double scale, Settings of) {
            return of.perturbed(scale, Kind.SKIPPED, 1);
        }
    },

    /** {@link Perturbed} in self-attention. */
    PAG(
            "perturbed-attention guidance: away from self-attention of each token to itself",
            "Ahn et al. 2024, arXiv:2403.17377",
            "weight=3,layers=auto,start=0,stop=1,rescale=0") {
        @Override
        Guidance make(double scale, Settings of) {
            return of.perturbed(scale, Kind.IDENTITY_ATTENTION, 1);
        }
    },

    /** {@link Perturbed} by blurred queries. */
    SEG(
            "smoothed energy guidance: away from self-attention with blurred queries",
            "Hong 2024, arXiv:2408.00760",
            "weight=3,blur=Infinity,layers=auto,start=0,stop=1,rescale=0") {
        @Override
        Guidance make(double scale, Settings of) {
            return of.perturbed(scale, Kind.BLURRED_QUERIES, of.get("blur"));
        }
    };

    private static final String AUTO = "auto";

    private static final int FAR = 3;

    private final String title;
    private final String paper;
    private final Map<String, String> defaults;

    GuidanceKind(String title, String paper, String defaults) {
        this.title = title;
        this.paper = paper;
        var numbers = new LinkedHashMap<String, String>();
        for (String each : defaults.split(",", -1)) {
            String[] keyValue = each.split("=", -1);
            numbers.put(keyValue[0], keyValue[1]);
        }
        this.defaults = Collections.unmodifiableMap(numbers);
    }

    /** Returns its name, such as {@code zero-star}. */
    public String id() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /** Returns what it does, in a line. */
    public String title() {
        return title;
    }

    /** Returns authors, year and number of its paper. */
    public String paper() {
        return paper;
    }

    /** Returns its settings and their defaults. */
    public Map<String, String> defaults() {
        return defaults;
    }

    /** Returns the names of all. */
    public static List<String> ids() {
        return Arrays.stream(values()).map(GuidanceKind::id).toList();
    }

    /**
     * Finds a guidance.
     *
     * @throws IllegalArgumentException if there is none of that name
     */
    public static GuidanceKind named(String id) {
        return Arrays.stream(values())
                .filter(kind -> kind.id().equals(id))
                .findFirst()
                .orElseThrow(() -> unknown("guidance", id, ids()));
    }

    /**
     * Makes the guidance.
     *
     * @param scale its weight, 1 or less for none
     * @param settings values by their names; those left out have their defaults
     * @throws IllegalArgumentException if it has no such setting, or a value is out of range
     */
    Guidance make(double scale, Map<String, String> settings) {
        for (String key : settings.keySet()) {
            if (!defaults.containsKey(key)) {
                throw unknown(
                        "setting of the guidance " + id(), key, List.copyOf(defaults.keySet()));
            }
        }
        var all = new LinkedHashMap<>(defaults);
        all.putAll(settings);
        return make(scale, new Settings(all));
    }

    abstract Guidance make(double scale, Settings of);

    private static IllegalArgumentException unknown(String what, String name, List<String> names) {
        String near =
                names.stream()
                        .min(Comparator.comparingInt(each -> distance(each, name)))
                        .filter(each -> distance(each, name) < FAR)
                        .map(each -> "; did you mean " + each + "?")
                        .orElse("");
        return new IllegalArgumentException(
                "no "
                        + what
                        + " '"
                        + name
                        + "', there are "
                        + names.stream().collect(Collectors.joining(", "))
                        + near);
    }

    /** How many letters must be put in, left out or changed (Levenshtein 1966). */
    private static int distance(String a, String b) {
        int[] row = new int[b.length() + 1];
        Arrays.setAll(row, i -> i);
        for (int i = 1; i <= a.length(); i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.length(); j++) {
                int changed = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.min(changed, 1 + Math.min(row[j], row[j - 1]));
            }
        }
        return row[b.length()];
    }

    /** A kind's settings, complete. */
    record Settings(Map<String, String> values) {
        double get(String key) {
            String text = text(key);
            try {
                return Double.parseDouble(text);
            } catch (NumberFormatException e) {
                throw new IllegalArgumentException(
                        "the setting " + key + " of a guidance is a number, not '" + text + "'", e);
            }
        }

        private String text(String key) {
            return Objects.requireNonNull(values.get(key), key);
        }

        /** Away from a perturbation of the layers that are named. */
        Guidance perturbed(double scale, Kind kind, double blur) {
            String layers = text("layers");
            List<String> named = layers.equals(AUTO) ? List.of() : List.of(layers.split("\\+", -1));
            return new Perturbed(
                    scale,
                    get("rescale"),
                    get("weight"),
                    new Perturbation(kind, named, blur),
                    get("start"),
                    get("stop"));
        }

        Guidance inSteps(Guidance guidance) {
            return new InSteps(guidance, get("start"), get("stop"));
        }
    }
}
