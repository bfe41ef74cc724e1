// Asks a service with a question written as JSON; prints one reply, or each of a stream.

#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>
#include <memory>

#include "catalogue.hpp"
#include "commands.hpp"
#include "counts.hpp"
#include "output.hpp"
#include "text.hpp"

namespace midplane::tool {
namespace {

using std::chrono::steady_clock;
constexpr Duration slice = std::chrono::milliseconds{100};  // how late Ctrl-C may be noticed

struct Options {
  Where where;
  std::string service;
  std::string json = "{}";
  std::uint64_t count = 0;
  std::string duration;
  bool pretty = false;
  bool raw = false;
};

class Req {
 public:
  Req(const Options& options, Signals& signals) : options_{options}, signals_{signals} {}

  Exit run() {
    const auto service = Service<Bytes, Bytes>::named(options_.service);
    if (!service) stop(Exit::usage, service.error().message());
    const Duration lasts = options_.duration.empty() ? Duration::zero() : duration_of(options_.duration, "--for");
    const auto session = Session::reach(options_.where);
    find(*session);
    const auto question = question_of(session->bus());

    auto client = session->bus().client(*service);
    if (!client) stop(Exit::trouble, client.error().message());
    const auto served = session->patiently(session->timeout(), "a server of " + options_.service,
                                           [&](Duration duration) { return client->wait_server(duration); });
    if (!served) stop(Exit::nothing, "nobody serves " + options_.service + " now: " + served.error().message());
    signals_.on_first([] {});
    const auto asked = steady_clock::now();
    // As a stream: of a service that does not stream it has the one reply.
    auto replies = client->open(std::span<const std::byte>{question}, {.timeout = std::max(session->timeout(), lasts)});
    while (!signals_.fired() && (options_.count == 0 || replies_ < options_.count)) {
      const auto waited = steady_clock::now() - asked;
      if (lasts > Duration::zero() && waited >= lasts) break;
      const auto reply = replies.next(slice);
      if (!reply && reply.error().code() == ErrorCode::timed_out && reply.error().fate() == Fate::not_started) {
        if (!told_ && replies_ == 0 && waited > std::chrono::seconds{1}) told_ = true, note("waiting for " + options_.service + " to answer ...");
        write_out();
        continue;
      }
      // Behind the one reply of a service that does not stream.
      if (!reply && replies_ == 1 && reply.error().code() == ErrorCode::unsupported) break;
      if (!reply) return failed(reply.error(), lasts);
      if (!*reply) break;
      show(**reply);
      if (!std::cout) write_out();
    }
    write_out();
    if (replies_ > 0) return Exit::done;
    if (signals_.fired()) return Exit::interrupted;
    note("the reply is an empty stream: " + options_.service + " had nothing to say to this question");
    return Exit::nothing;
  }

 private:
  void find(Session& session) {
    Catalogue catalogue{session};
    catalogue.refresh();
    const auto found = catalogue.service(options_.service);
    if (!found && catalogue.topic(options_.service))
      stop(Exit::nothing, options_.service + " is a topic, not a service: `midplane sub` or `midplane pub`; served there: " + catalogue.services_text());
    if (!found) stop(Exit::nothing, "nobody serves " + options_.service + "; served there: " + catalogue.services_text());
    const auto schema = [&](const TypeDescription& type) {
      auto asked = catalogue.schema(found->peer, type);
      if (!asked) stop(Exit::answer, "no schema of " + type.name + " from " + found->peer + ": " + asked.error().message());
      return std::move(*asked);
    };
    request_ = schema(found->service.request);
    reply_ = schema(found->service.reply);
  }

  std::vector<std::byte> question_of(Bus&) const {
    if (options_.raw || !request_) {
      if (!options_.raw)
        stop(Exit::usage, options_.service + " is asked with raw bytes: give --raw to send the text as it is");
      const auto bytes = std::as_bytes(std::span{options_.json});
      return {bytes.begin(), bytes.end()};
    }
    auto question = from_json(options_.json, request_->info());
    if (!question)
      stop(Exit::usage, question.error().message() + "; nothing was asked; `midplane schema show " + options_.service + "` shows the types");
    return std::move(*question);
  }

  void show(const Message<Bytes>& reply) {
    ++replies_;
    Result<std::string> text = Error{ErrorCode::unsupported, "raw bytes"};
    if (reply_) text = to_json(reply.bytes(), reply_->info(), {.pretty = options_.pretty && !options_.where.json});
    if (options_.where.json) {
      JsonLine line;
      line.text("service", options_.service).text("peer", reply.peer());
      if (reply_) line.text("type", reply_->type);
      else line.raw("type", "null");
      if (text) line.raw("reply", *text);
      else line.raw("reply", "null").text("hex", hex_of(reply.bytes()));
      std::cout << line;
    } else if (text) {
      std::cout << *text << '\n';
    } else if (is_text(letters(reply.bytes()))) {
      std::cout << quoted(letters(reply.bytes())) << '\n';
    } else {
      std::cout << plural(reply.bytes().size(), "byte") << '\n' << hex_rows(reply.bytes());
    }
  }

  Exit failed(const Error& error, Duration lasts) {
    write_out();
    if (lasts > Duration::zero() && replies_ > 0 && error.code() == ErrorCode::timed_out) return Exit::done;
    if (options_.where.json) {
      const std::string detail{error.detail()};
      std::cout << JsonLine{}.text("service", options_.service)
                       .raw("error", JsonLine{}.text("code", name_of(error.code())).text("fate", name_of(error.fate()))
                                         .raw("app_code", std::to_string(error.app_code())).text("text", error.text())
                                         .text("detail", detail).str());
    }
    std::string text = options_.service + (replies_ > 0 ? " ended its stream: " : " answers: ") + error.message();
    if (error.code() == ErrorCode::timed_out) text += replies_ > 0 ? "; --for lets a stream last longer" : "; --timeout lets it take longer";
    text += error.fate() == Fate::not_started ? "; it was not carried out" : error.fate() == Fate::failed ? "" : "; it may have been carried out";
    note(text);
    return Exit::answer;
  }

  const Options& options_;
  Signals& signals_;
  std::shared_ptr<const TypeSchema> request_, reply_;
  std::uint64_t replies_ = 0;
  bool told_ = false;
};

}  // namespace

void add_req(CLI::App& app, Chosen& chosen) {
  auto* command = app.add_subcommand("req", "ask a service with a question written as JSON; a streamed reply is printed as it comes");
  const auto options = std::make_shared<Options>();
  command->add_option("SERVICE", options->service, "the service's whole name")->required();
  command->add_option("JSON", options->json, "an object with the question's fields")->capture_default_str();
  command->add_option("-n,--count", options->count, "end a stream after so many replies")->check(at_least_one());
  command->add_option("--for", options->duration, "let a stream last so long, like 1h; otherwise the timeout is for all of it");
  command->add_flag("--pretty", options->pretty, "replies over several lines");
  command->add_flag("--raw", options->raw, "ask with the text itself, as raw bytes");
  add_where(*command, options->where);
  command->footer("Examples:\n  midplane req host.db1.processes '{\"limit\":3}' --peer tcp://127.0.0.1:7400\n"
                  "  midplane req host.db1.log '{\"last\":5,\"follow\":true}' --for 1h");
  command->callback([&chosen, options] { chosen.run = [options](Signals& signals) { return Req{*options, signals}.run(); }; });
}

}  // namespace midplane::tool
