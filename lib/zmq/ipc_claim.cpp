#include "zmq/ipc_claim.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "zmq/system_error.hpp"

namespace midplane::inline v0::zmq {
namespace {

/// False when the lock's former owner has removed the file between our open and our lock.
bool is_still_there(const Descriptor& lock, const std::string& path) {
  struct stat held {};
  struct stat named {};
  return ::fstat(lock.get(), &held) == 0 && ::stat(path.c_str(), &named) == 0 && held.st_ino == named.st_ino &&
         held.st_dev == named.st_dev;
}

}  // namespace

Result<IpcClaim> IpcClaim::take(const std::string& path) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) == 0 && !S_ISSOCK(found.st_mode))
    return Error{ErrorCode::transport_failed, "this path is in use by a file that is no socket"}.with(path);
  const std::string lock_path = path + ".lock";
  while (true) {
    Descriptor lock{::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (!lock)
      return system_error("the lock beside the Unix socket can not be made; does its directory exist and belong to you?",
                          errno, lock_path);
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EINTR) continue;
      if (errno != EWOULDBLOCK) return system_error("the lock beside the Unix socket can not be taken", errno, lock_path);
      return Error{ErrorCode::transport_failed, "somebody listens at this path already"}.with(path);
    }
    if (is_still_there(lock, lock_path)) return IpcClaim{path, lock_path, std::move(lock)};
  }
}

IpcClaim& IpcClaim::operator=(IpcClaim&& other) noexcept {
  path_.swap(other.path_);
  lock_path_.swap(other.lock_path_);
  std::swap(lock_, other.lock_);
  return *this;
}

void IpcClaim::release() noexcept {
  if (!lock_) return;
  ::unlink(path_.c_str());
  // Before the lock is let go: nobody else can have made this file theirs yet.
  ::unlink(lock_path_.c_str());
  lock_.reset();
}

}  // namespace midplane::inline v0::zmq
