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

}  // namespace

std::string as_table(const std::vector<TopicResult>& results) {
  std::size_t topic_width = 5;
  std::size_t type_width = 4;
  for (const TopicResult& result : results) {
    topic_width = std::max(topic_width, result.topic.size());
    type_width = std::max(type_width, result.type.size());
  }
  const int topic = static_cast<int>(topic_width);
  const int type = static_cast<int>(type_width);
  char line[512];
  std::snprintf(line, sizeof line, "%-*s  %-*s  %-10s  %8s  %9s  %9s  %9s  %s\n", topic, "topic", type, "type", "path",
                "offered", "delivered", "p50 us", "p99 us", "lost");
  std::string table{line};
  for (const TopicResult& result : results) {
    std::snprintf(line, sizeof line, "%-*s  %-*s  %-10s  %8llu  %9llu  %9.1f  %9.1f  %s%s\n", topic, result.topic.c_str(),
                  type, result.type.c_str(), result.path.c_str(), static_cast<unsigned long long>(result.offered),
                  static_cast<unsigned long long>(result.delivered), result.p50_us, result.p99_us,
                  lost_text(result).c_str(), result.adds_up() ? "" : "   <- does not add up");
    table += line;
  }
  return table;
}

std::string as_json(const std::vector<TopicResult>& results) {
  std::string json{"["};
  char numbers[128];
  for (const TopicResult& result : results) {
    if (json.size() > 1) json += ",";
    json += "{\"topic\":\"" + result.topic + "\",\"type\":\"" + result.type + "\",\"path\":\"" + result.path + "\"";
    json += ",\"offered\":" + std::to_string(result.offered) + ",\"delivered\":" + std::to_string(result.delivered);
    json += ",\"missing\":" + std::to_string(result.missing) + ",\"duplicates\":" + std::to_string(result.duplicates);
    std::snprintf(numbers, sizeof numbers, ",\"p50_us\":%.1f,\"p99_us\":%.1f", result.p50_us, result.p99_us);
    json += numbers;
    json += ",\"lost\":{";
    bool first = true;
    for (const auto& [reason, count] : result.lost) {
      json += (first ? "\"" : ",\"") + reason + "\":" + std::to_string(count);
      first = false;
    }
    json += std::string{"},\"adds_up\":"} + (result.adds_up() ? "true" : "false") + "}";
  }
  return json + "]";
}

}  // namespace hostwatch
