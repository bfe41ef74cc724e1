#pragma once
/// The FlatBuffers compiler, run as a child without a shell.

#include <filesystem>
#include <string>
#include <vector>

namespace midplane::gen {

struct Flatc {
  std::string program = "flatc";  ///< a path, or a name to look for in PATH
  std::vector<std::string> include_folders;
};

/// What flatc made of one schema.
struct Compiled {
  std::string header;  ///< NAME_generated.h, without the include of the markers in midplane.fbs
  std::string bfbs;
};

/// Stops with `cannot_write` when flatc can not be run or refuses the schema; flatc has said why by then.
[[nodiscard]] Compiled compile(const Flatc& flatc, const std::filesystem::path& schema,
                               const std::filesystem::path& scratch);

}  // namespace midplane::gen
