#pragma once
/// Files of a generator: read whole, written only when they change, so that a build compiles nothing twice.

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace midplane::gen {

/// Stops with `bad_input` when it can not be read.
[[nodiscard]] std::string read_file(const std::filesystem::path& path);

/// Leaves a file with these very contents alone; otherwise replaces it in one step. True when it wrote.
bool write_if_changed(const std::filesystem::path& path, std::string_view contents);

void make_folder(const std::filesystem::path& folder);

/// One make rule: every target depends on every source.
[[nodiscard]] std::string make_rule(const std::vector<std::filesystem::path>& targets,
                                    const std::vector<std::filesystem::path>& sources);

/// A folder that goes away with its contents.
class ScratchFolder {
 public:
  explicit ScratchFolder(const std::filesystem::path& parent);
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder();
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace midplane::gen
