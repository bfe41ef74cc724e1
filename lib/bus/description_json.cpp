#include <cstdio>

#include <midplane/describe.hpp>

#include "schema/json_text.hpp"

namespace midplane::inline v0 {
namespace {

class Writer {
 public:
  explicit Writer(schema::JsonText& json) noexcept : json_{json} {}

  void bus(const Description& d) {
    json_.begin_object();
    put("name", d.name);
    put("incarnation", d.incarnation);
    put("library_version", d.library_version);
    put("wire_version", d.wire_version);
    list("topics", d.topics, [this](const TopicDescription& one) {
      put("name", one.name);
      put("type", one.type);
      put("published", one.published);
      put("payload_bytes", one.payload_bytes);
    });
    list("subscriptions", d.subscriptions, [this](const SubscriptionDescription& one) {
      put("pattern", one.pattern);
      put("type", one.type);
      put("group", one.group);
      put("overflow", one.overflow);
      put("queue_messages_max", one.queue_messages_max);
      put("queue_bytes_max", one.queue_bytes_max);
      put("counts", one.counts);
    });
    list("services", d.services, [this](const ServiceDescription& one) {
      put("name", one.name);
      put("request", one.request);
      put("reply", one.reply);
      put("servers", one.servers);
      put("counts", one.counts);
    });
    list("links", d.links, [this](const LinkDescription& one) {
      put("name", one.name);
      put("kind", one.kind);
      put("peer", one.peer);
      put("counts", one.counts);
    });
    list("peers", d.peers, [this](const PeerDescription& one) {
      put("name", one.name);
      put("incarnation", one.incarnation);
      put("endpoint", one.endpoint);
      put("state", one.state);
      json_.key("dialled");
      json_.boolean(one.dialled);
    });
    put("counters", d.counters);
    json_.end_object();
  }

 private:
  void put(const char* key, const std::string& text) {
    json_.key(key);
    json_.string(text);
  }
  void put(const char* key, std::uint64_t number) {
    json_.key(key);
    json_.natural(number);
  }
  /// Raw bytes have none: null.
  void put(const char* key, const TypeDescription& type) {
    json_.key(key);
    if (type.fingerprint == 0 && type.name.empty()) return json_.null();
    char digits[17];
    std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(type.fingerprint));
    json_.begin_object();
    put("name", type.name);
    put("fingerprint", std::string{digits});
    json_.end_object();
  }
  void put(const char* key, const std::vector<CounterDescription>& counters) {
    json_.key(key);
    json_.begin_object();
    for (const CounterDescription& one : counters) {
      json_.key(one.name);
      json_.natural(one.value);
    }
    json_.end_object();
  }
  void put(const char* key, const CountsDescription& counts) {
    json_.key(key);
    json_.begin_object();
    put("offered", counts.offered);
    put("delivered", counts.delivered);
    put("waiting", counts.waiting);
    put("in_transit", counts.in_transit);
    put("refused", counts.refused);
    put("dropped", counts.dropped);
    json_.end_object();
  }
  template <class One, class Put>
  void list(const char* key, const std::vector<One>& all, Put&& put_one) {
    json_.key(key);
    json_.begin_array();
    for (const One& one : all) {
      if (json_.is_full()) break;
      json_.begin_object();
      put_one(one);
      json_.end_object();
    }
    json_.end_array();
  }

  schema::JsonText& json_;
};

}  // namespace

Result<std::string> to_json(const Description& description, JsonOptions options) {
  schema::JsonText json{options.bytes_max, options.pretty};
  Writer{json}.bus(description);
  if (json.is_full())
    return Error{ErrorCode::too_large, "the text is longer than JsonOptions::bytes_max"}.with(std::to_string(options.bytes_max));
  return json.take();
}

}  // namespace midplane::inline v0
