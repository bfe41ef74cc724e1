#pragma once
/// A host that holds the links to what host.hpp promises it, and ends the process when they break it.

#include <algorithm>
#include <map>
#include <memory_resource>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <midplane/names.hpp>

#include "fuzz/script.hpp"
#include "link/links.hpp"

namespace midplane::fuzz {

/// Counts what is out; a block must not be larger than the budget that is left.
class CountingResource final : public std::pmr::memory_resource {
 public:
  std::size_t out = 0;

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    out += bytes;
    return std::pmr::new_delete_resource()->allocate(bytes, alignment);
  }
  void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override {
    out -= bytes;
    std::pmr::new_delete_resource()->deallocate(block, bytes, alignment);
  }
  [[nodiscard]] bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};

/// At most one outcome for each request, and items only before it.
class Asker final : public wire::ReturnAddress {
 public:
  void reply(std::uint64_t correlation, wire::Envelope* reply) noexcept override {
    end(correlation);
    if (reply) detail::release(reply);
  }
  void fail(std::uint64_t correlation, const Error&) noexcept override { end(correlation); }
  wire::ItemSent item(std::uint64_t correlation, wire::Envelope* item) noexcept override {
    FUZZ_ASSERT(open.contains(correlation) || given_up.contains(correlation));
    if (credits == 0) return wire::ItemSent::no_credit;
    --credits;
    detail::release(item);
    return wire::ItemSent::queued;
  }
  void when_writable(std::uint64_t, Function<void()>) noexcept override {}
  [[nodiscard]] bool cancelled(std::uint64_t) const noexcept override { return false; }
  void when_cancelled(std::uint64_t, Function<void()>) noexcept override {}
  [[nodiscard]] std::uint32_t stream_items(std::uint64_t correlation) const noexcept override {
    return correlation % 2 == 0 ? 4 : 0;
  }
  void when_taken(std::uint64_t, Function<void(std::uint64_t)> fn) noexcept override { taken = std::move(fn); }
  void destroy() noexcept override {}

  void end(std::uint64_t correlation) {
    // What was cancelled over another peer's sink still ends.
    FUZZ_ASSERT(open.erase(correlation) + given_up.erase(correlation) == 1);
  }
  void cancelled_at(std::uint64_t correlation) { given_up.insert(correlation); }
  std::set<std::uint64_t> open, given_up;
  std::uint64_t credits = 4;
  Function<void(std::uint64_t)> taken;
};

class Judge final : public link::Host {
 public:
  struct Known {
    bool up = false;
    std::map<std::string, std::uint64_t> edges;  ///< per topic: the last number handed over or told as lost
    std::set<std::uint32_t> subscriptions;
  };

  void peer_up(const link::PeerInfo& peer) noexcept override {
    Known& known = peers[peer.id];
    FUZZ_ASSERT(peer.id != link::PeerId::none && !known.up);
    known.up = true;
  }
  void peer_lost(const link::PeerInfo& peer, const Error&, bool) noexcept override {
    at(peer.id).up = false;
  }
  void peer_forgotten(link::PeerId peer, const link::PeerInfo*) noexcept override {
    const auto found = peers.find(peer);
    FUZZ_ASSERT(found != peers.end() && !found->second.up);
    std::erase_if(sinks, [peer](const auto& one) { return one.first.first == peer; });
    found->second.subscriptions.clear();
  }
  void peer_refused(const link::PeerInfo&, const Error&) noexcept override { ++refusals; }
  void withdrawal_went_on() noexcept override {}
  void address_not_reached(std::string_view, const Error&) noexcept override {}
  Result<void> peer_subscribes(link::PeerId peer, const wire::SubscribeBody& subscription) noexcept override {
    at(peer).subscriptions.insert(subscription.id);
    if (subscription.pattern == "refuse.me") return Error{ErrorCode::schema_mismatch, "refused"};
    static constexpr TypeInfo tick{"test.Tick", 77, {}};
    for (const char* topic : {"t", "t.u"}) {
      if (!matches(subscription.pattern, topic)) continue;
      auto sink = links->topic_sink(peer, topic, tick);
      if (!sink) return sink.error();
      sinks[{peer, topic}] = *sink;
      (*sink)->join(subscription.id, retained);
    }
    return ok();
  }
  void peer_unsubscribes(link::PeerId peer, std::uint32_t id) noexcept override {
    FUZZ_ASSERT(at(peer).subscriptions.erase(id) == 1);
  }
  void subscription_confirmed(std::uint32_t, link::PeerId peer) noexcept override { at(peer); }
  void subscription_refused(std::uint32_t, link::PeerId peer, const Error&) noexcept override { at(peer); }
  void peer_serves(link::PeerId peer, const wire::ServeBody& changes) noexcept override {
    at(peer);
    for (const auto& one : changes.offered) {
      if (offered.size() < 8) offered.emplace_back(peer, one.service);
    }
  }
  void peer_told(link::PeerId peer) noexcept override { at(peer); }
  void peer_succeeds(const link::PeerInfo&, link::PeerId before) noexcept override { at(before); }
  void peer_lives(const link::PeerInfo& peer) noexcept override { at(peer.id); }
  void messages_ended(link::PeerId) noexcept override {}
  void topic_named(link::PeerId peer, link::FarTopic& topic) noexcept override {
    auto [edge, is_new] = at(peer).edges.try_emplace(topic.name->text, topic.next - 1);
    FUZZ_ASSERT(topic.next != 0 && edge->second <= topic.next - 1);
  }
  void schema_arrived(link::PeerId peer, std::uint64_t, std::span<const std::byte> bfbs) noexcept override {
    at(peer);
    touch(bfbs);
  }
  std::vector<std::byte> schema_of(std::uint64_t fingerprint) noexcept override {
    return std::vector<std::byte>(fingerprint % 64);
  }
  void schema_refused(link::PeerId peer, std::uint32_t, std::string_view, const Error&) noexcept override { at(peer); }
  void subscription_joined(link::PeerId peer, const link::FarTopic& topic, std::uint32_t, std::uint64_t at_number) noexcept override {
    FUZZ_ASSERT(at(peer).edges.contains(topic.name->text) && at_number < topic.next);
  }
  void messages_arrived(link::PeerId peer, const link::FarTopic& topic, std::span<wire::Envelope* const> all,
                        const link::Arrival& how) noexcept override {
    FUZZ_ASSERT(!all.empty());
    for (wire::Envelope* const message : all) message_arrived(peer, topic, message, how);
  }
  void message_arrived(link::PeerId peer, const link::FarTopic& topic, wire::Envelope* message, const link::Arrival& how) {
    auto edge = at(peer).edges.find(topic.name->text);
    FUZZ_ASSERT(edge != at(peer).edges.end() && message->name == topic.name);
    // A retained message has no number of its own.
    if (how.only == 0) FUZZ_ASSERT(message->sequence == edge->second + 1 && message->sequence != 0);
    else FUZZ_ASSERT(message->sequence == edge->second);
    edge->second = message->sequence;
    FUZZ_ASSERT(reinterpret_cast<std::uintptr_t>(message->payload) % 16 == 0);
    touch(message->bytes());
    ++messages;
    keep(message);
  }
  void request_arrived(link::PeerId peer, wire::Envelope* request) noexcept override {
    at(peer);
    FUZZ_ASSERT(request->extra && request->extra->return_address);
    touch(request->bytes());
    requests.push_back(AnyMessage::adopt(request, false));
  }
  void gap(link::PeerId peer, const link::FarTopic& topic, std::uint64_t first, std::uint64_t last) noexcept override {
    auto edge = at(peer).edges.find(topic.name->text);
    FUZZ_ASSERT(edge != at(peer).edges.end());
    if (first == 0) {
      edge->second = topic.next - 1;
      return;
    }
    FUZZ_ASSERT(first == edge->second + 1 && last >= first && last != UINT64_MAX);
    edge->second = last;
  }

  Known& at(link::PeerId peer) {
    const auto found = peers.find(peer);
    FUZZ_ASSERT(found != peers.end() && found->second.up);
    return found->second;
  }
  void touch(std::span<const std::byte> bytes) noexcept {
    for (const std::byte one : bytes) sum_ = sum_ * 31 + std::to_integer<unsigned>(one);
  }
  void keep(wire::Envelope* message) {
    if (kept.size() >= 8) kept.erase(kept.begin());
    kept.push_back(AnyMessage::adopt(message, false));
  }

  std::shared_ptr<link::Links> links;
  std::map<link::PeerId, Known> peers;
  std::map<std::pair<link::PeerId, std::string>, std::shared_ptr<wire::TopicSink>> sinks;
  std::vector<std::pair<link::PeerId, std::string>> offered;
  std::vector<AnyMessage> requests, kept;
  wire::Envelope* retained = nullptr;
  std::size_t refusals = 0, messages = 0;

 private:
  volatile std::uint64_t sum_ = 0;
};

}  // namespace midplane::fuzz
