/// The options of the ZeroMQ transport, and the addresses it takes.
#include <string>

#include <midplane/midplane.hpp>
#include <midplane/zmq.hpp>

#include "rows.hpp"

using namespace std::chrono_literals;

namespace midplane::sweep {
namespace {

void attach(const char* option, const char* value, zmq::TransportOptions options) {
  auto bus = Bus::open({.executor = manual_executor()}).value();
  row({"options", std::string{"zmq::TransportOptions::"} + option, value, answer(bus.attach(zmq::transport(std::move(options))))});
}

}  // namespace

void far_options() {
  for (const char* address : {"", "7400", "http://127.0.0.1:80", "tcp://127.0.0.1", "tcp://:7400", "tcp://127.0.0.1:70000",
                              "tcp://127.0.0.1:x", "tcp://256.0.0.1:7400", "tcp://host.example:7400", "tcp://::1:7400",
                              "tcp://[::1:7400", "tcp://[::x]:7400", "tcp://a b:7400", "ipc://", "ipc://@abstract",
                              "ipc:///a/directory/"})
    attach("listen", (std::string{"\""} + address + '"').c_str(), {.listen = {address}});
  attach("listen", "an ipc path of 108 bytes", {.listen = {"ipc:///" + std::string(107, 'x')}});
  attach("listen", "none, and peers none", {});
  attach("listen", "the same twice", {.listen = {"ipc://twice", "ipc://twice"}});
  attach("listen", "in a folder that is not there", {.listen = {"ipc:///nowhere/at/all"}});
  for (const char* address : {"7400", "tcp://*:7400", "tcp://0.0.0.0:7400", "tcp://127.0.0.1:0"})
    attach("peers", (std::string{"\""} + address + '"').c_str(), {.peers = {address}});
  attach("insecure", "false, and listen \"tcp://*:0\"", {.listen = {"tcp://*:0"}});
  attach("insecure", "false, and peers \"tcp://192.0.2.1:7400\"", {.peers = {"tcp://192.0.2.1:7400"}});
  attach("send_frames", "0", {.send_frames = 0});
  attach("send_frames", "1048577", {.send_frames = 1048577});
  attach("receive_frames", "0", {.receive_frames = 0});
  attach("receive_frames", "1048577", {.receive_frames = 1048577});
  attach("linger", "-1 ns", {.linger = -1ns});
  attach("linger", "61 s", {.linger = 61s});
  attach("preempt", "any", {.listen = "tcp://127.0.0.1:0", .preempt = true});
  attach("dial_timeout", "0", {.dial_timeout = 0ns});
  attach("dial_timeout", "61 min", {.dial_timeout = 61min});
  auto bus = Bus::open({.executor = manual_executor()}).value();
  row({"codes", "invalid_endpoint", "not_started", bus.attach(zmq::transport({.listen = {"7400"}})).error().message()});
  row({"codes", "transport_failed", "not_started",
       bus.attach(zmq::transport({.listen = {"ipc:///nowhere/at/all"}})).error().message()});
  row({"options", "Bus::attach", "null", answer(bus.attach(nullptr))});
}

}  // namespace midplane::sweep
