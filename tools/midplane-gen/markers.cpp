#include "markers.hpp"

#include <system_error>

#include "way_to_markers.hpp"

namespace midplane::gen {
namespace fs = std::filesystem;

std::optional<fs::path> installed_markers() {
  std::error_code fault;
  const fs::path program = fs::read_symlink("/proc/self/exe", fault);
  if (fault) return std::nullopt;
  const fs::path folder = (program.parent_path() / MIDPLANE_WAY_TO_MARKERS).lexically_normal();
  if (!fs::is_regular_file(folder / "midplane.fbs", fault)) return std::nullopt;
  return folder;
}

}  // namespace midplane::gen
