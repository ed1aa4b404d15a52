/** What the tests of several modules share; part of no release. */
@NullMarked
package dev.darkroom.testing;

import org.jspecify.annotations.NullMarked;
