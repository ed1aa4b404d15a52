# Builds the shim the way the Maven build does:
#   cmake -DOUTPUT=DIR -DNATIVES=DIR -DVERSION=2.13.0 [-DTESTS=ON | -DBENCH=ON] -P build.cmake
# NATIVES are the libraries from Maven Central, of libtorch VERSION; the environment variable LIBTORCH
# names another libtorch, which goes first. The library is installed below OUTPUT/classes; each
# libtorch version has a build folder of its own. Prints little unless something fails.
cmake_minimum_required(VERSION 3.22)
include("${CMAKE_CURRENT_LIST_DIR}/cmake/Libtorch.cmake")

set(dir "${NATIVES}")
set(version "${VERSION}")
if(NOT "$ENV{LIBTORCH}" STREQUAL "")
  set(dir "$ENV{LIBTORCH}")
  set(version "")
endif()
find_program(compiler NAMES "$ENV{CXX}" c++ g++ clang++)
if(NOT compiler)
  message(FATAL_ERROR "There is no C++ compiler to build Darkroom's native part with. Install g++ or "
                      "clang++, or set CXX to one.")
endif()
darkroom_find_libtorch("${dir}" "${version}")

function(run what)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${what} failed:\n${output}")
  endif()
endfunction()

# A build folder belongs to one libtorch and one place of the sources.
set(build "${OUTPUT}/cmake-${LIBTORCH_VERSION}")
set(options "-DDARKROOM_LIBTORCH=${dir}" "-DDARKROOM_LIBTORCH_VERSION=${version}"
            -DDARKROOM_TESTS=ON -S "${CMAKE_CURRENT_LIST_DIR}")
set(configured "")
if(EXISTS "${build}/configured.txt")
  file(READ "${build}/configured.txt" configured)
endif()
if(NOT configured STREQUAL "${options}")
  message(STATUS "Compiling Darkroom's native part for libtorch ${LIBTORCH_VERSION}")
  file(REMOVE_RECURSE "${build}")
  find_program(ninja NAMES ninja)
  if(ninja)
    set(generator -G Ninja)
  endif()
  run("Configuring the native part" "${CMAKE_COMMAND}" -B "${build}" ${generator} ${options})
  file(WRITE "${build}/configured.txt" "${options}")
endif()

# What is compiled again is checked again. Ninja can say so beforehand; other generators check always.
if("$ENV{LIBTORCH}" STREQUAL "")
  execute_process(COMMAND "${CMAKE_COMMAND}" --build "${build}" --target darkroom -- -n
                  OUTPUT_VARIABLE todo ERROR_QUIET)
  if(NOT todo MATCHES "no work to do")
    darkroom_check("${dir}" "${LIBTORCH_VERSION}" "${LIBTORCH_INCLUDE}")
  endif()
endif()

if(TESTS)
  message(STATUS "Compiling and running the native tests")
  run("Compiling the native tests" "${CMAKE_COMMAND}" --build "${build}" --parallel)
  run("Testing the native part" "${CMAKE_CTEST_COMMAND}" --test-dir "${build}" --output-on-failure)
elseif(BENCH)
  run("Compiling the native benchmarks" "${CMAKE_COMMAND}" --build "${build}" --parallel
      --target bench_typed bench_generic)
else()
  run("Compiling the native part" "${CMAKE_COMMAND}" --build "${build}" --parallel --target darkroom)
  run("Installing the native part" "${CMAKE_COMMAND}" --install "${build}"
      --prefix "${OUTPUT}/classes/dev/darkroom/native")
endif()
