package dev.darkroom.models.diffusion.diffusers;

/**
 * How far noise levels are shifted for a picture of many tokens: diffusers' {@code
 * calculate_shift}, linear in their number (Esser et al. 2024, arXiv:2403.03206, section 5.3.2).
 *
 * @param baseTokens tokens of the picture whose shift is {@code base}
 * @param maxTokens tokens of the picture whose shift is {@code max}
 * @param base logarithm of a shift
 * @param max logarithm of a shift
 */
record TokenShift(int baseTokens, int maxTokens, double base, double max) {
    static TokenShift read(SchedulerConfig config) {
        var shift =
                new TokenShift(
                        config.integer("base_image_seq_len", 256),
                        config.integer("max_image_seq_len", 4096),
                        config.number("base_shift", 0.5),
                        config.number("max_shift", 1.15));
        if (shift.baseTokens == shift.maxTokens) {
            throw config.unsupported(
                    "max_image_seq_len", shift.maxTokens, "it must differ from base_image_seq_len");
        }
        return shift;
    }

    /**
     * The logarithm of the shift of a call: the one that was given, or that of its tokens.
     *
     * @throws IllegalArgumentException if neither is given
     */
    double mu(SchedulerArguments arguments) {
        if (arguments.mu() != null) {
            return arguments.mu();
        }
        if (arguments.tokens() == null) {
            throw new IllegalArgumentException(
                    "a scheduler with use_dynamic_shifting needs mu, which depends on the size of"
                            + " the picture");
        }
        double slope = (max - base) / (maxTokens - baseTokens);
        return arguments.tokens() * slope + (base - slope * baseTokens);
    }
}
