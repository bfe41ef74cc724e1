#include "files.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <system_error>

#include <unistd.h>

#include "stop.hpp"

namespace midplane::gen {
namespace fs = std::filesystem;
namespace {

std::optional<std::string> contents_of(const fs::path& path) {
  std::ifstream in{path, std::ios::binary};
  if (!in || fs::is_directory(path)) return std::nullopt;
  std::string text{std::istreambuf_iterator<char>{in}, {}};
  if (in.bad()) return std::nullopt;
  return text;
}

std::string escaped(const fs::path& path) {
  std::string text;
  for (const char c : path.string()) {
    if (c == ' ' || c == '#') text += '\\';
    if (c == '$') text += '$';
    text += c;
  }
  return text;
}

}  // namespace

std::string read_file(const fs::path& path) {
  errno = 0;
  auto text = contents_of(path);
  if (!text) {
    const char* why = errno != 0 ? std::strerror(errno) : "not a regular file";
    stop(Exit::bad_input, path.string() + ": cannot be read: " + why + "; check the path");
  }
  return *std::move(text);
}

bool write_if_changed(const fs::path& path, std::string_view contents) {
  if (auto before = contents_of(path); before && *before == contents) return false;
  const fs::path draft = path.string() + ".part" + std::to_string(::getpid());
  errno = 0;
  std::ofstream out{draft, std::ios::binary | std::ios::trunc};
  out.write(contents.data(), static_cast<std::streamsize>(contents.size()));
  out.close();
  std::error_code fault;
  if (out) fs::rename(draft, path, fault);
  if (!out || fault) {
    const std::string why = fault ? fault.message() : std::strerror(errno);
    fs::remove(draft, fault);
    stop(Exit::cannot_write, path.string() + ": cannot be written: " + why + "; check the folder and its rights");
  }
  return true;
}

void make_folder(const fs::path& folder) {
  std::error_code fault;
  fs::create_directories(folder, fault);
  if (fault || !fs::is_directory(folder))
    stop(Exit::cannot_write, folder.string() + ": cannot be made a folder" +
                                 (fault ? ": " + fault.message() : std::string{}) + "; give another --out");
}

std::string make_rule(const std::vector<fs::path>& targets, const std::vector<fs::path>& sources) {
  std::string rule;
  for (const auto& target : targets) rule += (rule.empty() ? "" : " ") + escaped(target);
  rule += ':';
  for (const auto& source : sources) rule += " \\\n  " + escaped(source);
  return rule + '\n';
}

ScratchFolder::ScratchFolder(const fs::path& parent) {
  std::string name = (parent / ".midplane-gen-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr)
    stop(Exit::cannot_write, parent.string() + ": no scratch folder can be made in it: " + std::strerror(errno));
  path_ = name;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;  // a folder left behind harms nobody
  fs::remove_all(path_, ignored);
}

}  // namespace midplane::gen
