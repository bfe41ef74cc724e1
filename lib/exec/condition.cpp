#include "exec/condition.hpp"

namespace midplane::inline v0::exec {

void Condition::when(IsTrue is_true, Function<void()> fn) {
  {
    const std::lock_guard lock{mutex_};
    if (!is_true()) {
      waiting_.emplace_back(std::move(is_true), std::move(fn));
      return;
    }
  }
  fn();
}

void Condition::changed(Executor& executor) noexcept {
  std::vector<Function<void()>> ready;
  {
    const std::lock_guard lock{mutex_};
    std::erase_if(waiting_, [&ready](auto& entry) {
      if (!entry.first()) return false;
      ready.push_back(std::move(entry.second));
      return true;
    });
  }
  spot_.wake_all();
  if (executor.is_driven()) executor.nudge();
  for (auto& fn : ready) fn();
}

}  // namespace midplane::inline v0::exec
