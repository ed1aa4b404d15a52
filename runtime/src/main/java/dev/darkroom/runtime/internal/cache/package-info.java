/** What {@link dev.darkroom.runtime.Cache} is made of: owners, locks, manifests of files. */
@NullMarked
package dev.darkroom.runtime.internal.cache;

import org.jspecify.annotations.NullMarked;
