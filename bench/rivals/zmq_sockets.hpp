#pragma once
/// What the libzmq rivals share: a context, sockets, sending and receiving 64 bytes the fast way.

#include <zmq.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "harness/payload.hpp"

namespace midplane::bench {

/// Messages a pipe may hold at each of its two ends. Between 10^3 and 10^5 this was the fastest.
inline constexpr int zmq_high_water = 10000;

inline void must(bool done, const char* what) {
  if (done) return;
  std::fprintf(stderr, "libzmq rival: %s: %s\n", what, zmq_strerror(zmq_errno()));
  std::exit(1);
}

/// Turns of `relax` after an empty look: about 20 µs. Looking again at once and sleeping in `recv` were
/// slower by 15 %.
inline constexpr unsigned zmq_pause = 1000;

class ZmqContext {
 public:
  // In process there is none for an I/O thread to do.
  explicit ZmqContext(int io_threads = 0) : context_{zmq_ctx_new(), &zmq_ctx_term} {
    zmq_ctx_set(context_.get(), ZMQ_IO_THREADS, io_threads);
  }
  [[nodiscard]] void* get() const { return context_.get(); }

 private:
  std::unique_ptr<void, int (*)(void*)> context_;
};

class ZmqSocket {
 public:
  ZmqSocket(const ZmqContext& context, int type, int high_water = zmq_high_water)
      : socket_{zmq_socket(context.get(), type), &zmq_close} {
    must(socket_ != nullptr, "socket");
    set(ZMQ_SNDHWM, high_water);
    set(ZMQ_RCVHWM, high_water);
    set(ZMQ_LINGER, 0);
  }
  void set(int option, int value) {
    must(zmq_setsockopt(socket_.get(), option, &value, sizeof value) == 0, "option");
  }
  void subscribe_all() { must(zmq_setsockopt(socket_.get(), ZMQ_SUBSCRIBE, "", 0) == 0, "subscribe"); }
  void bind(const char* name) { must(zmq_bind(socket_.get(), name) == 0, "bind"); }
  [[nodiscard]] void* get() const { return socket_.get(); }
  void connect(const char* name) { must(zmq_connect(socket_.get(), name) == 0, "connect"); }

  /// Written in place: one allocation inside libzmq, no copy. Waits at the high-water mark.
  void send(std::uint64_t sequence) {
    zmq_msg_t message;
    zmq_msg_init_size(&message, sizeof(Payload));
    write(*static_cast<Payload*>(zmq_msg_data(&message)), sequence);
    must(zmq_msg_send(&message, socket_.get(), 0) >= 0, "send");
  }
  /// False when there is nothing. Never waits.
  template <class Look>
  bool receive(Look&& look) {
    zmq_msg_t message;
    zmq_msg_init(&message);
    const bool received = zmq_msg_recv(&message, socket_.get(), ZMQ_DONTWAIT) >= 0;
    if (received) look(*static_cast<const Payload*>(zmq_msg_data(&message)));
    zmq_msg_close(&message);
    return received;
  }

 private:
  std::unique_ptr<void, int (*)(void*)> socket_;
};

}  // namespace midplane::bench
