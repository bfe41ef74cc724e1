#pragma once
/// The right to listen at one path: libzmq unlinks what is there, so a second live listener would silently take over.

#include <string>
#include <utility>

#include "zmq/descriptors.hpp"

namespace midplane::inline v0::zmq {

/// Holds `path.lock` while it lives; then removes the socket file and the lock. After `kill -9` both files stay, but
/// the lock does not: the next listener takes them over.
class IpcClaim {
 public:
  [[nodiscard]] static Result<IpcClaim> take(const std::string& path);

  IpcClaim() noexcept = default;
  IpcClaim(IpcClaim&&) noexcept = default;
  IpcClaim& operator=(IpcClaim&& other) noexcept;
  ~IpcClaim() { release(); }

  void release() noexcept;

 private:
  IpcClaim(std::string path, std::string lock_path, Descriptor lock) noexcept
      : path_{std::move(path)}, lock_path_{std::move(lock_path)}, lock_{std::move(lock)} {}

  std::string path_;
  std::string lock_path_;
  Descriptor lock_;
};

}  // namespace midplane::inline v0::zmq
