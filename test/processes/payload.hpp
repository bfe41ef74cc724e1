#pragma once
/// What travels in the tests of processes: who sent it and which one it is, and a sum over every byte.

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

namespace midplane::test {

struct Told {
  std::uint64_t run = 0;
  std::uint64_t id = 0;
  std::uint64_t hold = 0;  ///< a request that is not to be answered
};

inline std::uint64_t sum_of(std::span<const std::byte> bytes) {
  std::uint64_t sum = 0xcbf29ce484222325ULL;
  for (const std::byte byte : bytes) sum = (sum ^ static_cast<std::uint64_t>(byte)) * 0x100000001b3ULL;
  return sum;
}

/// Of `size` bytes, at least 32.
inline std::vector<std::byte> payload_of(const Told& told, std::size_t size) {
  std::vector<std::byte> bytes(std::max<std::size_t>(size, sizeof told + sizeof(std::uint64_t)));
  for (std::size_t i = sizeof told; i != bytes.size(); ++i) bytes[i] = static_cast<std::byte>(told.id * 7 + i * 13);
  std::memcpy(bytes.data(), &told, sizeof told);
  const std::size_t summed = bytes.size() - sizeof(std::uint64_t);
  const std::uint64_t sum = sum_of(std::span{bytes}.first(summed));
  std::memcpy(bytes.data() + summed, &sum, sizeof sum);
  return bytes;
}

/// Empty when any bit is wrong.
inline std::optional<Told> read_payload(std::span<const std::byte> bytes) {
  Told told;
  std::uint64_t sum = 0;
  if (bytes.size() < sizeof told + sizeof sum) return std::nullopt;
  const std::size_t summed = bytes.size() - sizeof sum;
  std::memcpy(&sum, bytes.data() + summed, sizeof sum);
  if (sum != sum_of(bytes.first(summed))) return std::nullopt;
  std::memcpy(&told, bytes.data(), sizeof told);
  return told;
}

}  // namespace midplane::test
