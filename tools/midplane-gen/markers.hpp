#pragma once
/// Where midplane.fbs is.

#include <filesystem>
#include <optional>

namespace midplane::gen {

/// The folder of the midplane.fbs that was installed together with this program, wherever both were moved to; none when
/// the program was not installed.
[[nodiscard]] std::optional<std::filesystem::path> installed_markers();

}  // namespace midplane::gen
