# Which libtorch the shim is compiled for: first the libraries to run, then headers of exactly their
# version.
#
# darkroom_find_libtorch(DIR VERSION) takes a folder with libtorch's libraries. An official libtorch
# or a Python torch folder brings its own headers and knows its version. For bare libraries VERSION
# says what they are, and the headers come from the PyPI wheel of that version, kept per version in
# the user's cache. Sets LIBTORCH_VERSION, LIBTORCH_INCLUDE, LIBTORCH_LIBRARIES and
# LIBTORCH_LIBRARY_DIRS in the caller.

include("${CMAKE_CURRENT_LIST_DIR}/Checksums.cmake")

set(DARKROOM_OLDEST_LIBTORCH 2.8.0)

function(darkroom_find_libtorch dir version)
  if(NOT IS_DIRECTORY "${dir}")
    message(FATAL_ERROR "There is no libtorch in ${dir}: there is no such folder. Correct or unset "
                        "LIBTORCH.")
  endif()
  file(REAL_PATH "${dir}" dir)
  set(include "${dir}/include")
  if(IS_DIRECTORY "${include}")
    darkroom_header_version("${include}" version)
  elseif(version STREQUAL "")
    message(FATAL_ERROR "${dir} has no include folder. LIBTORCH must name an unpacked official "
                        "libtorch or the torch folder of a Python installation.")
  endif()
  if(version VERSION_LESS DARKROOM_OLDEST_LIBTORCH)
    message(FATAL_ERROR "The libtorch in ${dir} is ${version}; Darkroom needs "
                        "${DARKROOM_OLDEST_LIBTORCH} or newer.")
  endif()
  if(NOT IS_DIRECTORY "${include}")
    darkroom_fetch_headers("${version}" include)
  endif()

  set(libraries "")
  set(dirs "")
  foreach(name torch_cpu c10)
    file(GLOB_RECURSE found "${dir}/lib${name}.so" "${dir}/lib${name}.dylib")
    if(NOT found)
      message(FATAL_ERROR "There is no lib${name} under ${dir}: it is not a libtorch for this system.")
    endif()
    list(GET found 0 library)
    list(APPEND libraries "${library}")
  endforeach()
  file(GLOB_RECURSE all "${dir}/*.so" "${dir}/*.so.*" "${dir}/*.dylib")
  foreach(library IN LISTS all)
    get_filename_component(parent "${library}" DIRECTORY)
    list(APPEND dirs "${parent}")
  endforeach()
  list(REMOVE_DUPLICATES dirs)

  set(LIBTORCH_VERSION "${version}" PARENT_SCOPE)
  set(LIBTORCH_INCLUDE "${include}" PARENT_SCOPE)
  set(LIBTORCH_LIBRARIES "${libraries}" PARENT_SCOPE)
  set(LIBTORCH_LIBRARY_DIRS "${dirs}" PARENT_SCOPE)
endfunction()

# The version that a folder of headers says it is.
function(darkroom_header_version include result)
  foreach(header torch/headeronly/version.h torch/csrc/api/include/torch/version.h)
    if(EXISTS "${include}/${header}")
      file(READ "${include}/${header}" text)
      if(text MATCHES "VERSION_MAJOR ([0-9]+).*VERSION_MINOR ([0-9]+).*VERSION_PATCH ([0-9]+)")
        set(${result} "${CMAKE_MATCH_1}.${CMAKE_MATCH_2}.${CMAKE_MATCH_3}" PARENT_SCOPE)
        return()
      endif()
    endif()
  endforeach()
  message(FATAL_ERROR "${include} holds no libtorch headers: torch's version.h is missing.")
endfunction()

# Where headers are kept: in the user's cache, whose folder is the user's alone. Relative paths in
# the environment do not count, as the XDG Base Directory Specification has it.
function(darkroom_cache result)
  set(cache "$ENV{XDG_CACHE_HOME}")
  if(NOT IS_ABSOLUTE "${cache}")
    set(cache "$ENV{HOME}/.cache")
  endif()
  if(NOT IS_ABSOLUTE "${cache}")
    message(FATAL_ERROR "There is no folder to keep libtorch's headers in: set HOME or XDG_CACHE_HOME "
                        "to an absolute path.")
  endif()
  if(NOT IS_DIRECTORY "${cache}/darkroom")
    file(MAKE_DIRECTORY "${cache}/darkroom")
    file(CHMOD "${cache}/darkroom" PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
  endif()
  set(${result} "${cache}/darkroom/headers" PARENT_SCOPE)
endfunction()

# The headers of a version from its smallest wheel, the one for macOS: they are the same on all
# systems as far as the shim goes. The wheels up to 2.10 are tagged for macOS 11, those of 2.13 for 14.
function(darkroom_fetch_headers version result)
  darkroom_cache(cache)
  set(headers "${cache}/${version}")
  set(${result} "${headers}" PARENT_SCOPE)
  if(IS_DIRECTORY "${headers}")
    return()
  endif()

  set(advice "or set LIBTORCH to an installed libtorch or Python torch ${version}, which has them.")
  find_program(DARKROOM_PYTHON NAMES python3 python)
  if(NOT DARKROOM_PYTHON)
    message(FATAL_ERROR "The headers of libtorch ${version} are needed once and there is no python3 "
                        "to fetch them with. Install Python 3 with pip, ${advice}")
  endif()
  execute_process(COMMAND "${DARKROOM_PYTHON}" -m pip --version TIMEOUT 60
                  RESULT_VARIABLE status OUTPUT_QUIET ERROR_QUIET)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "The headers of libtorch ${version} are needed once and ${DARKROOM_PYTHON} "
                        "has no pip to fetch them with. Install pip, ${advice}")
  endif()

  string(RANDOM LENGTH 8 unique)
  set(work "${cache}/.${version}-${unique}")
  message(STATUS "Fetching the headers of libtorch ${version} (a wheel of about 110 MB, once)")
  file(MAKE_DIRECTORY "${work}")
  execute_process(
    COMMAND "${CMAKE_COMMAND}" -E env "TMPDIR=${work}"
            "${DARKROOM_PYTHON}" -m pip download --quiet --disable-pip-version-check --no-deps
            --only-binary=:all: --platform macosx_14_0_arm64 --platform macosx_11_0_arm64
            --python-version 3.11 --dest "${work}" "torch==${version}"
    RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  file(GLOB wheel "${work}/*.whl")
  if(NOT status EQUAL 0 OR NOT wheel)
    file(REMOVE_RECURSE "${work}")
    message(FATAL_ERROR "pip could not fetch the headers of libtorch ${version}:\n${output}"
                        "Check the network and try again, ${advice}")
  endif()
  darkroom_check_wheel("${wheel}" "${version}")
  file(ARCHIVE_EXTRACT INPUT "${wheel}" DESTINATION "${work}" PATTERNS "torch/include/*")
  darkroom_header_version("${work}/torch/include" found)
  if(NOT found VERSION_EQUAL version)
    file(REMOVE_RECURSE "${work}")
    message(FATAL_ERROR "The wheel of torch ${version} holds headers of ${found}.")
  endif()
  darkroom_hash_tree("${work}/torch/include" hash)
  file(WRITE "${headers}.sha256" "${hash}")
  # Another build may have been first: then its folder stays.
  file(RENAME "${work}/torch/include" "${headers}" RESULT renamed)
  file(REMOVE_RECURSE "${work}")
  if(NOT IS_DIRECTORY "${headers}")
    message(FATAL_ERROR "The headers could not be kept in ${headers}: ${renamed}.")
  endif()
  message(STATUS "Fetched the headers of libtorch ${version} into ${headers}")
endfunction()

# Makes sure that what will be compiled and linked is what it should be; headers that are not are
# fetched again.
function(darkroom_check dir version include)
  darkroom_check_natives("${dir}" "${version}")
  darkroom_cache(cache)
  if(include STREQUAL "${cache}/${version}")
    darkroom_headers_are_whole("${include}" "${version}" whole)
    if(NOT whole)
      message(STATUS "The headers in ${include} are damaged or not known to be whole")
      file(REMOVE_RECURSE "${include}")
      darkroom_fetch_headers("${version}" include)
      darkroom_headers_are_whole("${include}" "${version}" whole)
      if(NOT whole)
        message(FATAL_ERROR "The headers of libtorch ${version} that pip fetches are not those that "
                            "Darkroom knows. Check pip's index and cache.")
      endif()
    endif()
  endif()
endfunction()
