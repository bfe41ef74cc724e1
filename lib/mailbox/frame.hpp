#pragma once
/// Which buses' handlers are on this thread's stack: a destructor inside a handler must not wait for itself.

namespace midplane::inline v0::mailbox {

class HandlerFrame {
 public:
  explicit HandlerFrame(const void* bus) noexcept : bus_{bus}, up_{top} { top = this; }
  HandlerFrame(const HandlerFrame&) = delete;
  ~HandlerFrame() { top = up_; }

  [[nodiscard]] static bool inside(const void* bus) noexcept {
    for (const HandlerFrame* frame = top; frame; frame = frame->up_) {
      if (frame->bus_ == bus) return true;
    }
    return false;
  }

 private:
  const void* bus_;
  const HandlerFrame* up_;
  static inline thread_local const HandlerFrame* top = nullptr;
};

}  // namespace midplane::inline v0::mailbox
