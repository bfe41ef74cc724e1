#pragma once
/// What people and programs see of a run.

#include <string>
#include <vector>

#include "ledger.hpp"

namespace hostwatch {

[[nodiscard]] std::string as_table(const std::vector<TopicResult>& results);
[[nodiscard]] std::string as_json(const std::vector<TopicResult>& results);

}  // namespace hostwatch
