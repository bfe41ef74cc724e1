// Problem: the program lives in an Asio io_context and wants the bus in it, on the same thread.
// The manual executor is one descriptor: wait for it to be readable, poll(), wait again. Sockets of a transport too.
#include <asio.hpp>

#include "market.hpp"

/// Runs the bus whenever it has something to do, for as long as the io_context lives.
class BusInAsio {
 public:
  BusInAsio(asio::io_context& io, std::shared_ptr<midplane::ManualExecutor> loop)
      : loop_{std::move(loop)}, descriptor_{io, loop_->descriptor()} {
    wait();
  }
  BusInAsio(const BusInAsio&) = delete;
  ~BusInAsio() { descriptor_.release(); }  // it is the executor's, who closes it

 private:
  void wait() {
    descriptor_.async_wait(asio::posix::descriptor_base::wait_read, [this](const asio::error_code& error) {
      if (error) return;
      loop_->poll();
      wait();
    });
  }
  std::shared_ptr<midplane::ManualExecutor> loop_;
  asio::posix::stream_descriptor descriptor_;
};

int main() {
  asio::io_context io;
  const auto loop = midplane::manual_executor();
  auto bus = must(midplane::Bus::open({.executor = loop}));
  const BusInAsio running{io, loop};

  auto server = must(bus.serve(exchange::market::quote, [](const midplane::Request<exchange::Ask>& asked) {
    return quote(asked->symbol()->c_str(), 12.5);
  }));
  auto client = must(bus.client(exchange::market::quote));

  asio::steady_timer timer{io, std::chrono::milliseconds{1}};
  timer.async_wait([&](const asio::error_code&) {
    std::puts("asio's timer asks");
    client.request(ask("ACME")).then([&](const auto& reply) {
      if (reply) std::printf("%s costs %.2f\n", (*reply)->symbol()->c_str(), (*reply)->price());
      io.stop();
    });
  });
  io.run();  // the only thread there is
}
