#pragma once
/// The attributes of one rpc method.

#include <string>

#include "contracts.hpp"

namespace midplane::gen {

/// Fills what attributes decide; the name too, when one is given. `where` opens each message: file, service, method.
void read_attributes(Contract& contract, const reflection::RPCCall& call, const std::string& where);

/// Stops unless the name of the contract is one that a bus takes; counts its holes.
void check_name(Contract& contract, const std::string& where);

}  // namespace midplane::gen
