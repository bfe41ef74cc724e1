#pragma once
/// What the operating system or libzmq refused, as an Error.

#include <zmq.h>

#include <cerrno>
#include <string>
#include <string_view>

#include <midplane/result.hpp>

namespace midplane::inline v0::zmq {

inline Error system_error(const char* text, int number) {
  return Error{ErrorCode::transport_failed, text}.with(zmq_strerror(number));
}
/// `what`: the file or address that it was about.
inline Error system_error(const char* text, int number, std::string_view what) {
  return Error{ErrorCode::transport_failed, text}.with(std::string{what}.append(": ").append(zmq_strerror(number)));
}

}  // namespace midplane::inline v0::zmq
