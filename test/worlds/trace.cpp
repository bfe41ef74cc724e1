#include "worlds/trace.hpp"

#include <cstdio>

namespace midplane::worlds {

void Trace::begin_line() {
  char at[32];
  std::snprintf(at, sizeof at, "%10.3f ms", static_cast<double>(clock_.now().nanoseconds) / 1e6);
  lines_.push_back({at, false});
}

void Trace::network(std::string_view line) {
  if (!keeps_text_) return;
  begin_line();
  lines_.back().of_network = true;
  // It begins with the time in nanoseconds.
  if (const auto space = line.find(' '); space != line.npos) line.remove_prefix(space + 1);
  add("  net");
  add(line);
}

}  // namespace midplane::worlds
