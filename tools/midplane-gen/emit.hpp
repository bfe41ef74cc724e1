#pragma once
/// The C++ text of the contracts.

#include <string>
#include <string_view>

#include "contracts.hpp"

namespace midplane::gen {

/// NAME_midplane.hpp: traits of the tables, constants of the rpc_services.
[[nodiscard]] std::string header_text(const Contracts& contracts, const schema::Schema& schema, const std::string& stem);
/// NAME_midplane.cpp: the binary schema, the traits' bodies, the functions of names with `*`.
[[nodiscard]] std::string source_text(const Contracts& contracts, const schema::Schema& schema, std::string_view bfbs,
                                      const std::string& stem);

/// Shared by both: `::midplane::Topic<::market::Tick>`, `{.retain = true}` and `std::string_view token`.
[[nodiscard]] std::string contract_type(const Contract& contract);
[[nodiscard]] std::string defaults_text(const Contract& contract);
[[nodiscard]] std::string parameters_text(const Contract& contract);
[[nodiscard]] std::string hole_name(const Contract& contract, std::size_t hole);

}  // namespace midplane::gen
