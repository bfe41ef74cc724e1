#pragma once
/// What the peers publish, take and serve, and the schemas of it, asked for once.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "session.hpp"

namespace midplane::tool {

class Catalogue {
 public:
  explicit Catalogue(Session& session) : session_{session} {}

  /// Asks every peer anew.
  void refresh() { told_ = session_.ask_all(); }
  [[nodiscard]] const std::vector<Session::Told>& told() const noexcept { return told_; }

  /// The schema of a type of that peer; null: raw bytes. Asked for once per fingerprint.
  [[nodiscard]] Result<std::shared_ptr<const TypeSchema>> schema(const std::string& peer, const TypeDescription& type);

  /// A type and the peer that has it.
  struct Found {
    std::string peer;
    TypeDescription type;
  };
  /// Of a topic: by its publisher, else by a subscription that takes it. A `type` without fingerprint: raw bytes only.
  [[nodiscard]] std::optional<Found> topic(std::string_view name) const;
  /// Is a topic published that the pattern stands for?
  [[nodiscard]] bool has_topic_like(std::string_view pattern) const;
  struct FoundService {
    std::string peer;
    ServiceDescription service;
  };
  [[nodiscard]] std::optional<FoundService> service(std::string_view name) const;
  /// Of everything that they have, as often as they have it.
  [[nodiscard]] std::vector<Found> types() const;

  /// For messages: "host.db1.cpu, host.db1.disk and 3 more".
  [[nodiscard]] std::string topics_text() const;
  [[nodiscard]] std::string services_text() const;
  [[nodiscard]] std::string subscriptions_text() const;

 private:
  Session& session_;
  std::vector<Session::Told> told_;
  std::map<std::uint64_t, std::shared_ptr<const TypeSchema>> schemas_;
};

/// At most so many, by name, each once; `none` when there are none.
[[nodiscard]] std::string some_of(std::vector<std::string> names, std::size_t shown_max = 5);

}  // namespace midplane::tool
