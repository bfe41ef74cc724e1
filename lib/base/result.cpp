#include <midplane/result.hpp>

#include <cstdio>
#include <cstdlib>

namespace midplane::inline v0 {

std::string_view name_of(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::busy: return "busy";
    case ErrorCode::no_server: return "no_server";
    case ErrorCode::expired: return "expired";
    case ErrorCode::denied: return "denied";
    case ErrorCode::schema_mismatch: return "schema_mismatch";
    case ErrorCode::malformed: return "malformed";
    case ErrorCode::too_large: return "too_large";
    case ErrorCode::no_memory: return "no_memory";
    case ErrorCode::app_error: return "app_error";
    case ErrorCode::handler_failed: return "handler_failed";
    case ErrorCode::abandoned: return "abandoned";
    case ErrorCode::timed_out: return "timed_out";
    case ErrorCode::cancelled: return "cancelled";
    case ErrorCode::peer_lost: return "peer_lost";
    case ErrorCode::closed: return "closed";
    case ErrorCode::full: return "full";
    case ErrorCode::would_deadlock: return "would_deadlock";
    case ErrorCode::no_credit: return "no_credit";
    case ErrorCode::invalid_name: return "invalid_name";
    case ErrorCode::invalid_option: return "invalid_option";
    case ErrorCode::invalid_endpoint: return "invalid_endpoint";
    case ErrorCode::invalid_schema: return "invalid_schema";
    case ErrorCode::version_mismatch: return "version_mismatch";
    case ErrorCode::duplicate: return "duplicate";
    case ErrorCode::transport_failed: return "transport_failed";
    case ErrorCode::unsupported: return "unsupported";
  }
  return "unknown";
}

std::string_view name_of(Fate fate) noexcept {
  switch (fate) {
    case Fate::not_started: return "not_started";
    case Fate::failed: return "failed";
    case Fate::maybe_executed: return "maybe_executed";
  }
  return "unknown";
}

std::string Error::message() const {
  std::string line{name_of(code_)};
  line.append(": ").append(text_);
  if (app_code_ != 0) line.append(" [").append(std::to_string(app_code_)).append("]");
  if (!detail().empty()) line.append(" (").append(detail()).append(")");
  return line;
}

Error Error::with(std::string_view detail) const {
  Error copy{*this};
  try {
    copy.detail_ = std::make_shared<const std::string>(detail);
  } catch (const std::bad_alloc&) {
    // The code and the static text still say what happened.
  }
  return copy;
}

Error Error::with_app_code(std::int32_t app_code) const noexcept {
  Error copy{*this};
  copy.app_code_ = app_code;
  return copy;
}

Error Error::with_fate(Fate fate) const noexcept {
  Error copy{*this};
  copy.fate_ = fate;
  return copy;
}

namespace detail {
void bad_result_access(const Error& error) noexcept {
  std::fprintf(stderr, "midplane: value() was called on a Result that holds an error: %s\n", error.message().c_str());
  std::exit(70);
}
}  // namespace detail

}  // namespace midplane::inline v0
