#include "table.hpp"

#include <cstdio>

namespace hostwatch {
namespace {

std::string lost_text(const TopicResult& result) {
  std::string text;
  for (const auto& [reason, count] : result.lost) {
    if (!text.empty()) text += ", ";
    text += std::to_string(count) + " " + reason;
  }
  return text.empty() ? "0" : text;
}

std::string quoted(std::string_view text) {
  std::string json{"\""};
  for (const char c : text) {
    if (c == '"' || c == '\\') json += '\\';
    json += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return json + '"';
}

std::string numbers(const Moment& moment) {
  if (moment.first == 0) return "an unknown number";
  return std::to_string(moment.last - moment.first + 1) + " (" + std::to_string(moment.first) + " to " + std::to_string(moment.last) + ")";
}

}  // namespace

std::vector<TopicResult> by_agent(const std::vector<TopicResult>& results) {
  std::vector<TopicResult> lines;
  std::map<std::pair<std::string, unsigned>, std::size_t> found;
  for (const TopicResult& result : results) {
    const std::string host = host_of(result.topic);
    const auto [at, is_new] = found.try_emplace({host, result.run}, lines.size());
    if (is_new) lines.emplace_back();
    TopicResult& line = lines[at->second];
    line.topic = "host." + host + ".*";
    line.path = result.path;
    line.run = result.run;
    line.offered += result.offered;
    line.delivered += result.delivered;
    line.missing += result.missing;
    line.duplicates += result.duplicates;
    for (const auto& [reason, count] : result.lost) line.lost[reason] += count;
    line.latencies_us.insert(line.latencies_us.end(), result.latencies_us.begin(), result.latencies_us.end());
  }
  return lines;
}

std::string as_table(const std::vector<TopicResult>& results) {
  std::size_t widest = 5;
  for (const TopicResult& result : results) widest = std::max(widest, result.topic.size());
  const int width = static_cast<int>(widest);
  char line[512];
  std::snprintf(line, sizeof line, "%-*s  %3s  %-10s  %8s  %9s  %9s  %9s  %s\n", width, "topic", "run", "path", "offered",
                "delivered", "p50 us", "p99 us", "lost");
  std::string table{line};
  for (const TopicResult& result : results) {
    std::snprintf(line, sizeof line, "%-*s  %3u  %-10s  %8llu  %9llu  %9.1f  %9.1f  %s%s\n", width, result.topic.c_str(),
                  result.run, result.path.c_str(), static_cast<unsigned long long>(result.offered),
                  static_cast<unsigned long long>(result.delivered), result.latency_us(0.5), result.latency_us(0.99),
                  lost_text(result).c_str(), result.adds_up() ? "" : "   <- does not add up");
    table += line;
  }
  return table;
}

std::string as_table(const std::vector<Moment>& timeline) {
  std::string table;
  char line[512];
  for (const Moment& moment : timeline) {
    const std::string detail = moment.what == "gap" ? moment.detail + ": " + numbers(moment) : moment.detail;
    std::snprintf(line, sizeof line, "%7.3f s  %-8s  %-19s  %s\n", moment.at_s, moment.host.c_str(), moment.what.c_str(),
                  detail.c_str());
    table += line;
  }
  return table;
}

std::string as_json(const std::vector<TopicResult>& results) {
  std::string json{"["};
  char numbers[128];
  for (const TopicResult& result : results) {
    if (json.size() > 1) json += ",";
    json += "{\"topic\":" + quoted(result.topic) + ",\"type\":" + quoted(result.type) + ",\"path\":" + quoted(result.path);
    json += ",\"run\":" + std::to_string(result.run) + ",\"offered\":" + std::to_string(result.offered);
    json += ",\"delivered\":" + std::to_string(result.delivered) + ",\"missing\":" + std::to_string(result.missing);
    std::snprintf(numbers, sizeof numbers, ",\"duplicates\":%llu,\"p50_us\":%.1f,\"p99_us\":%.1f",
                  static_cast<unsigned long long>(result.duplicates), result.latency_us(0.5), result.latency_us(0.99));
    json += numbers;
    json += ",\"lost\":{";
    bool first = true;
    for (const auto& [reason, count] : result.lost) {
      json += (first ? "" : ",") + quoted(reason) + ":" + std::to_string(count);
      first = false;
    }
    json += std::string{"},\"adds_up\":"} + (result.adds_up() ? "true" : "false") + "}";
  }
  return json + "]";
}

std::string as_json(const std::vector<Moment>& timeline) {
  std::string json{"["};
  char at[32];
  for (const Moment& moment : timeline) {
    if (json.size() > 1) json += ",";
    std::snprintf(at, sizeof at, "%.3f", moment.at_s);
    json += std::string{"{\"at_s\":"} + at + ",\"host\":" + quoted(moment.host) + ",\"what\":" + quoted(moment.what);
    json += ",\"detail\":" + quoted(moment.detail) + ",\"first\":" + std::to_string(moment.first);
    json += ",\"last\":" + std::to_string(moment.last) + "}";
  }
  return json + "]";
}

}  // namespace hostwatch
