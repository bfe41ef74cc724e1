#pragma once
/// A second process: this program again, in a role, with a pair of pipes between the two.

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace midplane::bench {

/// The parent's end. Its destructor closes the pipe, at which a child in `serve_runs` ends, and waits for it.
class Child {
 public:
  /// Starts `program --role WORDS...` with the cores that this program was started with.
  explicit Child(const std::vector<std::string>& words);
  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;
  ~Child();

  template <class T>
  void tell(const T& what) const {
    write_whole(out_, &what, sizeof what);
  }
  /// Ends the program when the child has ended.
  template <class T>
  [[nodiscard]] T hear() const {
    T what;
    read_whole(in_, &what, sizeof what);
    return what;
  }

 private:
  static void write_whole(int to, const void* what, std::size_t bytes);
  static void read_whole(int from, void* what, std::size_t bytes);

  pid_t pid_ = 0;
  int in_ = -1, out_ = -1;
};

/// The words behind `--role` of a program that was started as a child.
[[nodiscard]] std::optional<std::vector<std::string>> role_of(int argc, char** argv);

}  // namespace midplane::bench
