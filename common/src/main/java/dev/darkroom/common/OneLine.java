package dev.darkroom.common;

/** Messages about files: what they echo of a file is a line at most, whatever the file holds. */
public final class OneLine {
    private static final int LONGEST = 600;

    private OneLine() {}

    /** A text with its controls and line ends as spaces, cut where it is longer than a line. */
    public static String of(String text) {
        boolean fits = text.length() <= LONGEST;
        var line = new StringBuilder(fits ? text : text.substring(0, LONGEST));
        for (int i = 0; i < line.length(); i++) {
            if (Character.isISOControl(line.charAt(i))) {
                line.setCharAt(i, ' ');
            }
        }
        return fits ? line.toString() : line.append(" …").toString();
    }

    /** Jackson's message about a file, without its remarks on the source object. */
    public static String ofJsonProblem(String message) {
        return of(message.replaceFirst(" \\(start marker at \\[.*]\\)", ""));
    }
}
