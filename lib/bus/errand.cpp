#include "bus/errand.hpp"

#include "mailbox/frame.hpp"

namespace midplane::inline v0::detail {

class Errand final : public Work {
 public:
  Errand(std::weak_ptr<BusCore> bus, const char* about, Function<void(BusCore*)> fn) noexcept
      : bus_{std::move(bus)}, about_{about}, fn_{std::move(fn)} {}
  void run() noexcept override {
    const std::unique_ptr<Errand> self{this};
    if (const auto bus = bus_.lock()) {
      const mailbox::HandlerFrame frame{bus.get()};
      guarded(*bus, about_, [&] { fn_(bus.get()); });
      return;
    }
    try {
      fn_(nullptr);
    } catch (...) {
      // There is no bus any more that could tell it.
    }
  }
  /// The executor was stopped first: the caller is still owed its one answer, which is then `closed`.
  void dropped() noexcept override { run(); }

 private:
  // Not shared: the bus holds its executor, which may hold this for ever when nobody drives it any more.
  std::weak_ptr<BusCore> bus_;
  const char* about_;
  Function<void(BusCore*)> fn_;
};

void post(BusCore& bus, const char* about, Function<void(BusCore*)> fn) {
  post(*bus.executor, bus, about, std::move(fn));
}

void post(Executor& executor, BusCore& bus, const char* about, Function<void(BusCore*)> fn) {
  executor.submit(*new Errand{bus.weak_from_this(), about, std::move(fn)});
}

Result<void> explain_wait(const BusCore& bus, Result<void> waited, const char* text) {
  if (waited || waited.error().code() != ErrorCode::timed_out) return waited;
  return too_late(bus, text);
}

Error too_late(const BusCore& bus, const char* text) noexcept {
  const Error late{ErrorCode::timed_out, Fate::not_started, text};
  try {
    const std::string missing = bus.not_reached();
    return missing.empty() ? late : late.with(missing);
  } catch (const std::bad_alloc&) {
    return late;
  }
}

}  // namespace midplane::inline v0::detail
