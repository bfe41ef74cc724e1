#pragma once
/// What people and programs see of a run.

#include <string>
#include <vector>

#include "ledger.hpp"
#include "watcher.hpp"

namespace hostwatch {

/// All topics of one run of an agent in one line: `host.NAME.*`.
[[nodiscard]] std::vector<TopicResult> by_agent(const std::vector<TopicResult>& results);
[[nodiscard]] std::string as_table(const std::vector<TopicResult>& results);
[[nodiscard]] std::string as_table(const std::vector<Moment>& timeline);
[[nodiscard]] std::string as_json(const std::vector<TopicResult>& results);
[[nodiscard]] std::string as_json(const std::vector<Moment>& timeline);

}  // namespace hostwatch
