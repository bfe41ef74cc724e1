#include <cinttypes>
#include <cstdio>

#include <midplane/stats.hpp>

namespace midplane::inline v0 {
namespace {

void put(std::string& json, const char* key, std::uint64_t value) {
  json.append("\"").append(key).append("\":").append(std::to_string(value)).append(",");
}

void put(std::string& json, const char* key, std::string_view text) {
  json.append("\"").append(key).append("\":\"");
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') json.push_back('\\');
    if (byte >= 0x20 && byte < 0x7f) {
      json.push_back(c);
    } else {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", byte);
      json.append(escaped);
    }
  }
  json.append("\",");
}

void close_object(std::string& json) {
  if (json.back() == ',') json.pop_back();
  json.append("},");
}

void close_list(std::string& json) {
  if (json.back() == ',') json.pop_back();
  json.append("],");
}

}  // namespace

std::string_view name_of(DropReason reason) noexcept {
  switch (reason) {
    case DropReason::queue_full_newest: return "queue_full_newest";
    case DropReason::queue_full_oldest: return "queue_full_oldest";
    case DropReason::conflated: return "conflated";
    case DropReason::expired: return "expired";
    case DropReason::handler_failed: return "handler_failed";
    case DropReason::unsubscribed: return "unsubscribed";
    case DropReason::closed: return "closed";
    case DropReason::too_large: return "too_large";
    case DropReason::malformed: return "malformed";
    case DropReason::schema_mismatch: return "schema_mismatch";
    case DropReason::unauthorised: return "unauthorised";
    case DropReason::no_memory: return "no_memory";
    case DropReason::link_lost: return "link_lost";
  }
  return "unknown";
}

std::uint64_t Drops::total() const noexcept {
  std::uint64_t sum = 0;
  for (const std::uint64_t count : by_reason) sum += count;
  return sum;
}

std::string Drops::text() const {
  std::string text;
  for (std::size_t i = 0; i < drop_reasons; ++i) {
    if (by_reason[i] == 0) continue;
    text.append(text.empty() ? "" : ", ").append(name_of(static_cast<DropReason>(i))).append(" ").append(std::to_string(by_reason[i]));
  }
  return text.empty() ? "none" : text;
}

const SinkStats* Stats::find_sink(std::string_view name) const noexcept {
  for (const SinkStats& sink : sinks) {
    if (sink.name == name) return &sink;
  }
  return nullptr;
}

std::string Stats::to_json() const {
  std::string json{"{"};
  put(json, "bus", bus);
  put(json, "incarnation", incarnation);
  put(json, "requests_sent", requests_sent);
  put(json, "requests_pending", requests_pending);
  put(json, "requests_ok", requests_ok);
  put(json, "requests_failed", requests_failed);
  put(json, "payload_memory_bytes", payload_memory_bytes);
  put(json, "payload_memory_bytes_max", payload_memory_bytes_max);
  put(json, "handler_exceptions", handler_exceptions);
  json.append("\"topics\":[");
  for (const TopicStats& topic : topics) {
    json.append("{");
    put(json, "name", topic.name);
    put(json, "type", topic.type);
    put(json, "published", topic.published);
    put(json, "payload_bytes", topic.payload_bytes);
    close_object(json);
  }
  close_list(json);
  json.append("\"sinks\":[");
  for (const SinkStats& sink : sinks) {
    json.append("{");
    put(json, "name", sink.name);
    put(json, "kind", sink.kind);
    put(json, "peer", sink.peer);
    put(json, "offered", sink.offered);
    put(json, "delivered", sink.delivered);
    put(json, "waiting", sink.waiting);
    put(json, "in_transit", sink.in_transit);
    put(json, "refused", sink.refused);
    put(json, "queue_messages_max", sink.queue_messages_max);
    put(json, "queue_bytes_max", sink.queue_bytes_max);
    json.append("\"dropped\":{");
    for (std::size_t i = 0; i < drop_reasons; ++i) {
      if (sink.dropped.by_reason[i] != 0)
        put(json, std::string{name_of(static_cast<DropReason>(i))}.c_str(), sink.dropped.by_reason[i]);
    }
    close_object(json);
    close_object(json);
  }
  close_list(json);
  close_object(json);
  json.pop_back();
  return json;
}

}  // namespace midplane::inline v0
