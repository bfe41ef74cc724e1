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

}  // namespace midplane::inline v0::detail
