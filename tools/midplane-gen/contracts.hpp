#pragma once
/// What a schema says to Midplane: its tables, and its rpc_services read as topics and services.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "schema/scalars.hpp"
#include "schema/schema.hpp"

namespace midplane::gen {

/// A topic (reply is midplane.Topic) or a service; attributes that are absent keep the library's defaults.
struct Contract {
  bool is_topic = false;
  std::string cpp_name;  ///< of the constant or function
  std::string name;      ///< on the bus; `*` stands for what the caller fills in
  std::size_t holes = 0; ///< how many `*`
  std::string request;   ///< full names in the schema; of a topic the payload is the request
  std::string reply;
  std::optional<std::string> overflow;
  std::optional<std::uint64_t> queue;
  std::optional<std::uint64_t> queue_bytes;
  std::optional<std::uint64_t> timeout_ms;
  bool retain = false;
  bool idempotent = false;
  bool streaming = false;
};

/// One rpc_service: a namespace of contracts.
struct Group {
  std::string cpp_namespace;  ///< `hostwatch::host_watch`
  std::string full_name;
  std::vector<Contract> contracts;
};

struct Contracts {
  std::vector<const reflection::Object*> tables;
  std::vector<Group> groups;
  std::vector<std::string> warnings;
  std::vector<std::string> includes;  ///< stems of the schemas included directly, without midplane.fbs
};

using schema::view_of;

inline constexpr std::string_view topic_marker = "midplane.Topic";

/// What `schema` itself declares, without what it includes, as far as the .bfbs says which is which. `file` is for
/// messages, `stem` tells which of the .bfbs's files it is. Stops with `bad_input` at the first thing that is wrong.
[[nodiscard]] Contracts read_contracts(const schema::Schema& schema, const std::string& file, const std::string& stem);

}  // namespace midplane::gen
