#!/bin/sh
# Runs build.cmake, if there is a CMake to run it with.
command -v cmake >/dev/null || {
    echo "There is no CMake to build Darkroom's native part with. Install cmake 3.22 or newer." >&2
    exit 1
}
exec cmake "$@" -P "$(dirname "$0")/build.cmake"
