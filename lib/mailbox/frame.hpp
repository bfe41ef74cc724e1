#pragma once
/// Which buses' handlers are on this thread's stack, and of which mailboxes: a destructor inside a handler must not wait
/// for itself, nor a publish for the room that its own handler would make.

namespace midplane::inline v0::mailbox {

class HandlerFrame {
 public:
  /// `is_work`: it was called for a message, request or reply; not for a timer, which goes on for ever.
  explicit HandlerFrame(const void* bus, bool is_work = true, const void* mailbox = nullptr) noexcept
      : bus_{bus}, mailbox_{mailbox}, up_{top}, is_work_{is_work} {
    top = this;
  }
  HandlerFrame(const HandlerFrame&) = delete;
  ~HandlerFrame() { top = up_; }

  [[nodiscard]] static bool inside(const void* bus) noexcept { return find(bus, false); }
  /// The same, for a message, request or reply.
  [[nodiscard]] static bool at_work(const void* bus) noexcept { return find(bus, true); }

  /// A handler of this mailbox.
  [[nodiscard]] static bool empties(const void* mailbox) noexcept {
    const HandlerFrame* frame = top;
    while (frame && frame->mailbox_ != mailbox) frame = frame->up_;
    return frame != nullptr;
  }

 private:
  static bool find(const void* bus, bool only_work) noexcept {
    for (const HandlerFrame* frame = top; frame; frame = frame->up_) {
      if (frame->bus_ == bus && (frame->is_work_ || !only_work)) return true;
    }
    return false;
  }

  const void* bus_;
  const void* mailbox_;
  const HandlerFrame* up_;
  const bool is_work_;
  static inline thread_local const HandlerFrame* top = nullptr;
};

}  // namespace midplane::inline v0::mailbox
