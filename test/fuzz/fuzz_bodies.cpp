/// The tables inside frames: the first byte chooses one, the others are its bytes. What was decoded, encoded and decoded
/// again is the same.

#include <vector>

#include "fuzz/script.hpp"
#include "wire/frame_bodies.hpp"

namespace {

using namespace midplane;
using namespace midplane::wire;
using Bytes = std::span<const std::byte>;

void hello(Bytes bytes) {
  const auto body = decode_hello(bytes);
  if (!body) return;
  const auto again = decode_hello(encode(*body));
  FUZZ_ASSERT(again && again->bus == body->bus && again->version_max == body->version_max);
  FUZZ_ASSERT(again->window_records == body->window_records && again->away_keep_ns == body->away_keep_ns);
}

void names(Bytes bytes) {
  const auto body = decode_names(bytes);
  if (!body) return;
  for (const NameBody& one : *body) {
    const auto again = decode_names(encode(one));
    FUZZ_ASSERT(again && again->size() == 1);
    FUZZ_ASSERT((*again)[0].text == one.text && (*again)[0].id == one.id && (*again)[0].series == one.series);
    if (&one - body->data() > 16) break;
  }
}

void subscribe(Bytes bytes) {
  const auto body = decode_subscribe(bytes);
  if (!body) return;
  FUZZ_ASSERT(body->queue.overflow <= last_overflow);
  const auto again = decode_subscribe(encode(*body));
  FUZZ_ASSERT(again && again->pattern == body->pattern && again->group == body->group);
  FUZZ_ASSERT(again->queue.messages == body->queue.messages && again->queue.overflow == body->queue.overflow);
}

void serve(Bytes bytes) {
  const auto body = decode_serve(bytes);
  if (!body) return;
  const auto again = decode_serve(encode(*body));
  // One word of a stranger may stand in its bytes once and be meant often: only so much is written again.
  if (again) FUZZ_ASSERT(again->offered.size() == body->offered.size() && again->withdrawn == body->withdrawn);
}

void failure(Bytes bytes) {
  const auto body = decode_failure(bytes);
  if (!body) return;
  FUZZ_ASSERT(body->code() >= ErrorCode::busy && body->code() <= last_error_code && body->fate() <= Fate::maybe_executed);
  const auto again = decode_failure(encode(*body));
  FUZZ_ASSERT(again && again->code() == body->code() && again->app_code() == body->app_code());
}

void heartbeat(Bytes bytes) {
  const auto body = decode_heartbeat(bytes);
  if (!body) return;
  const auto again = decode_heartbeat(encode(std::span<const LastNumberBody>{*body}));
  FUZZ_ASSERT(again && again->size() == body->size());
  for (std::size_t i = 0; i < body->size(); ++i) FUZZ_ASSERT((*again)[i].number == (*body)[i].number);
}

void meta(Bytes bytes) {
  const auto body = decode_meta(bytes);
  if (!body) return;
  if (body->headers) FUZZ_ASSERT(validate(*body->headers));
  const std::vector<std::string_view> groups(body->groups.begin(), body->groups.end());
  const MetaFields fields{.headers = body->headers ? &*body->headers : nullptr,
                          .groups = groups,
                          .fragment = body->fragment ? &*body->fragment : nullptr,
                          .remaining_ns = body->remaining_ns,
                          .subscription = body->subscription,
                          .stream_items = body->stream_items};
  const auto again = decode_meta(encode(fields));
  if (!again) return;
  FUZZ_ASSERT(again->headers == body->headers && again->groups == body->groups);
  FUZZ_ASSERT(again->remaining_ns == body->remaining_ns && again->fragment.has_value() == body->fragment.has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  static constexpr std::array decoders{hello, names, subscribe, serve, failure, heartbeat, meta};
  // Both at an aligned address and not.
  for (const std::size_t shift : {std::size_t{0}, std::size_t{1}}) {
    std::vector<std::byte> copy(size - 1 + shift);
    if (size > 1) std::memcpy(copy.data() + shift, data + 1, size - 1);
    decoders[data[0] % decoders.size()](Bytes{copy}.subspan(shift));
  }
  return 0;
}
