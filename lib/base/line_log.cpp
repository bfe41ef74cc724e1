#include "base/line_log.hpp"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <new>

namespace midplane::inline v0 {

namespace base {

std::string log_line(const LogRecord& record, std::chrono::milliseconds when) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(when);
  const std::time_t time = seconds.count();
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  std::array<char, 32> date{};
  const std::size_t written = std::strftime(date.data(), date.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::array<char, 8> fraction{};
  std::snprintf(fraction.data(), fraction.size(), ".%03dZ", static_cast<int>((when - seconds).count()));

  std::string line{date.data(), written};
  line.append(fraction.data()).append(" ").append(name_of(record.level)).append(" ").append(record.code);
  line.append(": ").append(record.message);
  if (!record.action.empty()) line.append("; ").append(record.action);
  for (std::size_t i = 0; i < record.fields.size(); ++i)
    line.append(i == 0 ? " (" : " ").append(record.fields[i].key).append("=").append(record.fields[i].value);
  if (!record.fields.empty()) line.append(")");
  if (line.size() >= log_line_bytes_max) line.replace(log_line_bytes_max - 4, std::string::npos, "...");
  return line.append("\n");
}

}  // namespace base

namespace {

class StderrLog final : public LogSink {
 public:
  explicit StderrLog(LogLevel least) noexcept : least_{least} {}
  void log(const LogRecord& record) noexcept override try {
    if (record.level < least_) return;
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const std::string line = base::log_line(record, std::chrono::duration_cast<std::chrono::milliseconds>(now));
    // In one call, so that lines of several threads do not mix.
    while (::write(STDERR_FILENO, line.data(), line.size()) < 0 && errno == EINTR) {
    }
  } catch (const std::bad_alloc&) {
    // As the contract says, the line is lost; the bus goes on.
  }

 private:
  LogLevel least_;
};

}  // namespace

std::shared_ptr<LogSink> stderr_log(LogLevel least) { return std::make_shared<StderrLog>(least); }

}  // namespace midplane::inline v0
