#pragma once
/// Files and what is in them; a file that can not be read ends the program (Exit::trouble).

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <midplane/describe.hpp>

namespace midplane::tool {

/// `-`: all of stdin.
[[nodiscard]] std::vector<std::byte> read_file(const std::string& path);
void write_file(const std::string& path, std::span<const std::byte> bytes);
/// The type of a binary schema in a file; empty: `rather` when the file has a table of that name, or its root type.
[[nodiscard]] TypeSchema read_schema(const std::string& path, std::string_view type, std::string_view rather = {});

}  // namespace midplane::tool
