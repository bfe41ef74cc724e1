#pragma once
/// How a payload type becomes bytes and is verified back. FlatBuffers tables and `Bytes` are ready; specialise
/// `Codec<T>` for a type of your own.
///
/// Law of a Codec<T>:
///  - `encode` writes one payload into the PayloadWriter and seals it; it may be called on several threads at once.
///  - `verify` accepts exactly the bytes that `view` may read, at a cost bounded by their number.
///  - `view` does not copy; the bytes outlive what it returns.

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

#include <flatbuffers/flatbuffer_builder.h>
#include <flatbuffers/verifier.h>

#include <midplane/bytes.hpp>
#include <midplane/plain_table.hpp>
#include <midplane/result.hpp>
#include <midplane/schema.hpp>

namespace midplane {
inline namespace [[gnu::visibility("default")]] v0 {

/// Depth and number of tables that a verifier may visit, so that hostile bytes cost no more than honest ones.
inline constexpr std::uint32_t payload_depth_max = 64;
/// As `payload_depth_max`, for the number of tables.
inline constexpr std::uint32_t payload_tables_max = 1'000'000;

/// Pooled memory for one payload that is being built. A failure to get memory is remembered, not thrown: the publish
/// that follows answers it.
class PayloadWriter : public flatbuffers::Allocator {
 public:
  /// Room for `bytes`, aligned to 16 at both ends; a later call gives a new block and frees the earlier one. Throws
  /// std::bad_alloc where there is no memory to go on in either; the publish answers that too.
  [[nodiscard]] std::uint8_t* allocate(std::size_t bytes) override = 0;
  /// What was written: a part of the block given last.
  virtual void seal(const std::uint8_t* first, std::size_t size) noexcept = 0;
  /// Of a builder that has outgrown a block: the memory stays with the writer.
  virtual void deallocate(std::uint8_t* block, std::size_t bytes) override = 0;
  /// A first guess that costs no more than a smaller one.
  [[nodiscard]] virtual std::size_t room() const noexcept = 0;
};

template <class T>
struct Codec;

namespace detail {
template <class T>
concept FlatTable = std::is_base_of_v<flatbuffers::Table, T> || requires { typename T::Builder; };

/// Value is the object-API value of T, whose header may have none.
template <class Value, class T>
concept NativeTableOf = requires { typename T::NativeTableType; } && std::is_same_v<Value, typename T::NativeTableType>;

/// Runs `build` on a builder that grows in the writer's memory.
template <class T, class Writer, class Build>
void build_in_place(Writer& writer, Build&& build) {
  flatbuffers::FlatBufferBuilder builder{writer.room(), &writer, false, 16};
  const flatbuffers::Offset<T> root = build(builder);
  builder.Finish(root);
  writer.seal(builder.GetBufferPointer(), builder.GetSize());
}
}  // namespace detail

/// FlatBuffers tables: from a callable `FlatBufferBuilder& -> Offset<T>` that builds in place, or from their object-API
/// value; the latter is the fastest for tables that hold numbers only, which need no builder.
template <detail::FlatTable T>
struct Codec<T> {
  /// What `Message<T>` reads through.
  using View = const T*;

  /// Of the generated header.
  static const TypeInfo& info() noexcept {
    static_assert(HasSchema<T>, "run midplane-gen over the type's schema and include the header it writes");
    return SchemaOf<T>::info();
  }
  /// From a callable that builds in place and returns the root.
  // Told which writer it is, a compiler can call it directly.
  template <std::derived_from<PayloadWriter> Writer, class Build>
    requires std::is_invocable_r_v<flatbuffers::Offset<T>, Build&, flatbuffers::FlatBufferBuilder&>
  static void encode(Writer& writer, Build&& build) {
    detail::build_in_place<T>(writer, build);
  }
  /// From an object-API value.
  template <std::derived_from<PayloadWriter> Writer, class Value>
    requires detail::NativeTableOf<std::remove_cvref_t<Value>, T>
  static void encode(Writer& writer, Value&& value) {
    if constexpr (HasPlainTable<T>) {
      std::uint8_t* const block = writer.allocate((PlainTable<T>::bytes + 15) / 16 * 16);
      PlainTable<T>::write(value, block);
      writer.seal(block, PlainTable<T>::bytes);
    } else {
      detail::build_in_place<T>(writer, [&](flatbuffers::FlatBufferBuilder& builder) { return T::Pack(builder, &value); });
    }
  }
  /// Bounded by `payload_depth_max` and `payload_tables_max`.
  static bool verify(std::span<const std::byte> bytes) noexcept {
    flatbuffers::Verifier verifier{reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size(),
                                   payload_depth_max, payload_tables_max};
    return verifier.VerifyBuffer<T>(nullptr);
  }
  /// The root table; the bytes were verified.
  static View view(std::span<const std::byte> bytes) noexcept { return flatbuffers::GetRoot<T>(bytes.data()); }
};

/// Raw bytes: nothing is encoded, everything is valid.
template <>
struct Codec<Bytes> {
  /// The bytes themselves.
  using View = std::span<const std::byte>;
  /// Without a name.
  static const TypeInfo& info() noexcept {
    static constexpr TypeInfo raw{};
    return raw;
  }
  /// Always.
  static bool verify(std::span<const std::byte>) noexcept { return true; }
  /// As they came.
  static View view(std::span<const std::byte> bytes) noexcept { return bytes; }
};

/// V can be turned into a payload of type T.
template <class V, class T>
concept EncodableAs = requires(PayloadWriter& writer, V&& value) { Codec<T>::encode(writer, std::forward<V>(value)); };

}  // namespace v0
}  // namespace midplane
