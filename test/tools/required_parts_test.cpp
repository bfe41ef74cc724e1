// An object-API value that FlatBuffers could not pack is refused with the name of what it lacks.

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <midplane/describe.hpp>
#include <midplane/midplane.hpp>

#include "required_midplane.hpp"

namespace {

using namespace midplane;

static_assert(HasRequiredParts<required::Hub> && HasRequiredParts<required::Car> && HasRequiredParts<required::Question>);
static_assert(!HasRequiredParts<required::Plain> && !HasRequiredParts<required::Stone>);

std::unique_ptr<required::WheelT> wheel() {
  auto made = std::make_unique<required::WheelT>();
  made->hub = std::make_unique<required::HubT>();
  made->hub->at = std::make_unique<required::Place>(1.0F, 2.0F);
  return made;
}

required::LoadUnion load() {
  required::LoadUnion made;
  made.Set(required::WheelT{*wheel()});
  return made;
}

required::CarT whole_car() {
  required::CarT car;
  car.class_ = wheel();
  car.wheels.push_back(wheel());
  car.load = load();
  car.loads.push_back(load());
  return car;
}

TEST_CASE("a value with all its required parts is packed") {
  Bus bus = Bus::open({.name = "whole"}).value();
  constexpr Topic<required::Car> cars{"cars"};
  auto publisher = bus.publisher(cars).value();
  required::CarT car = whole_car();
  CHECK(publisher.publish(car));
  car.towed = std::make_unique<required::CarT>(whole_car());
  CHECK(publisher.publish(car));
}

TEST_CASE("a value that lacks a required part is malformed, and the field is named, however deep") {
  using Car = required::CarT;
  struct Lack {
    const char* field;
    std::function<void(Car&)> take;
  };
  const std::vector<Lack> lacks{
      {"required.Car.class", [](Car& car) { car.class_.reset(); }},
      {"required.Wheel.hub", [](Car& car) { car.class_->hub.reset(); }},
      {"required.Hub.at", [](Car& car) { car.class_->hub->at.reset(); }},
      {"required.Car.wheels[]", [](Car& car) { car.wheels.emplace_back(); }},
      {"required.Hub.at", [](Car& car) { car.wheels[0]->hub->at.reset(); }},
      {"required.Car.load", [](Car& car) { car.load.Reset(); }},
      {"required.Wheel.hub", [](Car& car) { car.load.AsWheel()->hub.reset(); }},
      {"required.Wheel.hub", [](Car& car) { car.roof.Set(required::WheelT{}); }},
      {"required.Hub.at", [](Car& car) { car.roof.type = required::Load::Spare, car.roof.value = new required::HubT; }},
      {"required.Car.roof", [](Car& car) { car.roof.type = required::Load::Stone; }},
      {"required.Car.loads[]", [](Car& car) { car.loads.emplace_back(); }},
      {"required.Wheel.hub", [](Car& car) { car.loads[0].AsWheel()->hub.reset(); }},
      {"required.Car.class", [](Car& car) { car.towed = std::make_unique<Car>(); }},
  };
  Bus bus = Bus::open({.name = "lacking"}).value();
  constexpr Topic<required::Car> cars{"cars"};
  auto publisher = bus.publisher(cars).value();
  for (const Lack& lack : lacks) {
    Car car = whole_car();
    lack.take(car);
    auto published = publisher.publish(car);
    REQUIRE_FALSE(published);
    CHECK(published.error().code() == ErrorCode::malformed);
    CHECK(published.error().message().find('(' + std::string{lack.field} + ')') != std::string::npos);
  }
}

struct Log final : LogSink {
  void log(const LogRecord& record) noexcept override {
    if (record.code != "bus.reply_unsendable") return;
    lines.emplace_back(name_of(record.level));
    for (const LogField& field : record.fields) lines.back().append(" ").append(field.value);
  }
  std::vector<std::string> lines;
};

TEST_CASE("a server that replies with what lacks a required part is logged once, and each such reply counted") {
  const auto log = std::make_shared<Log>();
  Bus bus = Bus::open({.name = "lacking", .executor = manual_executor(), .log = log}).value();
  constexpr Service<Bytes, required::Car> one{"one"}, other{"other"}, many{"many"};
  const auto lacking = [](const Request<Bytes>&) { return required::CarT{}; };
  auto first = bus.serve(one, lacking).value();
  auto second = bus.serve(other, lacking).value();
  auto streaming = bus.serve(many, [](Request<Bytes>, StreamResponder<required::Car> to) {
    CHECK_FALSE(to.send(required::CarT{}));
    CHECK(to.finish());
  }).value();
  const std::array<std::byte, 1> question{};
  const auto ask = [&](const auto& service) { return bus.client(service)->request(std::span{question}).get(); };
  for (int i = 0; i < 3; ++i) CHECK_FALSE(ask(one));
  CHECK_FALSE(ask(other));
  CHECK(bus.client(many)->open(std::span{question}).next(std::chrono::seconds{1}));
  REQUIRE(log->lines.size() == 3);
  CHECK(log->lines[0].starts_with("error one malformed: "));
  CHECK(log->lines[0].ends_with("(required.Car.class)"));
  CHECK(log->lines[1].starts_with("error other malformed: "));
  CHECK(log->lines[2].starts_with("error many malformed: "));
  const Description told = describe(bus);
  const auto counter = std::find_if(told.counters.begin(), told.counters.end(),
                                    [](const CounterDescription& all) { return all.name == "replies_unsendable"; });
  REQUIRE(counter != told.counters.end());
  CHECK(counter->value == 5);
}

TEST_CASE("a request and a reply that lack a required part are malformed") {
  Bus bus = Bus::open({.name = "asking", .executor = manual_executor()}).value();
  constexpr Service<required::Question, required::Car> ask{"ask"};
  std::string refused;
  auto server = bus.serve(ask, [&](Request<required::Question>, Responder<required::Car> to) {
    auto replied = to.reply(required::CarT{});
    if (!replied) refused = replied.error().message();
  }).value();
  auto client = bus.client(ask).value();
  required::QuestionT question;
  question.car = std::make_unique<required::CarT>();
  auto unasked = client.request(question).get();
  REQUIRE_FALSE(unasked);
  CHECK(unasked.error().code() == ErrorCode::malformed);
  question.car = std::make_unique<required::CarT>(whole_car());
  auto answer = client.request(question).get();
  REQUIRE_FALSE(answer);
  CHECK(answer.error().message().find("(required.Car.class)") != std::string::npos);
  CHECK(refused.find("(required.Car.class)") != std::string::npos);
}

}  // namespace
