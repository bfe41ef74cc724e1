#include "wire/frame_bodies.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <type_traits>

#include "wire_generated.h"

namespace midplane::inline v0::wire {
namespace {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;

constexpr flatbuffers::uoffset_t depth_max = 8;
/// The longest list is of offered services: 65 536 names a link, each a table and a few strings.
constexpr flatbuffers::uoffset_t tables_max = 70'000;
/// No list of ours comes near; a stranger's costs at most some multiple of it.
constexpr std::size_t body_bytes_max = std::size_t{4} << 20;
/// A name of ours, or the text of an error.
constexpr std::size_t text_bytes_max = 4096;

/// Copies strings out, together no more than the body's own size: offsets that all point to one long string would
/// otherwise turn a small frame into much memory.
class Texts {
 public:
  explicit Texts(std::size_t bytes) : left_{bytes} {}
  std::string operator()(const flatbuffers::String* from) {
    if (from == nullptr) return {};
    if (from->size() > left_) throw std::length_error{"strings of a body overlap"};
    left_ -= from->size();
    return std::string{from->c_str(), std::min<std::size_t>(from->size(), text_bytes_max)};
  }

 private:
  std::size_t left_;
};

template <class Build>
Body build(Build&& write) noexcept {
  try {
    FlatBufferBuilder builder{512};
    builder.Finish(write(builder));
    const auto* first = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
    return Body(first, first + builder.GetSize());
  } catch (...) {
    return {};
  }
}

Offset<flatbuffers::String> text(FlatBufferBuilder& builder, std::string_view value) {
  if (value.empty()) return 0;
  return builder.CreateString(value.data(), std::min(value.size(), text_bytes_max));
}

/// A table of type T in `bytes`, handed to `read` after it was verified.
template <class T, class Read>
auto verified(std::span<const std::byte> bytes, Read&& read) noexcept
    -> std::optional<std::invoke_result_t<Read, const T&, Texts&>> {
  try {
    if (bytes.size() < sizeof(std::uint64_t) || bytes.size() > body_bytes_max) return std::nullopt;
    std::unique_ptr<std::uint64_t[]> aligned;
    const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
    // The verifier checks offsets, not the address; transports hand out frames at any address.
    if (reinterpret_cast<std::uintptr_t>(data) % alignof(std::uint64_t) != 0) {
      aligned = std::make_unique<std::uint64_t[]>(bytes.size() / sizeof(std::uint64_t) + 1);
      std::memcpy(aligned.get(), bytes.data(), bytes.size());
      data = reinterpret_cast<const std::uint8_t*>(aligned.get());
    }
    flatbuffers::Verifier verifier{data, bytes.size(), depth_max, tables_max};
    if (!verifier.VerifyBuffer<T>(nullptr)) return std::nullopt;
    Texts copied{bytes.size()};
    return read(*flatbuffers::GetRoot<T>(data), copied);
  } catch (...) {
    return std::nullopt;
  }
}

Offset<protocol::Headers> pack(FlatBufferBuilder& builder, const Headers& headers) {
  std::vector<Offset<protocol::HeaderEntry>> entries;
  for (const auto& [name, value] : headers.entries) {
    const auto name_at = builder.CreateString(name);
    const auto value_at = builder.CreateString(value);
    entries.push_back(protocol::CreateHeaderEntry(builder, name_at, value_at));
  }
  const auto entries_at = entries.empty() ? 0 : builder.CreateVector(entries);
  const auto tenant = text(builder, headers.tenant);
  const auto routing = text(builder, headers.routing_key);
  const auto idempotency = text(builder, headers.idempotency_key);
  protocol::Trace trace;
  if (headers.trace) {
    const auto* trace_id = reinterpret_cast<const std::uint8_t*>(headers.trace->trace_id.data());
    const auto* span_id = reinterpret_cast<const std::uint8_t*>(headers.trace->span_id.data());
    trace = protocol::Trace{flatbuffers::span<const std::uint8_t, 16>{trace_id, 16},
                            flatbuffers::span<const std::uint8_t, 8>{span_id, 8},
                            std::to_integer<std::uint8_t>(headers.trace->flags)};
  }
  return protocol::CreateHeaders(builder, headers.trace ? &trace : nullptr,
                                 static_cast<std::uint8_t>(headers.priority), tenant, routing, idempotency, entries_at);
}

Headers unpack(const protocol::Headers& from, Texts& copied) {
  Headers headers;
  if (const protocol::Trace* trace = from.trace()) {
    headers.trace.emplace();
    std::memcpy(headers.trace->trace_id.data(), trace->trace_id()->Data(), 16);
    std::memcpy(headers.trace->span_id.data(), trace->span_id()->Data(), 8);
    headers.trace->flags = std::byte{trace->flags()};
  }
  headers.priority = from.priority() > 3 ? Priority::normal : Priority{from.priority()};
  headers.tenant = copied(from.tenant());
  headers.routing_key = copied(from.routing_key());
  headers.idempotency_key = copied(from.idempotency_key());
  if (from.entries()) {
    for (const protocol::HeaderEntry* entry : *from.entries())
      headers.entries.emplace_back(copied(entry->name()), copied(entry->value()));
  }
  return headers;
}

}  // namespace

Body encode(const Hello& hello) noexcept {
  return build([&](FlatBufferBuilder& builder) {
    return protocol::CreateHello(builder, text(builder, hello.bus), hello.version_min, hello.version_max,
                                 hello.frame_bytes_max, hello.requests_max, hello.heartbeat_ns, hello.window_bytes,
                                 hello.window_records, hello.away_keep_ns);
  });
}

Body encode(const NameBody& name) noexcept {
  return build([&](FlatBufferBuilder& builder) {
    const auto name_at = text(builder, name.text);
    const auto type_at = text(builder, name.type.name);
    const auto one = protocol::CreateName(builder, name.id, name.service, name_at, type_at, name.type.fingerprint,
                                          name.next_number, name.series);
    return protocol::CreateNames(builder, builder.CreateVector(&one, 1));
  });
}

Body encode(const SubscribeBody& subscribe) noexcept {
  return build([&](FlatBufferBuilder& builder) {
    const auto pattern = text(builder, subscribe.pattern);
    const auto type = text(builder, subscribe.type.name);
    const auto group = text(builder, subscribe.group);
    return protocol::CreateSubscribe(builder, subscribe.id, pattern, type, subscribe.type.fingerprint,
                                     static_cast<std::uint8_t>(subscribe.queue.overflow), subscribe.queue.messages,
                                     subscribe.queue.bytes, group);
  });
}

Body encode(const ServeBody& serve) noexcept {
  return build([&](FlatBufferBuilder& builder) {
    std::vector<Offset<protocol::Offered>> offered;
    for (const OfferedBody& one : serve.offered) {
      const auto service = text(builder, one.service);
      const auto request = text(builder, one.request.name);
      const auto reply = text(builder, one.reply.name);
      offered.push_back(protocol::CreateOffered(builder, service, request, one.request.fingerprint, reply,
                                                one.reply.fingerprint));
    }
    std::vector<Offset<flatbuffers::String>> withdrawn;
    for (const std::string& service : serve.withdrawn) withdrawn.push_back(builder.CreateString(service));
    const auto offered_at = builder.CreateVector(offered);
    const auto withdrawn_at = withdrawn.empty() ? 0 : builder.CreateVector(withdrawn);
    return protocol::CreateServe(builder, offered_at, withdrawn_at);
  });
}

Body encode(const Error& failure) noexcept {
  return build([&](FlatBufferBuilder& builder) {
    const auto words = text(builder, failure.text());
    const auto detail = text(builder, failure.detail());
    return protocol::CreateFailure(builder, static_cast<std::uint8_t>(failure.code()),
                                   static_cast<std::uint8_t>(failure.fate()), failure.app_code(), words, detail);
  });
}

Body encode(std::span<const LastNumberBody> heartbeat) noexcept {
  return build([&](FlatBufferBuilder& builder) {
    std::vector<protocol::LastNumber> last;
    for (const LastNumberBody& one : heartbeat) last.emplace_back(one.number, one.name);
    const auto last_at = last.empty() ? 0 : builder.CreateVectorOfStructs(last);
    return protocol::CreateHeartbeat(builder, last_at);
  });
}

Body encode(const MetaFields& meta) noexcept {
  return build([&](FlatBufferBuilder& builder) {
    const auto headers_at = meta.headers ? pack(builder, *meta.headers) : 0;
    std::vector<Offset<flatbuffers::String>> groups;
    for (const std::string_view group : meta.groups) groups.push_back(builder.CreateString(group.data(), group.size()));
    const auto groups_at = groups.empty() ? 0 : builder.CreateVector(groups);
    const protocol::Fragment fragment =
        meta.fragment ? protocol::Fragment{meta.fragment->total, meta.fragment->offset} : protocol::Fragment{};
    return protocol::CreateMeta(builder, headers_at, groups_at, meta.fragment ? &fragment : nullptr, meta.remaining_ns,
                                nullptr, 0, meta.subscription, meta.stream_items);
  });
}

std::optional<Hello> decode_hello(std::span<const std::byte> body) noexcept {
  return verified<protocol::Hello>(body, [](const protocol::Hello& from, Texts& copied) {
    return Hello{copied(from.bus()),     from.version_min(),  from.version_max(),
                 from.frame_bytes_max(), from.requests_max(), from.heartbeat(),
                 from.window_bytes(),    from.window_records(), from.away_keep()};
  });
}

std::optional<std::vector<NameBody>> decode_names(std::span<const std::byte> body) noexcept {
  return verified<protocol::Names>(body, [](const protocol::Names& from, Texts& copied) {
    std::vector<NameBody> names;
    if (from.assigned()) {
      for (const protocol::Name* name : *from.assigned())
        names.push_back({name->id(), name->service(), copied(name->text()),
                         {copied(name->type()), name->fingerprint()}, name->next_number(), name->series()});
    }
    return names;
  });
}

std::optional<SubscribeBody> decode_subscribe(std::span<const std::byte> body) noexcept {
  return verified<protocol::Subscribe>(body, [](const protocol::Subscribe& from, Texts& copied) {
    SubscribeBody subscribe{from.id(), copied(from.pattern()), {copied(from.type()), from.fingerprint()}, {}, copied(from.group())};
    subscribe.queue.messages = from.messages();
    subscribe.queue.bytes = from.bytes();
    // A policy that is not known here acts like the default.
    if (from.overflow() <= static_cast<std::uint8_t>(last_overflow)) subscribe.queue.overflow = Overflow{from.overflow()};
    return subscribe;
  });
}

std::optional<ServeBody> decode_serve(std::span<const std::byte> body) noexcept {
  return verified<protocol::Serve>(body, [](const protocol::Serve& from, Texts& copied) {
    ServeBody serve;
    if (from.offered()) {
      for (const protocol::Offered* one : *from.offered())
        serve.offered.push_back({copied(one->service()), {copied(one->request_type()), one->request_fingerprint()},
                                 {copied(one->reply_type()), one->reply_fingerprint()}});
    }
    if (from.withdrawn()) {
      for (const flatbuffers::String* service : *from.withdrawn()) serve.withdrawn.push_back(copied(service));
    }
    return serve;
  });
}

std::optional<Error> decode_failure(std::span<const std::byte> body) noexcept {
  return verified<protocol::Failure>(body, [](const protocol::Failure& from, Texts& copied) {
    const bool known = from.code() >= static_cast<std::uint8_t>(ErrorCode::busy) &&
                       from.code() <= static_cast<std::uint8_t>(last_error_code);
    const ErrorCode code = known ? ErrorCode{from.code()} : ErrorCode::unsupported;
    const Fate fate = from.fate() <= static_cast<std::uint8_t>(Fate::maybe_executed) ? Fate{from.fate()} : Fate::maybe_executed;
    std::string detail = copied(from.text());
    const std::string more = copied(from.detail());
    constexpr const char* own_error = "the server answered with an error of its own";
    const bool is_own = code == ErrorCode::app_error;
    // Nothing is added by the text that stands here, too.
    if (is_own && detail == own_error) detail.clear();
    if (!detail.empty() && !more.empty()) detail.append(": ");
    detail.append(more);
    return Error{code, fate, is_own ? own_error : "the other side answered"}.with(detail).with_app_code(from.app_code());
  });
}

std::optional<std::vector<LastNumberBody>> decode_heartbeat(std::span<const std::byte> body) noexcept {
  return verified<protocol::Heartbeat>(body, [](const protocol::Heartbeat& from, Texts&) {
    std::vector<LastNumberBody> last;
    if (from.last()) {
      // The verifier does not check how structs of a vector are aligned.
      const std::uint8_t* at = from.last()->Data();
      for (flatbuffers::uoffset_t i = 0; i < from.last()->size(); ++i, at += sizeof(protocol::LastNumber)) {
        protocol::LastNumber one;
        std::memcpy(&one, at, sizeof one);
        last.push_back({one.name(), one.number()});
      }
    }
    return last;
  });
}

std::optional<Meta> decode_meta(std::span<const std::byte> meta) noexcept {
  auto decoded = verified<protocol::Meta>(meta, [](const protocol::Meta& from, Texts& copied) {
    Meta out;
    if (from.headers()) out.headers = unpack(*from.headers(), copied);
    if (from.groups()) {
      for (const flatbuffers::String* group : *from.groups()) out.groups.push_back(copied(group));
    }
    if (from.fragment()) out.fragment = FragmentBody{from.fragment()->total(), from.fragment()->offset()};
    out.remaining_ns = from.remaining();
    out.subscription = from.subscription();
    out.stream_items = from.stream_items();
    return out;
  });
  // The limits of headers hold for a stranger's too.
  if (decoded && decoded->headers && !validate(*decoded->headers)) return std::nullopt;
  return decoded;
}

}  // namespace midplane::inline v0::wire
