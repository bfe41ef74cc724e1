#include "link/outgoing.hpp"

#include <algorithm>
#include <utility>

namespace midplane::inline v0::link {
namespace {

using wire::RecordType;

/// Smaller frames are copied for the transport, so that the memory of the open one stays.
constexpr std::size_t copied_bytes_max = 4096;
/// Room for the headers, the padding and the Meta of a fragment.
constexpr std::size_t fragment_overhead = wire::frame_header_bytes + wire::record_header_bytes + 128;

/// What this thread has corked.
constinit thread_local const Outgoing* corked_here = nullptr;

bool is_alone(RecordType type) noexcept { return type == RecordType::hello || type == RecordType::refused; }

}  // namespace

Outgoing::Outgoing(Transport& transport, ConnectionId connection, const LinkOptions& options, Clock& clock) noexcept
    : frame_bytes_max{options.frame_bytes_max()},
      window{options.heartbeat},
      transport_{transport},
      connection_{connection},
      clock_{clock} {
  // A greeting is written in the oldest words we speak; every other version repeats its layout.
  speak(options.version_min);
  head.incarnation = options.incarnation;
}

void Outgoing::speak(std::uint16_t version) noexcept {
  head.version = version;
  open_.speak(version);
}

Outgoing::~Outgoing() {
  for (const Large& one : large_) detail::release(one.owner);
}

void Outgoing::count(RecordType type, std::size_t bytes, FarTotals* totals, bool is_data) {
  if (type == RecordType::grant && !open_is_counted_) {
    open_uncounted_ += bytes;
    return;
  }
  open_is_counted_ = true;
  window.sent(bytes + std::exchange(open_uncounted_, 0), is_data ? 1 : 0);
  if (!is_data) return;
  open_has_data_ = true;
  if (!runs_.empty() && runs_.back().totals == totals) ++runs_.back().records;
  else runs_.push_back({totals, 1});
}

void Outgoing::begin_open() noexcept {
  open_has_data_ = open_is_counted_ = false;
  open_uncounted_ = 0;
}

Put Outgoing::pack(const wire::Record& record, FarTotals* totals, bool is_data) {
  if (!is_open()) return Put::gone;
  const std::size_t size = wire::bytes_of(record.type, record.payload.size(), record.meta.size());
  if (size + wire::frame_header_bytes > frame_bytes_max) return Put::too_large;
  const std::size_t target = std::min(frame_target_bytes, frame_limit());
  if (open_.records() != 0 && (open_.bytes() + size > target || is_alone(record.type))) {
    // Only control comes here with a transport that takes nothing.
    if (closed_bytes_ + open_.bytes() + size > control_bytes_max) return Put::full;
    close_open();
  }
  const bool is_first = open_.records() == 0;
  if (!open_.add(record)) return Put::no_memory;
  if (is_alone(record.type)) close_open();
  else count(record.type, size + (is_first ? wire::frame_header_bytes : 0), totals, is_data);
  return Put::sent;
}

void Outgoing::close_open() noexcept {
  if (open_.records() == 0) return;
  head.wants_grant = wants_grant();
  static_cast<void>(open_.finish(head));
  head.number = static_cast<std::uint16_t>((head.number + 1) & (wire::frame_numbers - 1));
  try {
    closed_.push_back({open_.detach(), head.wants_grant, open_is_counted_});
    closed_bytes_ += closed_.back().frame.size;
  } catch (...) {
    // Without memory for a list entry the frame is lost, and with it the connection.
    gone_ = true;
  }
  begin_open();
}

Put Outgoing::control(const wire::Record& record) noexcept {
  const Put put = pack(record, nullptr, false);
  if (put == Put::sent) flush();
  return put == Put::sent && gone_ ? Put::gone : put;
}

Put Outgoing::data(const wire::Record& record, FarTotals* totals) noexcept {
  try {
    return pack(record, totals, true);
  } catch (...) {
    gone_ = true;  // it is packed and can not be accounted for: the link ends, and what it had is counted as lost
    return Put::no_memory;
  }
}

Put Outgoing::large(Large one) noexcept {
  if (!is_open()) return Put::gone;
  try {
    large_.push_back(std::move(one));
    detail::acquire(large_.back().owner);
  } catch (...) {
    return Put::no_memory;
  }
  flush();
  return Put::sent;
}

bool Outgoing::send_closed() noexcept {
  Closed& first = closed_.front();
  const Sent sent = transport_.give(connection_, {first.frame.memory.get(), first.frame.size, is_last_});
  if (sent == Sent::taken) {
    static_cast<void>(first.frame.memory.release());
    closed_bytes_ -= first.frame.size;
    if (first.is_counted) given_bytes_ += first.frame.size;
    if (first.wants_grant) window.leaves(clock_.now());
    closed_.pop_front();
    return true;
  }
  (sent == Sent::full ? full_ : gone_) = true;
  return false;
}

bool Outgoing::send_open() noexcept {
  head.wants_grant = wants_grant();
  const std::span<const std::byte> bytes = open_.finish(head);
  const bool is_given = bytes.size() >= copied_bytes_max;
  const Sent sent = is_given ? transport_.give(connection_, {open_.memory(), bytes.size()}) : transport_.send(connection_, bytes);
  if (sent == Sent::taken) {
    if (head.wants_grant) window.leaves(clock_.now());
    if (open_is_counted_) given_bytes_ += bytes.size();
    head.number = static_cast<std::uint16_t>((head.number + 1) & (wire::frame_numbers - 1));
    begin_open();
    if (is_given) static_cast<void>(open_.detach().memory.release());
    else open_.begin();
    return true;
  }
  (sent == Sent::full ? open_full_ : gone_) = true;
  return false;
}

/// The next piece of a large record, as the open frame; false when none may go now.
bool Outgoing::send_fragment() noexcept try {
  if (large_.empty() || is_last_) return false;
  auto next = large_.begin();
  // One at a time: what has begun goes on; else the first that need not wait for a grant.
  if (next->offset == 0 && next->is_data && !window.has_room(frame_least_bytes)) {
    next = std::find_if(large_.begin(), large_.end(), [](const Large& one) { return !one.is_data; });
    if (next == large_.end()) return false;
    std::rotate(large_.begin(), next, std::next(next));
    next = large_.begin();
  }
  const std::size_t limit = frame_limit();
  const std::uint64_t left_bytes = next->record.payload.size() - next->offset;
  const std::size_t piece = std::min<std::uint64_t>(left_bytes, limit - fragment_overhead);
  if (next->is_data && !window.has_room(piece + fragment_overhead)) return false;
  const bool is_last = piece == left_bytes;
  const wire::FragmentBody fragment{next->record.payload.size(), next->offset};
  wire::MetaFields fields = next->offset == 0 ? next->meta : wire::MetaFields{};
  const std::vector<std::string_view> groups(next->groups.begin(), next->groups.end());
  if (next->offset == 0) fields.groups = groups;
  fields.fragment = &fragment;
  const wire::Body meta = wire::encode(fields);
  wire::Record record = next->record;
  record.owner = nullptr;
  record.payload = next->record.payload.subspan(next->offset, piece);
  record.meta = meta;
  if (meta.empty() || !open_.add(record)) return gone_ = true, false;
  count(record.type, open_.bytes(), is_last ? next->totals : nullptr, next->is_data);
  next->offset += piece;
  if (is_last) {
    detail::release(next->owner);
    large_.pop_front();
  }
  return true;
} catch (...) {
  return gone_ = true, false;
}

void Outgoing::cork() noexcept {
  corked_ = true;
  corked_here = this;
}

void Outgoing::uncork() noexcept {
  corked_ = false;
  corked_here = nullptr;
  flush();
}

void Outgoing::flush() noexcept {
  if (corked_ && corked_here == this && closed_.empty()) return;
  while (!full_ && is_open()) {
    // What took a full frame is asked again for the open one, and says anew when it will take it.
    if (!closed_.empty()) open_full_ = !send_closed() && open_full_;
    else if (open_full_) return;
    else if (open_.records() != 0) static_cast<void>(send_open());
    else if (!send_fragment()) return;
  }
}

void Outgoing::writable() noexcept {
  full_ = open_full_ = false;
  flush();
}

void Outgoing::begin_farewell() noexcept {
  is_last_ = true;
  full_ = open_full_ = false;
}

void Outgoing::granted(std::uint64_t bytes, std::uint32_t records) noexcept {
  std::uint64_t news = window.granted(bytes, records, clock_.now());
  while (news != 0 && !runs_.empty()) {
    Run& run = runs_.front();
    const std::uint64_t taken = std::min(news, run.records);
    if (run.totals) run.totals->acknowledged.fetch_add(taken, std::memory_order_relaxed);
    run.records -= taken;
    news -= taken;
    if (run.records == 0) runs_.pop_front();
  }
  flush();
}

bool Outgoing::holds_message(std::uint32_t name, std::uint32_t& first_number) const noexcept {
  for (const Large& one : large_) {
    if (one.record.type != RecordType::message || one.record.name != name) continue;
    first_number = one.record.number;
    return true;
  }
  return false;
}

bool Outgoing::take_back(std::uint64_t request) noexcept {
  const auto found = std::find_if(large_.begin(), large_.end(), [request](const Large& one) {
    return one.record.type == RecordType::request && one.record.mark == request && one.offset == 0;
  });
  if (found == large_.end()) return false;
  detail::release(found->owner);
  large_.erase(found);
  return true;
}

void Outgoing::end(DropReason reason) noexcept {
  ended_ = true;
  for (const Run& run : runs_) {
    if (run.totals) run.totals->drop(reason, run.records);
  }
  for (const Large& one : large_) {
    if (one.totals) one.totals->drop(reason);
    detail::release(one.owner);
  }
  runs_.clear();
  large_.clear();
  closed_.clear();
}

}  // namespace midplane::inline v0::link
