#pragma once
/// From words of a schema to words of C++.

#include <string>
#include <string_view>

namespace midplane::gen {

/// `HostWatch` gives `host_watch`, `HTTPServer` gives `http_server`.
[[nodiscard]] std::string snake_case(std::string_view name);
/// As flatc does it: a keyword of C++ gets a trailing underscore.
[[nodiscard]] std::string identifier(std::string name);
/// `market.Tick` gives `market::Tick`.
[[nodiscard]] std::string cpp_name(std::string_view full_name);
/// `market.eu.Tick` is `Tick` of `market.eu`.
[[nodiscard]] std::string_view scope_of(std::string_view full_name);
[[nodiscard]] std::string_view leaf_of(std::string_view full_name);

}  // namespace midplane::gen
