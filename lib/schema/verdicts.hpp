#pragma once
/// Do a type of ours and one of a peer agree? Judged once for each pair of fingerprints, from the binary schema that the
/// peer sent; and the schemas known here, for whoever asks for them.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <midplane/result.hpp>
#include <midplane/schema.hpp>

#include "schema/schema.hpp"

namespace midplane::inline v0::schema {

/// Peers' schemas kept. A bus that talks to more types than that asks again for the ones that came first: more than a
/// large system has payload types.
inline constexpr std::size_t far_schemas_max = 4096;
/// All of them together: 16 of the largest, or 4096 of 4 KiB, which is what one file with a dozen tables takes.
inline constexpr std::size_t far_schemas_bytes_max = std::size_t{16} << 20;
/// Pairs judged: each far schema by two evolutions of ours. A refusal holds its detail: at most 8 MiB in all.
inline constexpr std::size_t verdicts_max = 8192;
/// Of a detail: two names of ordinary length and what each side says of one field; forged names are cut off.
inline constexpr std::size_t verdict_detail_bytes_max = 1024;

/// Any thread. What is judged and kept came from a schema that was verified and has the fingerprint it was asked for by:
/// a peer that lies spoils nothing for the others.
class Verdicts {
 public:
  /// Equal fingerprints agree, and raw bytes agree with everything. Otherwise the verdict, or nullopt when the far schema
  /// was never seen: ask the peer for it and `learn`.
  [[nodiscard]] std::optional<Result<void>> known(const TypeInfo& near, std::uint64_t far_fingerprint) const;
  /// Judges by the peer's own schema; one of the two types has to be a permitted evolution of the other. A verdict that is
  /// known already is answered without a look at the bytes. `schema_mismatch`: the detail names both types and the field,
  /// or says why the schema could not be read; the latter is not kept.
  [[nodiscard]] Result<void> learn(const TypeInfo& near, std::string_view far_type, std::uint64_t far_fingerprint,
                                   std::span<const std::byte> far_bfbs);

  /// A type of ours, which lives as long as the program.
  void remember(const TypeInfo& near) noexcept;
  /// The binary schema with the type of this fingerprint, ours or learned; null: not known here.
  [[nodiscard]] std::shared_ptr<const std::vector<std::byte>> bfbs_of(std::uint64_t fingerprint) const;
  /// That type's name; empty: not known here.
  [[nodiscard]] std::string type_of(std::uint64_t fingerprint) const;

 private:
  using Pair = std::pair<std::uint64_t, std::uint64_t>;  ///< near, far
  struct Far {
    std::string type;
    std::shared_ptr<const std::vector<std::byte>> bfbs;
  };
  [[nodiscard]] std::optional<Far> find(std::uint64_t fingerprint) const;
  Result<void> judge(const TypeInfo& near, std::string_view far_type, std::uint64_t far_fingerprint,
                     const Schema& far) const;
  void keep(std::uint64_t fingerprint, std::string_view type, std::span<const std::byte> bfbs);

  mutable std::mutex mutex_;
  std::map<std::uint64_t, TypeInfo> near_;  ///< as many as the program has types
  std::map<std::uint64_t, Far> far_;
  std::deque<std::uint64_t> far_order_;  ///< the oldest first
  std::size_t far_bytes_ = 0;
  // A verdict is found again from the schemas, so looking for one may add it.
  mutable std::map<Pair, Result<void>> verdicts_;
  mutable std::deque<Pair> verdicts_order_;
};

}  // namespace midplane::inline v0::schema
