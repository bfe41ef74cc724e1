#pragma once
/// Everything that happens in a world, as one hash; as text too when somebody wants to read it.

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <midplane/extend/clock.hpp>

namespace midplane::worlds {

class Trace {
 public:
  Trace(const Clock& clock, bool keeps_text) : clock_{clock}, keeps_text_{keeps_text} {}

  /// Words and numbers; equal for equal runs.
  template <class... Parts>
  void note(const Parts&... parts) {
    mix(clock_.now().nanoseconds);
    (mix(parts), ...);
    if (!keeps_text_) return;
    begin_line();
    (add(parts), ...);
  }
  /// A line of the network; its own hash covers it already.
  void network(std::string_view line);

  [[nodiscard]] bool keeps_text() const noexcept { return keeps_text_; }
  [[nodiscard]] std::uint64_t hash() const noexcept { return hash_; }
  struct Line {
    std::string text;
    bool of_network = false;
  };
  [[nodiscard]] const std::vector<Line>& lines() const noexcept { return lines_; }

 private:
  template <std::integral Number>
  void mix(Number number) noexcept {
    hash_ = (hash_ ^ static_cast<std::uint64_t>(number)) * 0x9e3779b97f4a7c15ULL;
    hash_ ^= hash_ >> 29;
  }
  void mix(std::string_view text) noexcept {
    for (const char c : text) hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  }
  void begin_line();
  void add(std::string_view text) { lines_.back().text.append(" ").append(text); }
  template <std::integral Number>
  void add(Number number) { add(std::string_view{std::to_string(number)}); }

  const Clock& clock_;
  const bool keeps_text_;
  std::uint64_t hash_ = 14695981039346656037ULL;
  std::vector<Line> lines_;
};

}  // namespace midplane::worlds
