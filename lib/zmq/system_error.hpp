#pragma once
/// What the operating system or libzmq refused, as an Error.

#include <zmq.h>

#include <cerrno>

#include <midplane/result.hpp>

namespace midplane::inline v0::zmq {

inline Error system_error(const char* text, int number) {
  return Error{ErrorCode::transport_failed, text}.with(zmq_strerror(number));
}

}  // namespace midplane::inline v0::zmq
