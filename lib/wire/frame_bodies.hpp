#pragma once
/// The tables inside frames: payloads of control records, and the rare fields of any record. Encoding gives bytes;
/// decoding verifies first and copies out, so nothing points into a stranger's frame. Without memory, or when the bytes
/// are not valid, the answer is empty.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <midplane/headers.hpp>
#include <midplane/options.hpp>
#include <midplane/result.hpp>

#include "wire/frame.hpp"

namespace midplane::inline v0::wire {

using Body = std::vector<std::byte>;

struct Hello {
  std::string bus;
  std::uint16_t version_min = wire_version_min;
  std::uint16_t version_max = wire_version;
  std::uint64_t frame_bytes_max = 0;
  std::uint32_t requests_max = 0;
  std::int64_t heartbeat_ns = 0;
  std::uint64_t window_bytes = 0;
  std::uint32_t window_records = 0;
  std::int64_t away_keep_ns = 0;
};

/// A payload type as the other side names it.
struct FarType {
  std::string name;
  std::uint64_t fingerprint = 0;
};

struct NameBody {
  std::uint32_t id = 0;
  bool service = false;
  std::string text;
  FarType type;
  std::uint64_t next_number = 1;
  std::uint64_t series = 0;
};

struct SubscribeBody {
  std::uint32_t id = 0;
  std::string pattern;
  FarType type;
  Queue queue;
  std::string group;
};

struct OfferedBody {
  std::string service;
  FarType request;
  FarType reply;
};

struct ServeBody {
  std::vector<OfferedBody> offered;
  std::vector<std::string> withdrawn;
};

struct LastNumberBody {
  std::uint32_t name = 0;
  std::uint64_t number = 0;
};

struct FragmentBody {
  std::uint64_t total = 0;
  std::uint64_t offset = 0;
};

/// Rare fields. `remaining_ns` below zero: no limit.
struct Meta {
  std::optional<Headers> headers{};
  std::vector<std::string> groups{};
  std::optional<FragmentBody> fragment{};
  std::int64_t remaining_ns = -1;
  std::uint32_t subscription = 0;  ///< a retained message: whom it is for
  std::uint32_t stream_items = 0;  ///< a request: its answer is a stream
};

/// The same, as a sender has it.
struct MetaFields {
  const Headers* headers = nullptr;
  std::span<const std::string_view> groups{};
  const FragmentBody* fragment = nullptr;
  std::int64_t remaining_ns = -1;
  std::uint32_t subscription = 0;
  std::uint32_t stream_items = 0;
  [[nodiscard]] bool any() const noexcept {
    return headers || !groups.empty() || fragment || remaining_ns >= 0 || subscription != 0 || stream_items != 0;
  }
};

[[nodiscard]] Body encode(const Hello& hello) noexcept;
[[nodiscard]] Body encode(const NameBody& name) noexcept;
[[nodiscard]] Body encode(const SubscribeBody& subscribe) noexcept;
[[nodiscard]] Body encode(const ServeBody& serve) noexcept;
[[nodiscard]] Body encode(const Error& failure) noexcept;
[[nodiscard]] Body encode(std::span<const LastNumberBody> heartbeat) noexcept;
[[nodiscard]] Body encode(const MetaFields& meta) noexcept;

[[nodiscard]] std::optional<Hello> decode_hello(std::span<const std::byte> body) noexcept;
[[nodiscard]] std::optional<std::vector<NameBody>> decode_names(std::span<const std::byte> body) noexcept;
[[nodiscard]] std::optional<SubscribeBody> decode_subscribe(std::span<const std::byte> body) noexcept;
[[nodiscard]] std::optional<ServeBody> decode_serve(std::span<const std::byte> body) noexcept;
/// The sender's words stand in the detail: texts of errors are static here.
[[nodiscard]] std::optional<Error> decode_failure(std::span<const std::byte> body) noexcept;
[[nodiscard]] std::optional<std::vector<LastNumberBody>> decode_heartbeat(std::span<const std::byte> body) noexcept;
[[nodiscard]] std::optional<Meta> decode_meta(std::span<const std::byte> meta) noexcept;

}  // namespace midplane::inline v0::wire
