#include <midplane/executors.hpp>

#include <new>

#include "exec/crew.hpp"

namespace midplane::inline v0 {

namespace exec {
namespace {

class PoolExecutor final : public Executor {
 public:
  explicit PoolExecutor(std::shared_ptr<Crew> crew) noexcept : crew_{std::move(crew)} {}
  ~PoolExecutor() override { crew_->release(); }

  void submit(Work& work) noexcept override { crew_->submit(work); }
  void start(TimerWork& timer) noexcept override { crew_->start(timer); }
  bool cancel(TimerWork& timer) noexcept override { return crew_->cancel(timer); }
  bool runs_here() const noexcept override { return crew_->runs_here(); }
  bool may_wait_here() const noexcept override { return crew_->may_wait_here(); }
  bool stop(Instant until) noexcept override { return crew_->stop(until); }

 private:
  const std::shared_ptr<Crew> crew_;
};

constexpr std::size_t threads_max = 1024;

}  // namespace
}  // namespace exec

Result<std::shared_ptr<Executor>> pool_executor(PoolOptions options) {
  if (options.wait > Wait::yield) return Error{ErrorCode::invalid_option, "PoolOptions::wait is one of Wait"};
  if (options.threads > exec::threads_max)
    return Error{ErrorCode::invalid_option, "PoolOptions::threads is 0 to 1024; 0: max(2, cores)"};
  try {
    auto crew = std::make_shared<exec::Crew>(std::move(options));
    auto pool = std::make_shared<exec::PoolExecutor>(crew);
    if (auto started = crew->start_threads(); !started) return started.error();
    return std::shared_ptr<Executor>{std::move(pool)};
  } catch (const std::bad_alloc&) {
    return Error{ErrorCode::no_memory, "no memory for a pool of this many threads; make PoolOptions::threads fewer"};
  }
}

}  // namespace midplane::inline v0
