# cmake -P headers.cmake VERSION: the line of headers.sha256 for headers in the cache.
include("${CMAKE_CURRENT_LIST_DIR}/../cmake/Libtorch.cmake")
math(EXPR last "${CMAKE_ARGC} - 1")
set(version "${CMAKE_ARGV${last}}")
darkroom_cache(cache)
darkroom_hash_tree("${cache}/${version}" hash)
message("${hash}  ${version}")
