#include "golden/meaning.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <optional>

namespace midplane::test::golden {
namespace {

using wire::RecordType;

std::uint64_t number(const Tree& from, const std::string& name, std::uint64_t otherwise = 0) {
  const auto text = from.get_optional<std::string>(name);
  return text ? std::stoull(*text, nullptr, 0) : otherwise;
}
template <class T>
T narrow(const Tree& from, const std::string& name, std::uint64_t otherwise = 0) {
  return static_cast<T>(number(from, name, otherwise));
}
std::string text(const Tree& from, const std::string& name) { return from.get<std::string>(name, ""); }
wire::FarType type(const Tree& from, const std::string& prefix) {
  const std::string name = prefix.empty() ? "type" : prefix + "_type";
  const std::string fingerprint = prefix.empty() ? "fingerprint" : prefix + "_fingerprint";
  return {text(from, name), number(from, fingerprint)};
}

RecordType type_of(const Tree& record) {
  const auto found = std::find(std::begin(type_names), std::end(type_names), text(record, "type"));
  REQUIRE(found != std::end(type_names));
  return static_cast<RecordType>(found - std::begin(type_names));
}

wire::Hello hello_of(const Tree& body) {
  return {text(body, "bus"),
          narrow<std::uint16_t>(body, "version_min"),
          narrow<std::uint16_t>(body, "version_max"),
          number(body, "frame_bytes_max"),
          narrow<std::uint32_t>(body, "requests_max"),
          narrow<std::int64_t>(body, "heartbeat"),
          number(body, "window_bytes"),
          narrow<std::uint32_t>(body, "window_records"),
          narrow<std::int64_t>(body, "away_keep")};
}
wire::NameBody name_of(const Tree& body) {
  return {narrow<std::uint32_t>(body, "id"), body.get<bool>("service"), text(body, "text"), type(body, ""),
          number(body, "next_number"), number(body, "series")};
}
wire::SubscribeBody subscribe_of(const Tree& body) {
  wire::SubscribeBody made{
      narrow<std::uint32_t>(body, "id"), text(body, "pattern"), type(body, ""), {}, text(body, "group")};
  made.queue.messages = number(body, "messages");
  made.queue.bytes = number(body, "bytes");
  made.queue.overflow = narrow<Overflow>(body, "overflow");
  return made;
}
wire::ServeBody serve_of(const Tree& body) {
  wire::ServeBody made;
  for (const Tree& one : children(body, "offered"))
    made.offered.push_back({text(one, "service"), type(one, "request"), type(one, "reply")});
  for (const Tree& one : children(body, "withdrawn")) made.withdrawn.push_back(one.data());
  return made;
}
std::vector<wire::LastNumberBody> heartbeat_of(const Tree& body) {
  std::vector<wire::LastNumberBody> made;
  for (const Tree& one : children(body, "last"))
    made.push_back({narrow<std::uint32_t>(one, "name"), number(one, "number")});
  return made;
}
wire::LoadReport load_of(const Tree& record) {
  const Tree load = record.get_child("load", Tree{});
  return {narrow<std::uint16_t>(load, "in_flight"),   narrow<std::uint16_t>(load, "queued"),
          narrow<std::uint16_t>(load, "queue_wait"),  narrow<std::uint16_t>(load, "service_time"),
          narrow<std::uint8_t>(load, "utilisation"),  narrow<std::uint8_t>(load, "admission"),
          narrow<std::uint8_t>(load, "flags"),        narrow<std::uint8_t>(load, "weight"),
          narrow<std::uint32_t>(load, "epoch")};
}
Headers headers_of(const Tree& from) {
  Headers headers;
  if (const auto trace = from.get_child_optional("trace")) {
    headers.trace.emplace();
    std::memcpy(headers.trace->trace_id.data(), bytes_of_hex(text(*trace, "trace_id")).data(), 16);
    std::memcpy(headers.trace->span_id.data(), bytes_of_hex(text(*trace, "span_id")).data(), 8);
    headers.trace->flags = narrow<std::byte>(*trace, "flags");
  }
  headers.priority = narrow<Priority>(from, "priority", 1);
  headers.tenant = text(from, "tenant");
  headers.routing_key = text(from, "routing_key");
  headers.idempotency_key = text(from, "idempotency_key");
  for (const Tree& one : children(from, "entries")) headers.entries.emplace_back(text(one, "name"), text(one, "value"));
  return headers;
}
wire::Meta meta_of(const Tree& from) {
  wire::Meta meta;
  if (const auto headers = from.get_child_optional("headers")) meta.headers = headers_of(*headers);
  for (const Tree& one : children(from, "groups")) meta.groups.push_back(one.data());
  if (const auto fragment = from.get_child_optional("fragment"))
    meta.fragment = wire::FragmentBody{number(*fragment, "total"), number(*fragment, "offset")};
  meta.remaining_ns = static_cast<std::int64_t>(number(from, "remaining", static_cast<std::uint64_t>(-1)));
  meta.subscription = narrow<std::uint32_t>(from, "subscription");
  meta.stream_items = narrow<std::uint32_t>(from, "stream_items");
  return meta;
}

std::vector<std::byte> payload_of(const Tree& record) {
  const auto body = record.get_child_optional("body");
  if (!body) return bytes_of_hex(text(record, "payload"));
  switch (type_of(record)) {
    case RecordType::hello: return wire::encode(hello_of(*body));
    case RecordType::names: return wire::encode(name_of(*body));
    case RecordType::subscribe: return wire::encode(subscribe_of(*body));
    case RecordType::serve: return wire::encode(serve_of(*body));
    case RecordType::heartbeat: return wire::encode(std::span<const wire::LastNumberBody>{heartbeat_of(*body)});
    default: break;
  }
  // All others have a Failure. The text of an error lives as long as the program, or here as the call.
  const std::string words = text(*body, "text");
  const Error error = Error{narrow<ErrorCode>(*body, "code"), narrow<Fate>(*body, "fate"), words.c_str()}.with_app_code(
      narrow<std::int32_t>(*body, "app_code"));
  const std::string detail = text(*body, "detail");
  return wire::encode(detail.empty() ? error : error.with(detail));
}

wire::FrameHead head_of(const Tree& head) {
  const std::string incarnation = text(head, "incarnation");
  return {wire::wire_version,
          {std::stoull(incarnation.substr(0, 16), nullptr, 16), std::stoull(incarnation.substr(16), nullptr, 16)},
          number(head, "epoch"),
          head.get<bool>("wants_grant", false),
          narrow<std::uint16_t>(head, "number")};
}

void check_type(const wire::FarType& read, const wire::FarType& meant) {
  CHECK(read.name == meant.name);
  CHECK(read.fingerprint == meant.fingerprint);
}

void check_failure(const Error& read, const Tree& body) {
  CHECK(read.code() == narrow<ErrorCode>(body, "code"));
  CHECK(read.fate() == narrow<Fate>(body, "fate"));
  CHECK(read.app_code() == narrow<std::int32_t>(body, "app_code"));
  const std::string detail = text(body, "detail");
  // An app_error has the same static text everywhere; other texts are told in front of the detail.
  const bool is_own = read.code() == ErrorCode::app_error;
  CHECK(read.detail() == (is_own ? detail : text(body, "text") + (detail.empty() ? "" : ": " + detail)));
}

template <class T>
const T& there(const std::optional<T>& value) {
  REQUIRE(value);
  return *value;
}

void check_body(const wire::Record& record, const Tree& body) {
  switch (record.type) {
    case RecordType::hello: {
      const auto read = there(wire::decode_hello(record.payload));
      const auto meant = hello_of(body);
      CHECK(read.bus == meant.bus);
      CHECK(read.version_min == meant.version_min);
      CHECK(read.version_max == meant.version_max);
      CHECK(read.frame_bytes_max == meant.frame_bytes_max);
      CHECK(read.requests_max == meant.requests_max);
      CHECK(read.heartbeat_ns == meant.heartbeat_ns);
      CHECK(read.window_bytes == meant.window_bytes);
      CHECK(read.window_records == meant.window_records);
      CHECK(read.away_keep_ns == meant.away_keep_ns);
      return;
    }
    case RecordType::names: {
      const auto read = there(wire::decode_names(record.payload));
      const auto meant = name_of(body);
      REQUIRE(read.size() == 1);
      CHECK(read[0].id == meant.id);
      CHECK(read[0].service == meant.service);
      CHECK(read[0].text == meant.text);
      check_type(read[0].type, meant.type);
      CHECK(read[0].next_number == meant.next_number);
      CHECK(read[0].series == meant.series);
      return;
    }
    case RecordType::subscribe: {
      const auto read = there(wire::decode_subscribe(record.payload));
      const auto meant = subscribe_of(body);
      CHECK(read.id == meant.id);
      CHECK(read.pattern == meant.pattern);
      check_type(read.type, meant.type);
      CHECK(read.queue.overflow == meant.queue.overflow);
      CHECK(read.queue.messages == meant.queue.messages);
      CHECK(read.queue.bytes == meant.queue.bytes);
      CHECK(read.group == meant.group);
      return;
    }
    case RecordType::serve: {
      const auto read = there(wire::decode_serve(record.payload));
      const auto meant = serve_of(body);
      REQUIRE(read.offered.size() == meant.offered.size());
      for (std::size_t i = 0; i < meant.offered.size(); ++i) {
        CHECK(read.offered[i].service == meant.offered[i].service);
        check_type(read.offered[i].request, meant.offered[i].request);
        check_type(read.offered[i].reply, meant.offered[i].reply);
      }
      CHECK(read.withdrawn == meant.withdrawn);
      return;
    }
    case RecordType::heartbeat: {
      const auto read = there(wire::decode_heartbeat(record.payload));
      const auto meant = heartbeat_of(body);
      REQUIRE(read.size() == meant.size());
      for (std::size_t i = 0; i < meant.size(); ++i) {
        CHECK(read[i].name == meant[i].name);
        CHECK(read[i].number == meant[i].number);
      }
      return;
    }
    default: check_failure(there(wire::decode_failure(record.payload)), body);
  }
}

void check_meta(const wire::Record& record, const Tree& from) {
  const auto read = there(wire::decode_meta(record.meta));
  const auto meant = meta_of(from);
  CHECK(read.headers == meant.headers);
  CHECK(read.groups == meant.groups);
  REQUIRE(read.fragment.has_value() == meant.fragment.has_value());
  if (meant.fragment) {
    CHECK(read.fragment->total == meant.fragment->total);
    CHECK(read.fragment->offset == meant.fragment->offset);
  }
  CHECK(read.remaining_ns == meant.remaining_ns);
  CHECK(read.subscription == meant.subscription);
  CHECK(read.stream_items == meant.stream_items);
}

}  // namespace

std::vector<Tree> children(const Tree& of, const std::string& name) {
  std::vector<Tree> all;
  if (const auto list = of.get_child_optional(name)) {
    for (const auto& [key, child] : *list) all.push_back(child);
  }
  return all;
}

std::string hex_of(std::span<const std::byte> bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string hex;
  for (const std::byte one : bytes) {
    hex += digits[std::to_integer<unsigned>(one) >> 4];
    hex += digits[std::to_integer<unsigned>(one) & 15];
  }
  return hex;
}

std::vector<std::byte> bytes_of_hex(std::string_view hex) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<std::byte>(std::stoi(std::string{hex.substr(i, 2)}, nullptr, 16)));
  return bytes;
}

std::vector<std::byte> build(const Tree& frame) {
  wire::FrameBuilder builder;
  builder.begin();
  for (const Tree& record : children(frame, "records")) {
    const auto payload = payload_of(record);
    wire::Body meta;
    if (const auto fields = record.get_child_optional("meta")) {
      const wire::Meta meant = meta_of(*fields);
      const std::vector<std::string_view> groups(meant.groups.begin(), meant.groups.end());
      meta = wire::encode(wire::MetaFields{.headers = meant.headers ? &*meant.headers : nullptr,
                                           .groups = groups,
                                           .fragment = meant.fragment ? &*meant.fragment : nullptr,
                                           .remaining_ns = meant.remaining_ns,
                                           .subscription = meant.subscription,
                                           .stream_items = meant.stream_items});
    }
    REQUIRE(builder.add({.type = type_of(record),
                         .flags = narrow<std::uint8_t>(record, "flags"),
                         .name = narrow<std::uint32_t>(record, "name"),
                         .number = narrow<std::uint32_t>(record, "number"),
                         .mark = number(record, "mark"),
                         .payload = payload,
                         .meta = meta,
                         .load = load_of(record)}));
  }
  const auto bytes = builder.finish(head_of(frame.get_child("head")));
  return {bytes.begin(), bytes.end()};
}

void check_read(const Tree& frame, std::span<const std::byte> bytes) {
  wire::FrameReader reader;
  REQUIRE(reader.open(bytes) == wire::FrameFault::none);
  const wire::FrameHead head = head_of(frame.get_child("head"));
  CHECK(reader.head().version == head.version);
  CHECK(reader.head().incarnation == head.incarnation);
  CHECK(reader.head().epoch == head.epoch);
  CHECK(reader.head().wants_grant == head.wants_grant);
  CHECK(reader.head().number == head.number);
  wire::Record read;
  for (const Tree& record : children(frame, "records")) {
    REQUIRE(reader.next(read));
    CHECK(read.type == type_of(record));
    CHECK(read.flags == narrow<std::uint8_t>(record, "flags"));
    CHECK(read.name == narrow<std::uint32_t>(record, "name"));
    CHECK(read.number == narrow<std::uint32_t>(record, "number"));
    CHECK(read.mark == number(record, "mark"));
    const wire::LoadReport load = load_of(record);
    CHECK(std::memcmp(&read.load, &load, sizeof load) == 0);
    CHECK((read.payload.data() - bytes.data()) % 16 == 0);
    const auto body = record.get_child_optional("body");
    if (body) check_body(read, *body);
    else CHECK(hex_of(read.payload) == text(record, "payload"));
    const auto meta = record.get_child_optional("meta");
    REQUIRE(read.meta.empty() != meta.has_value());
    if (meta) check_meta(read, *meta);
  }
  CHECK_FALSE(reader.next(read));
}

}  // namespace midplane::test::golden
