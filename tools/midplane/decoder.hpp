#pragma once
/// Messages as text by the schema that their publisher hands out, asked for at the first message of each topic.

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include <midplane/message.hpp>

#include "catalogue.hpp"

namespace midplane::tool {

class Decoder {
 public:
  explicit Decoder(Session& session) : session_{session}, catalogue_{session} {}

  struct Text {
    std::string type;   ///< empty: raw bytes, or not known
    std::string json;   ///< empty: can not be decoded
    std::string why;    ///< why not
  };
  [[nodiscard]] Text decode(const AnyMessage& message);
  /// A restarted peer may publish other types.
  void forget(const std::string& peer);

 private:
  struct Known {
    std::shared_ptr<const TypeSchema> schema;  ///< null: raw bytes, or not known
    std::string why;
  };
  Known ask(const std::string& peer, std::string_view topic);

  Session& session_;
  Catalogue catalogue_;
  std::map<std::pair<std::string, std::string>, Known> known_;
};

}  // namespace midplane::tool
