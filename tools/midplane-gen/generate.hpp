#pragma once
/// From a schema to the four files of its contracts.

#include <filesystem>

#include "flatc.hpp"
#include "schema/schema.hpp"

namespace midplane::gen {

struct Task {
  std::filesystem::path input;    ///< .fbs, or .bfbs: then flatc is not run and NAME_generated.h is the caller's
  std::filesystem::path out;
  std::filesystem::path depfile;  ///< empty: none
};

void generate(const Task& task, const Flatc& flatc);

/// The schema in the bytes of `file`; stops with `bad_input` when they are none.
[[nodiscard]] schema::Schema load_schema(std::string_view bytes, const std::filesystem::path& file);

}  // namespace midplane::gen
