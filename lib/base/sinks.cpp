#include <midplane/extend/event_sink.hpp>
#include <midplane/extend/log_sink.hpp>

namespace midplane::inline v0 {

std::string_view name_of(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::debug: return "debug";
    case LogLevel::info: return "info";
    case LogLevel::warning: return "warning";
    case LogLevel::error: return "error";
  }
  return "unknown";
}

std::string_view name_of(EventKind kind) noexcept {
  switch (kind) {
    case EventKind::peer_up: return "peer_up";
    case EventKind::peer_lost: return "peer_lost";
    case EventKind::peer_refused: return "peer_refused";
    case EventKind::confirmed: return "confirmed";
    case EventKind::gap: return "gap";
    case EventKind::incarnation_changed: return "incarnation_changed";
    case EventKind::schema_mismatch: return "schema_mismatch";
    case EventKind::handler_failed: return "handler_failed";
    case EventKind::drained: return "drained";
    case EventKind::closed: return "closed";
  }
  return "unknown";
}

}  // namespace midplane::inline v0
