// Problem: the payload is not a FlatBuffer (a picture, a packet, somebody else's format), or a tool takes any type.
// Bytes is the payload type of those who do not care: nothing is verified, and memory may be handed over uncopied.
#include <cstring>

#include <midplane/json.hpp>

#include "market.hpp"

using midplane::Bytes;
using midplane::Message;

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

int main() {
  const auto loop = midplane::manual_executor();
  auto bus = must(midplane::Bus::open({.executor = loop}));
  constexpr midplane::Topic<Bytes> frames{"camera.frames"};
  constexpr midplane::Topic<Bytes> archive{"archive.frames"};
  auto to_archive = must(bus.publisher(archive));

  auto forward = must(bus.subscribe(frames, [&](const Message<Bytes>& frame) {
    must(to_archive.publish(frame));  // passed on by reference: no byte is copied
  }));
  const char* sent = nullptr;
  auto archived = must(bus.subscribe(archive, [&](const Message<Bytes>& frame) {
    const bool same = reinterpret_cast<const char*>(frame.bytes().data()) == sent;
    std::printf("archived '%s'%s\n", std::string{text_of(frame.bytes())}.c_str(), same ? ", in the sender's own memory" : "");
  }));

  auto camera = must(bus.publisher(frames));
  must(camera.publish(std::as_bytes(std::span{"copied", 6})));  // once, into the bus's memory

  char* picture = strdup("handed over");
  sent = picture;
  must(camera.publish(midplane::Owned{std::as_bytes(std::span{picture, std::strlen(picture)}), [picture] {
    std::puts("released: the last reader is done");
    std::free(picture);
  }}));

  while (loop->poll() > 0) continue;  // not drain(): it refuses what the handler still passes on

  // A pattern of Bytes takes messages of any type; with the type's schema they can be shown.
  auto any = must(bus.subscribe(must(midplane::Pattern<Bytes>::parse("market.>")), [](const Message<Bytes>& message) {
    const auto json = must(midplane::to_json(message.bytes(), midplane::SchemaOf<exchange::Tick>::info()));
    std::printf("%s %s\n", std::string{message.topic()}.c_str(), json.c_str());
  }));
  auto ticks = must(bus.publisher(exchange::market::ticks));
  must(ticks.publish(tick("ACME", 12.5)));
  bus.drain(std::chrono::seconds{5});
}
