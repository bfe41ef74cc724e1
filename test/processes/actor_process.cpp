#include "processes/actor_process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace midplane::test {

std::int64_t now_ns() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

std::size_t Heard::count(std::string_view first, std::string_view second, std::size_t from) const {
  std::size_t found = 0;
  for (std::size_t i = from; i < lines.size(); ++i)
    found += second.empty() ? lines[i].is(first) : lines[i].is(first, second);
  return found;
}

const Line* Heard::find(std::string_view first, std::string_view second, std::size_t from) const {
  for (std::size_t i = from; i < lines.size(); ++i) {
    if (second.empty() ? lines[i].is(first) : lines[i].is(first, second)) return &lines[i];
  }
  return nullptr;
}

const Line* Heard::last(std::string_view first) const {
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    if (line->is(first)) return &*line;
  }
  return nullptr;
}

ActorProcess::ActorProcess(std::vector<std::string> arguments) {
  start(std::move(arguments));
  const Line ready = line("ready");
  if (ready.words.size() > 1) address_ = ready.words[1];
}

namespace {
/// A first argument `previous` or `stranger` chooses the build of another wire version.
std::string program_of(std::vector<std::string>& arguments) {
  std::string program = "process_actor";
  if (arguments.empty() || (arguments.front() != "previous" && arguments.front() != "stranger")) return program;
  program += '_' + arguments.front();
  arguments.erase(arguments.begin());
  return program;
}
}  // namespace

void ActorProcess::start(std::vector<std::string> arguments) {
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").parent_path() / program_of(arguments);
  arguments.insert(arguments.begin(), program);
  std::vector<char*> words;
  for (std::string& argument : arguments) words.push_back(argument.data());
  words.push_back(nullptr);
  int to_child[2];
  int from_child[2];
  if (::pipe2(to_child, O_CLOEXEC) != 0 || ::pipe2(from_child, O_CLOEXEC) != 0) return;
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) {
    // Between fork and exec of a program with threads only calls that are safe in signals.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(3);
    ::dup2(to_child[0], STDIN_FILENO);
    ::dup2(from_child[1], STDOUT_FILENO);
    ::execv(program.c_str(), words.data());
    ::_exit(4);
  }
  ::close(to_child[0]);
  ::close(from_child[1]);
  in_ = to_child[1];
  reader_ = std::thread{[this, out = from_child[0]] { listen_to(out); }};
}

ActorProcess::~ActorProcess() {
  kill();
  ::close(in_);
  if (reader_.joinable()) reader_.join();
}

void ActorProcess::listen_to(int out) {
  std::string held;
  char bytes[65536];
  for (ssize_t count = 0; (count = ::read(out, bytes, sizeof bytes)) > 0;) {
    held.append(bytes, static_cast<std::size_t>(count));
    const std::lock_guard lock{mutex_};
    std::size_t at = 0;
    for (std::size_t end = 0; (end = held.find('\n', at)) != std::string::npos; at = end + 1)
      hear(held.substr(at, end - at));
    held.erase(0, at);
    changed_.notify_all();
  }
  ::close(out);
  const std::lock_guard lock{mutex_};
  heard_.ended = true;
  changed_.notify_all();
}

void ActorProcess::hear(const std::string& text) {
  std::istringstream words{text};
  Line line;
  words >> line.at;
  for (std::string word; words >> word;) line.words.push_back(word);
  if (line.is("delivered")) heard_.ledger.delivered(line.number(1), line.number(2), line.number(3), line.number(4));
  if (line.is("gap")) heard_.ledger.gap(line.number(1), line.number(2));
  if (line.is("event", "incarnation_changed")) heard_.ledger.incarnation_changed();
  heard_.lines.push_back(std::move(line));
}

void ActorProcess::say(const std::string& line) const {
  const std::string text = line + '\n';
  static_cast<void>(!::write(in_, text.data(), text.size()));
}

bool ActorProcess::until(const std::function<bool(const Heard&)>& done, std::chrono::milliseconds limit) {
  std::unique_lock lock{mutex_};
  changed_.wait_for(lock, limit, [&] { return heard_.ended || done(heard_); });
  return done(heard_);
}

Line ActorProcess::line(std::string_view first, std::string_view second, std::size_t from,
                        std::chrono::milliseconds limit) {
  Line found;
  static_cast<void>(until([&](const Heard& heard) {
    const Line* line = heard.find(first, second, from);
    if (line) found = *line;
    return line != nullptr;
  }, limit));
  return found;
}

bool ActorProcess::works(const std::string& command, std::string_view answer) {
  const std::size_t from = mark();
  say(command);
  return line(answer, {}, from).is(answer, "ok");
}

Heard ActorProcess::heard() const {
  const std::lock_guard lock{mutex_};
  return heard_;
}

std::size_t ActorProcess::mark() const {
  const std::lock_guard lock{mutex_};
  return heard_.lines.size();
}

Counters ActorProcess::stats(std::string_view kind, std::string_view name) {
  const std::size_t from = mark();
  say("stats");
  static_cast<void>(line("stats_end", {}, from));
  Counters sum;
  const Heard all = heard();
  for (std::size_t i = from; i < all.lines.size(); ++i) {
    const auto& words = all.lines[i].words;
    if (!all.lines[i].is("stats", kind) || words.size() < 3 || words[2] != name) continue;
    for (std::size_t word = 3; word < words.size(); ++word) {
      const std::size_t equals = words[word].find('=');
      sum[words[word].substr(0, equals)] += std::stoull(words[word].substr(equals + 1));
    }
  }
  return sum;
}

std::uint16_t ActorProcess::port() const {
  return static_cast<std::uint16_t>(std::stoul("0" + address_.substr(address_.rfind(':') + 1)));
}

std::uint64_t ActorProcess::resident_bytes() const {
  std::ifstream file{"/proc/" + std::to_string(pid_) + "/statm"};
  std::uint64_t size = 0, resident = 0;
  file >> size >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::int64_t ActorProcess::signal(int number) const {
  const std::int64_t at = now_ns();
  if (pid_ > 0) ::kill(pid_, number);
  return at;
}

std::int64_t ActorProcess::kill() {
  const std::int64_t at = signal(SIGKILL);
  if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
  return at;
}

}  // namespace midplane::test
