# What lies in caches, of Maven, of pip and of Darkroom, is compared with the SHA-256 in checksums/
# before it is compiled or linked. A version that is not listed there goes unchecked, but for its
# headers, which have a list of their own beside them from the time they were fetched.

set(DARKROOM_CHECKSUMS "${CMAKE_CURRENT_LIST_DIR}/../checksums")

# The SHA-256 of a file in a list of lines "HASH  NAME"; empty if the list has no such name.
function(darkroom_listed list name result)
  set(${result} "" PARENT_SCOPE)
  if(EXISTS "${list}")
    file(STRINGS "${list}" lines)
    foreach(line IN LISTS lines)
      string(SUBSTRING "${line}" 66 -1 file)
      if(file STREQUAL name)
        string(SUBSTRING "${line}" 0 64 hash)
        set(${result} "${hash}" PARENT_SCOPE)
      endif()
    endforeach()
  endif()
endfunction()

# Fails unless the libraries below DIR, in folders named by the platform as Maven Central's jars have
# them, are those of libtorch VERSION that are known.
function(darkroom_check_natives dir version)
  file(GLOB_RECURSE files "${dir}/*.so" "${dir}/*.so.*")
  list(GET files 0 first)
  get_filename_component(platform "${first}" DIRECTORY)
  get_filename_component(platform "${platform}" NAME)
  set(list "${DARKROOM_CHECKSUMS}/natives-${version}-${platform}.sha256")
  if(NOT EXISTS "${list}")
    message(STATUS "The natives of libtorch ${version} for ${platform} are not known and not checked")
    return()
  endif()
  foreach(file IN LISTS files)
    get_filename_component(name "${file}" NAME)
    darkroom_listed("${list}" "${name}" expected)
    file(SHA256 "${file}" found)
    if(NOT found STREQUAL expected)
      message(FATAL_ERROR "${file} is not the library of libtorch ${version} that Darkroom knows: its "
                          "SHA-256 is ${found}, not ${expected}. Delete it and the jar in Maven's local "
                          "repository that it came from, and build again.")
    endif()
  endforeach()
endfunction()

# Fails if a wheel of libtorch VERSION is known, and is not this file.
function(darkroom_check_wheel wheel version)
  get_filename_component(name "${wheel}" NAME)
  set(list "${DARKROOM_CHECKSUMS}/wheels.sha256")
  darkroom_listed("${list}" "${name}" expected)
  if(expected STREQUAL "")
    file(STRINGS "${list}" others REGEX "  torch-${version}-")
    if(NOT others)
      message(STATUS "The wheel ${name} is not known and not checked")
      return()
    endif()
  endif()
  file(SHA256 "${wheel}" found)
  if(NOT found STREQUAL expected)
    message(FATAL_ERROR "pip fetched ${name}, which is not the wheel of torch ${version} that Darkroom "
                        "knows: its SHA-256 is ${found}, not ${expected}. Check pip's index and cache.")
  endif()
endfunction()

# One hash for the paths and contents of all files in a folder.
function(darkroom_hash_tree dir result)
  file(GLOB_RECURSE files LIST_DIRECTORIES false RELATIVE "${dir}" "${dir}/*")
  set(list "")
  foreach(file IN LISTS files)
    file(SHA256 "${dir}/${file}" hash)
    string(APPEND list "${hash}  ${file}\n")
  endforeach()
  string(SHA256 hash "${list}")
  set(${result} "${hash}" PARENT_SCOPE)
endfunction()

# Whether fetched headers are those of libtorch VERSION: as known, or else as they were fetched.
function(darkroom_headers_are_whole headers version result)
  set(${result} FALSE PARENT_SCOPE)
  darkroom_listed("${DARKROOM_CHECKSUMS}/headers.sha256" "${version}" expected)
  if(expected STREQUAL "" AND EXISTS "${headers}.sha256")
    file(READ "${headers}.sha256" expected)
  endif()
  if(IS_DIRECTORY "${headers}")
    darkroom_hash_tree("${headers}" found)
    if(found STREQUAL expected)
      set(${result} TRUE PARENT_SCOPE)
    endif()
  endif()
endfunction()
