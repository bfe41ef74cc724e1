// A type whose header was generated without --gen-object-api is published by a builder, by both compilers.
// expect-error: no value, builder, message or bytes of the topic's payload type

#include <midplane/midplane.hpp>

struct Bare final : private flatbuffers::Table {
  bool Verify(flatbuffers::Verifier& verifier) const { return VerifyTableStart(verifier) && verifier.EndTable(); }
};
template <>
struct midplane::SchemaOf<Bare> {
  static const TypeInfo& info() noexcept;
};

bool publish(midplane::Publisher<Bare>& publisher) {
#ifdef GOOD
  return publisher.publish([](flatbuffers::FlatBufferBuilder& builder) {
    return flatbuffers::Offset<Bare>{builder.EndTable(builder.StartTable())};
  }).has_value();
#else
  return publisher.publish(1).has_value();
#endif
}
