#include "log.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace hostwatch {

using midplane::Streamed;

midplane::Result<Log> Log::open(const std::string& path) {
  std::ofstream file{path, std::ios::app};
  if (!file)
    return midplane::Error{midplane::ErrorCode::transport_failed, "the log can not be written"}.with(path + ": " + std::strerror(errno));
  return Log{std::move(file)};
}

void Log::write(std::string_view line) {
  file_ << std::string{line} + "\n";
  file_.flush();
}

Tail::Tail(const std::string& path, midplane::Request<LogQuery> asked, midplane::StreamResponder<LogLine> out)
    : file_{path}, asked_{std::move(asked)}, out_{std::move(out)} {
  const auto begin = std::istreambuf_iterator<char>{file_};
  const auto lines = static_cast<std::uint64_t>(std::count(begin, {}, '\n'));
  file_.clear();
  file_.seekg(0);
  while (lines - line_.number > asked_->last() && read_line()) held_ = false;
}

bool Tail::go_on() {
  std::unique_lock lock{mutex_};
  if (asked_.cancelled()) over_ = true;
  if (waiting_) return !over_;
  while (!over_ && (held_ || read_line())) {
    const auto sent = out_.send(line_);
    if (sent && *sent == Streamed::no_credit) {
      waiting_ = true;
      lock.unlock();  // `writable` may call at once
      out_.writable([self = shared_from_this()] {
        const std::lock_guard relock{self->mutex_};
        self->waiting_ = false;  // the next `go_on` sends; from here it could call itself again and again
      });
      return true;
    }
    held_ = false;
    over_ = !sent || *sent == Streamed::gone;
  }
  if (!over_ && !asked_->follow()) {
    over_ = true;
    static_cast<void>(out_.finish());
  }
  return !over_;
}

bool Tail::read_line() {
  const auto begin = file_.tellg();
  held_ = std::getline(file_, line_.text) && !file_.eof();
  if (held_) {
    ++line_.number;
  } else {
    file_.clear();  // a line without its end is read again when it is whole
    file_.seekg(begin);
  }
  return held_;
}

}  // namespace hostwatch
