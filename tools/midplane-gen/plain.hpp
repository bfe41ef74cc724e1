#pragma once
/// Tables of numbers only: their one layout, and the C++ that writes it.

#include <string>

#include "schema/schema.hpp"

namespace midplane::gen {

/// The specialisation of midplane::PlainTable; empty for a table that needs a builder: one with a string, a vector,
/// a struct, another table, a number that may be null, or an attribute that changes its C++ type.
[[nodiscard]] std::string plain_table_text(const reflection::Object& table);

}  // namespace midplane::gen
