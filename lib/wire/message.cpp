#include <midplane/headers.hpp>
#include <midplane/message.hpp>

#include "wire/envelope.hpp"

namespace midplane::inline v0 {

std::string_view AnyMessage::topic() const noexcept {
  const wire::Envelope* envelope = wire::envelope_of(*this);
  return envelope && envelope->name ? std::string_view{envelope->name->text} : std::string_view{};
}

const Headers* AnyMessage::headers() const noexcept {
  const wire::Envelope* envelope = wire::envelope_of(*this);
  return envelope && envelope->extra ? envelope->extra->headers : nullptr;
}

std::string_view AnyMessage::peer() const noexcept {
  const wire::Envelope* envelope = wire::envelope_of(*this);
  return envelope && envelope->extra && envelope->extra->peer ? std::string_view{envelope->extra->peer->text}
                                                              : std::string_view{};
}

std::uint64_t AnyMessage::sequence() const noexcept {
  const wire::Envelope* envelope = wire::envelope_of(*this);
  return envelope ? envelope->sequence : 0;
}

std::int64_t AnyMessage::sent_at() const noexcept {
  const wire::Envelope* envelope = wire::envelope_of(*this);
  return envelope ? envelope->sent_at : 0;
}

Result<void> validate(const Headers& headers) {
  std::size_t bytes = headers.tenant.size() + headers.routing_key.size() + headers.idempotency_key.size();
  for (const auto& [key, value] : headers.entries) bytes += key.size() + value.size();
  if (headers.entries.size() > header_entries_max) return Error{ErrorCode::too_large, "at most 16 header entries"};
  if (bytes > header_bytes_max) return Error{ErrorCode::too_large, "headers are over 4 KiB in total"};
  return ok();
}

}  // namespace midplane::inline v0
