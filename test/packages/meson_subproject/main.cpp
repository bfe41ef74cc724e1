// A library of books: one pattern sees the loans of every branch.
#include <cstdio>

#include <midplane/midplane.hpp>

#include "books_midplane.hpp"

int failed(const midplane::Error& error) {
  std::fprintf(stderr, "%s\n", error.message().c_str());
  return 1;
}

int main() {
  auto bus = midplane::Bus::open();
  if (!bus) return failed(bus.error());

  auto pattern = midplane::Pattern<books::Loan>::parse("library.*.loans");
  if (!pattern) return failed(pattern.error());
  auto subscription = bus->subscribe(*pattern, [](const midplane::Message<books::Loan>& loan) {
    std::printf("%s: %s by %s\n", std::string{loan.topic()}.c_str(), loan->title()->c_str(), loan->reader()->c_str());
  });
  if (!subscription) return failed(subscription.error());

  auto topic = books::library::loans("harbour");
  if (!topic) return failed(topic.error());
  auto loans = bus->publisher(*topic);
  if (!loans) return failed(loans.error());
  auto published = loans->publish([](flatbuffers::FlatBufferBuilder& b) {
    return books::CreateLoanDirect(b, "Moby-Dick", "Ishmael");
  });
  if (!published) return failed(published.error());

  auto server = bus->serve(books::library::find, [](const midplane::Request<books::Search>&) {
    return [](flatbuffers::FlatBufferBuilder& b) { return books::CreateShelf(b, 42); };
  });
  auto client = bus->client(books::library::find);
  if (!server || !client) return 1;
  auto answer = client->request([](flatbuffers::FlatBufferBuilder& b) {
    return books::CreateSearchDirect(b, "Moby-Dick");
  }).get();
  if (!answer) return failed(answer.error());
  const auto shelf = (*answer)->number();
  bus->drain(std::chrono::seconds{5});  // the loan has been printed
  std::printf("asked: shelf %u\n", shelf);
}
