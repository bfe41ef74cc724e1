#pragma once
/// A move-only callable: `std::move_only_function` before C++23, with room for small captures inside.

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace midplane {
inline namespace [[gnu::visibility("default")]] v0 {

template <class Signature>
class Function;

/// Holds any callable, also one that can only be moved. Captures up to 48 bytes need no allocation.
template <class R, class... Args>
class Function<R(Args...)> {
 public:
  Function() noexcept = default;
  /// Empty.
  Function(std::nullptr_t) noexcept {}
  /// Holds `f`, moved or copied in.
  template <class F>
    requires(!std::is_same_v<std::decay_t<F>, Function> && std::is_invocable_r_v<R, std::decay_t<F>&, Args...>)
  Function(F&& f) {
    using Held = std::decay_t<F>;
    if constexpr (fits<Held>) {
      ::new (storage_) Held(std::forward<F>(f));
      vtable_ = &inline_vtable<Held>;
    } else {
      ::new (storage_) Held*(new Held(std::forward<F>(f)));
      vtable_ = &heap_vtable<Held>;
    }
  }
  Function(Function&& other) noexcept { take(other); }
  Function& operator=(Function&& other) noexcept {
    if (this != &other) {
      reset();
      take(other);
    }
    return *this;
  }
  ~Function() { reset(); }

  explicit operator bool() const noexcept { return vtable_ != nullptr; }
  /// An empty one without a result does nothing: a callback that the user left out must not end the process.
  R operator()(Args... args) {
    if constexpr (std::is_void_v<R>) {
      if (!vtable_) return;
    }
    return vtable_->call(storage_, std::forward<Args>(args)...);
  }

 private:
  static constexpr std::size_t inline_bytes = 48;
  struct Vtable {
    R (*call)(void*, Args&&...);
    void (*move)(void* to, void* from) noexcept;
    void (*destroy)(void*) noexcept;
  };
  template <class F>
  static constexpr bool fits =
      sizeof(F) <= inline_bytes && alignof(F) <= alignof(std::max_align_t) && std::is_nothrow_move_constructible_v<F>;
  template <class F>
  static constexpr Vtable inline_vtable{
      [](void* f, Args&&... args) -> R { return (*static_cast<F*>(f))(std::forward<Args>(args)...); },
      [](void* to, void* from) noexcept {
        ::new (to) F(std::move(*static_cast<F*>(from)));
        static_cast<F*>(from)->~F();
      },
      [](void* f) noexcept { static_cast<F*>(f)->~F(); }};
  template <class F>
  static constexpr Vtable heap_vtable{
      [](void* f, Args&&... args) -> R { return (**static_cast<F**>(f))(std::forward<Args>(args)...); },
      [](void* to, void* from) noexcept { ::new (to) F*(*static_cast<F**>(from)); },
      [](void* f) noexcept { delete *static_cast<F**>(f); }};

  void take(Function& other) noexcept {
    vtable_ = other.vtable_;
    if (vtable_) vtable_->move(storage_, other.storage_);
    other.vtable_ = nullptr;
  }
  void reset() noexcept {
    if (vtable_) vtable_->destroy(storage_);
    vtable_ = nullptr;
  }

  alignas(std::max_align_t) std::byte storage_[inline_bytes];
  const Vtable* vtable_ = nullptr;
};

}  // namespace v0
}  // namespace midplane
