#pragma once
/// From the meaning of a golden frame, as frames.json has it, to bytes and back, with lib/wire. A body has the fields
/// of its table in wire.fbs; numbers are decimal, or `0x` and hexadecimal in quotes; payloads are hexadecimal.

#include <boost/property_tree/ptree.hpp>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "wire/frame.hpp"
#include "wire/frame_bodies.hpp"

namespace midplane::test::golden {

using Tree = boost::property_tree::ptree;

/// In the order of RecordType.
inline constexpr std::string_view type_names[] = {
    "none", "hello", "refused", "names", "subscribe", "subscribe_confirmed", "subscribe_refused", "unsubscribe",
    "serve", "heartbeat", "grant", "subscription_grant", "schema_wanted", "schema", "schema_refused", "joined",
    "message", "request", "reply", "failure", "cancel", "item", "item_grant", "finished"};

/// The elements of a list; none when it is absent.
std::vector<Tree> children(const Tree& of, const std::string& name);
std::string hex_of(std::span<const std::byte> bytes);
std::vector<std::byte> bytes_of_hex(std::string_view hex);

std::vector<std::byte> build(const Tree& frame);
/// Checks that reading the bytes gives the meaning.
void check_read(const Tree& frame, std::span<const std::byte> bytes);

}  // namespace midplane::test::golden
