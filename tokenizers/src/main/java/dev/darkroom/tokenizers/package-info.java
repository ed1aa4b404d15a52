/**
 * Text to token ids, in pure Java: T5's SentencePiece unigram and CLIP's byte-pair encoding.
 *
 * <p>Each file format has its own reader, and each reader follows its own reference, because they
 * differ: {@code spiece.model} and {@code vocab.json} + {@code merges.txt} follow the "slow"
 * tokenizers of transformers (SentencePiece, ftfy), {@code tokenizer.json} follows the tokenizers
 * library behind the "fast" ones. {@link dev.darkroom.tokenizers.Tokenizers} picks the reader that
 * diffusers would pick.
 *
 * <p>What is known to differ from the references:
 *
 * <ul>
 *   <li>CLIP's slow tokenizer repairs its text with ftfy where that is installed, and cleans it in
 *       another way where not. Here it is always ftfy's way. A repair that makes another one
 *       possible is followed up 32 times at most.
 *   <li>Letters, digits, case and normal forms are those of the running JVM's Unicode version; the
 *       tokenizers library orders only the combining marks of Unicode 9 when it normalises.
 *   <li>Unpaired surrogates, which the references can't be given, become U+FFFD.
 * </ul>
 */
@NullMarked
package dev.darkroom.tokenizers;

import org.jspecify.annotations.NullMarked;
