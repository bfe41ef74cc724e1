#include "bus/errand.hpp"

#include "mailbox/frame.hpp"

namespace midplane::inline v0::detail {

class Errand final : public Work {
 public:
  Errand(std::shared_ptr<BusCore> bus, const char* about, Function<void()> fn) noexcept
      : bus_{std::move(bus)}, about_{about}, fn_{std::move(fn)} {}
  void run() noexcept override {
    {
      const mailbox::HandlerFrame frame{bus_.get()};
      guarded(*bus_, about_, fn_);
    }
    const std::unique_ptr<Errand> self{this};
  }
  /// The executor was stopped first: the caller is still owed its one answer, which is then `closed`.
  void dropped() noexcept override { run(); }

 private:
  std::shared_ptr<BusCore> bus_;
  const char* about_;
  Function<void()> fn_;
};

void post(BusCore& bus, const char* about, Function<void()> fn) {
  bus.executor->submit(*new Errand{bus.shared_from_this(), about, std::move(fn)});
}

Result<void> explain_wait(const BusCore& bus, Result<void> waited, const char* text) {
  if (waited || waited.error().code() != ErrorCode::timed_out) return waited;
  const std::string missing = bus.not_reached();
  const Error late{ErrorCode::timed_out, text};
  return missing.empty() ? late : late.with(missing);
}

}  // namespace midplane::inline v0::detail
