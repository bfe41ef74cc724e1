# midplane_schema(TARGET target SCHEMAS a.fbs ... [INCLUDES folder ...])
#
# Runs midplane-gen over each schema and adds what it writes to the target: a_generated.h, a.bfbs, a_midplane.hpp and
# a_midplane.cpp, in a folder that this target includes from, and who links it when it is a library. Name all schemas that
# include one another for the same target; INCLUDES are folders to find included schemas in, besides the schema's own and
# that of midplane.fbs.
# MIDPLANE_FLATC is the FlatBuffers compiler, when it is not the flatc in PATH.
function(midplane_schema)
  # For DEPFILE: its paths are absolute or relative to the folder of the build.
  cmake_policy(SET CMP0116 NEW)
  cmake_parse_arguments(PARSE_ARGV 0 schema "" "TARGET" "SCHEMAS;INCLUDES")
  if(schema_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "midplane_schema: unknown arguments: ${schema_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT schema_TARGET OR NOT schema_SCHEMAS)
    message(FATAL_ERROR "midplane_schema needs a TARGET and at least one schema in SCHEMAS")
  endif()
  if(NOT TARGET ${schema_TARGET})
    message(FATAL_ERROR
      "midplane_schema: there is no target ${schema_TARGET}; call it after add_executable or add_library")
  endif()
  get_target_property(type ${schema_TARGET} TYPE)
  if(type STREQUAL "INTERFACE_LIBRARY")
    message(FATAL_ERROR
      "midplane_schema: ${schema_TARGET} is an INTERFACE library, which compiles nothing; make it STATIC or OBJECT")
  endif()

  set(options "")
  if(MIDPLANE_FLATC)
    list(APPEND options --flatc "${MIDPLANE_FLATC}")
  endif()
  foreach(folder IN LISTS schema_INCLUDES)
    get_filename_component(folder "${folder}" ABSOLUTE)
    list(APPEND options -I "${folder}")
  endforeach()

  set(out "${CMAKE_CURRENT_BINARY_DIR}/${schema_TARGET}.midplane")
  foreach(schema IN LISTS schema_SCHEMAS)
    get_filename_component(schema "${schema}" ABSOLUTE)
    get_filename_component(stem "${schema}" NAME_WLE)
    set(files "${out}/${stem}_generated.h" "${out}/${stem}.bfbs"
      "${out}/${stem}_midplane.hpp" "${out}/${stem}_midplane.cpp")
    add_custom_command(OUTPUT ${files}
      COMMAND midplane::gen "${schema}" --out "${out}" --depfile "${out}/${stem}.d" ${options}
      DEPENDS "${schema}" midplane::gen
      DEPFILE "${out}/${stem}.d"
      COMMENT "midplane-gen ${stem}.fbs"
      VERBATIM)
    target_sources(${schema_TARGET} PRIVATE ${files})
  endforeach()
  if(type STREQUAL "EXECUTABLE")
    target_include_directories(${schema_TARGET} PRIVATE "${out}")
  else()
    target_include_directories(${schema_TARGET} PUBLIC "$<BUILD_INTERFACE:${out}>")
  endif()
endfunction()
