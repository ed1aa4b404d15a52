package dev.darkroom.tokenizers;

/**
 * How a prompt or a caption is prepared before it is tokenized: as Python does it, whose notions of
 * white space and of lower case are not Java's.
 */
public final class Prompts {
    private Prompts() {}

    /**
     * Lower-cases and strips a text, as diffusers' PixArt pipelines do with prompts ({@code
     * text.lower().strip()} in {@code _text_preprocessing}, where {@code clean_caption} is off).
     *
     * @param text a prompt, a caption or a label
     * @return Python 3.11's lower case of it, without white space at its ends
     */
    public static String prepare(String text) {
        return Whitespace.strip(Lowercase.full(text), Whitespace::isPython);
    }
}
