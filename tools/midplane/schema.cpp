// Types: shown as tables, compared, saved, and used to read a payload that lies in a file.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <charconv>
#include <iostream>
#include <memory>
#include <set>

#include <flatbuffers/reflection_generated.h>

#include "commands.hpp"
#include "files.hpp"
#include "sources.hpp"
#include "text.hpp"

namespace midplane::tool {
namespace {

struct Options {
  Where where;
  std::string name, other, save, type;
};

// ---- show ----

/// Writes a type, or a part of its schema, and all that it reaches, each once. The schema was verified when it came.
class Shown {
 public:
  Shown(const TypeSchema& type, const std::string& part, bool json) : schema_{*reflection::GetSchema(type.bfbs.data())}, json_{json} {
    if (!json && part.empty()) std::cout << type.type << "  fingerprint " << hex16(type.fingerprint) << '\n';
    if (!json && !part.empty()) std::cout << part << "  in the schema of " << type.type << '\n';
    const std::string& name = part.empty() ? type.type : part;
    for (const auto* object : *schema_.objects()) {
      if (object->name()->string_view() == name) reach(*object);
    }
    for (const auto* named : *schema_.enums()) {
      if (named->name()->string_view() == name) reach(*named);
    }
  }

 private:
  void reach(const reflection::Object& object) {
    if (!seen_.insert(&object).second) return;
    show(object);
    for (const auto* field : in_order(object)) reach(*field->type());
  }
  void reach(const reflection::Type& type) {
    if (type.index() < 0) return;
    const auto base = element_of(type);
    const auto index = static_cast<flatbuffers::uoffset_t>(type.index());
    if (base == reflection::Obj) return reach(*schema_.objects()->Get(index));
    reach(*schema_.enums()->Get(index));
  }
  void reach(const reflection::Enum& named) {
    if (!seen_.insert(&named).second) return;
    show(named);
    if (!named.is_union()) return;
    for (const auto* value : *named.values()) {
      if (value->union_type() && value->union_type()->base_type() == reflection::Obj) reach(*value->union_type());
    }
  }
  static reflection::BaseType element_of(const reflection::Type& type) noexcept {
    const bool many = type.base_type() == reflection::Vector || type.base_type() == reflection::Array;
    return many ? type.element() : type.base_type();
  }
  static std::string shortest(double number) {
    std::array<char, 32> digits{};
    return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr};
  }
  static std::vector<const reflection::Field*> in_order(const reflection::Object& object) {
    std::vector<const reflection::Field*> fields{object.fields()->begin(), object.fields()->end()};
    std::sort(fields.begin(), fields.end(), [](const auto* a, const auto* b) { return a->id() < b->id(); });
    return fields;
  }

  std::string text_of(const reflection::Type& type) const {
    static constexpr const char* scalars[] = {"none", "kind", "bool", "byte", "ubyte", "short", "ushort", "int", "uint",
                                              "long", "ulong", "float", "double", "string"};
    const auto base = element_of(type);
    std::string text = base <= reflection::String ? scalars[base] : "?";
    if (type.index() >= 0) {
      const auto index = static_cast<flatbuffers::uoffset_t>(type.index());
      const std::string name = base == reflection::Obj ? schema_.objects()->Get(index)->name()->str() : schema_.enums()->Get(index)->name()->str();
      text = base == reflection::UType ? "kind of " + name : name;
    }
    if (type.base_type() == reflection::Vector) return "[" + text + "]";
    if (type.base_type() == reflection::Array) return "[" + text + ":" + std::to_string(type.fixed_length()) + "]";
    return text;
  }
  std::string default_of(const reflection::Field& field, bool in_struct) const {
    const auto base = field.type()->base_type();
    if (field.optional()) return base >= reflection::Bool && base <= reflection::Double ? "null" : "";
    if (in_struct || base < reflection::Bool || base > reflection::Double) return {};
    if (base == reflection::Float || base == reflection::Double) return shortest(field.default_real());
    if (base == reflection::ULong) return std::to_string(static_cast<std::uint64_t>(field.default_integer()));
    if (base == reflection::Bool) return field.default_integer() != 0 ? "true" : "false";
    if (field.type()->index() >= 0) {
      for (const auto* value : *schema_.enums()->Get(static_cast<flatbuffers::uoffset_t>(field.type()->index()))->values()) {
        if (value->value() == field.default_integer()) return value->name()->str();
      }
    }
    return std::to_string(field.default_integer());
  }

  void show(const reflection::Object& object) {
    const char* kind = object.is_struct() ? "struct" : "table";
    Table table{{"  FIELD", "TYPE", ">ID", "DEFAULT", ""}};
    std::string fields;
    for (const auto* field : in_order(object)) {
      const std::string fallback = default_of(*field, object.is_struct());
      const char* mark = field->required() ? "required" : field->deprecated() ? "deprecated" : "";
      table.add({"  " + field->name()->str(), text_of(*field->type()), std::to_string(field->id()), fallback, mark});
      JsonLine line;
      line.text("name", field->name()->string_view()).text("type", text_of(*field->type())).number("id", field->id());
      line.text("default", fallback).boolean("required", field->required()).boolean("deprecated", field->deprecated());
      fields.append(fields.empty() ? "" : ",").append(line.str());
    }
    if (json_)
      std::cout << JsonLine{}.text("kind", kind).text("name", object.name()->string_view()).raw("fields", "[" + fields + "]");
    else
      std::cout << '\n' << kind << ' ' << object.name()->string_view() << (table.empty() ? "  (no fields)\n" : "\n");
    if (!json_ && !table.empty()) std::cout << table;
  }

  void show(const reflection::Enum& named) {
    const char* kind = named.is_union() ? "union" : "enum";
    std::string values;
    Table table{{"  VALUE", ">NUMBER"}};
    for (const auto* value : *named.values()) {
      table.add({"  " + value->name()->str(), std::to_string(value->value())});
      JsonLine line;
      values.append(values.empty() ? "" : ",").append(line.text("name", value->name()->string_view()).raw("number", std::to_string(value->value())).str());
    }
    if (json_) std::cout << JsonLine{}.text("kind", kind).text("name", named.name()->string_view()).raw("values", "[" + values + "]");
    else std::cout << '\n' << kind << ' ' << named.name()->string_view() << '\n' << table;
  }

  const reflection::Schema& schema_;
  const bool json_;
  std::set<const void*> seen_;
};

/// Writes the topics and services that carry one of the types, as the types' own schemas declare them.
class Carriers {
 public:
  explicit Carriers(bool json) : json_{json} {}

  void show(const TypeSchema& type) {
    const reflection::Schema& schema = *reflection::GetSchema(type.bfbs.data());
    if (schema.services() == nullptr) return;
    for (const auto* service : *schema.services()) {
      if (service->calls() == nullptr) continue;
      for (const auto* call : *service->calls()) {
        if (call->request()->name()->string_view() == type.type || call->response()->name()->string_view() == type.type)
          show(*service, *call);
      }
    }
  }

 private:
  void show(const reflection::Service& service, const reflection::RPCCall& call) {
    const std::string request = call.request()->name()->str(), reply = call.response()->name()->str();
    const bool is_topic = reply == "midplane.Topic";
    const std::string name = contract_name(service, call);
    std::string words;
    JsonLine attributes;
    if (call.attributes() != nullptr) {
      for (const auto* pair : *call.attributes()) {
        const std::string key = pair->key()->str();
        std::string value = pair->value() ? pair->value()->str() : "";
        if (std::find(known_.begin(), known_.end(), key) != known_.end()) {
          const bool is_flag = key == "retain" || key == "idempotent";
          if (is_flag) value = value == "false" ? "false" : "true";  // flatc gives one without a value 0
          words.append(words.empty() ? ": " : ", ").append(key).append(" ").append(value);
          attributes.text(key, value);
        }
      }
    }
    if (!seen_.insert(name).second) return;
    if (json_) {
      JsonLine line;
      line.text("kind", is_topic ? "topic" : "service").text("name", name);
      if (is_topic) line.text("type", request);
      else line.text("request", request).text("reply", reply);
      std::cout << line.raw("attributes", attributes.str());
      return;
    }
    if (seen_.size() == 1) std::cout << '\n';
    if (is_topic) std::cout << "topic " << shown(name) << " of " << request << shown_words(words) << '\n';
    else std::cout << "service " << shown(name) << ", asked with " << request << ", answers with " << reply << shown_words(words) << '\n';
  }
  static std::string shown_words(const std::string& words) { return words.empty() ? words : shown(words); }

  static constexpr std::array<std::string_view, 7> known_{"overflow", "queue", "queue_bytes", "retain", "timeout_ms", "idempotent", "streaming"};
  const bool json_;
  std::set<std::string> seen_;
};

Exit show(const Options& options) {
  const auto [types, part, is_service] = Sources{options.where, options.type}.find(options.name);
  if (!part.empty() && !options.save.empty())
    stop(Exit::usage, "--save writes a table with all it reaches; name one that has " + part + ", like " + types.front()->type);
  bool first = true;
  for (const auto& type : types) {
    if (!options.where.json && is_service) std::cout << (first ? "asked with " : "\nanswers with ");
    else if (!options.where.json && !first) std::cout << '\n';
    first = false;
    Shown{*type, part, options.where.json};
  }
  if (!part.empty()) return Exit::done;
  Carriers carriers{options.where.json};
  for (const auto& type : types) carriers.show(*type);
  if (!options.save.empty()) {
    if (types.size() != 1) stop(Exit::usage, "--save writes one type; name the type instead of the service or pattern");
    write_file(options.save, types.front()->bfbs);
    note("wrote " + options.save + ", " + bytes_text(static_cast<double>(types.front()->bfbs.size())));
  }
  return Exit::done;
}

// ---- check ----

Exit check(const Options& options) {
  Sources sources{options.where, options.type};
  const bool file_last = is_file(options.other);
  const auto first = sources.payload(file_last ? options.name : options.other);
  const auto second = sources.payload(file_last ? options.other : options.name, first->type);
  const auto &here = file_last ? first : second, &there = file_last ? second : first;
  const auto agreed = agree(here->info(), there->info());
  const bool same = here->fingerprint == there->fingerprint;
  if (options.where.json) {
    JsonLine line;
    line.text("here", here->type).text("there", there->type).boolean("agree", agreed.has_value()).boolean("same", same);
    std::cout << line.text("why", agreed ? std::string_view{} : agreed.error().detail());
  } else if (agreed) {
    std::cout << "agree: " << options.name << " and " << options.other << (same ? " have the same type " : " may meet: one is a permitted evolution of the other, ")
              << here->type << '\n';
  }
  if (!agreed && agreed.error().code() != ErrorCode::schema_mismatch) stop(Exit::trouble, agreed.error().message());
  const bool may_name = options.type.empty() && here->type != there->type && (is_file(options.name) || is_file(options.other));
  if (!agreed) note(agreed.error().message() + (may_name ? "; the file has no table of that name, so its root type was compared; --type NAME names another of its tables" : ""));
  return agreed ? Exit::done : Exit::answer;
}

// ---- decode ----

Exit decode(const Options& options) {
  const auto payload = read_file(options.other);
  const auto type = Sources{options.where, options.type}.payload(options.name);
  const auto text = to_json(payload, type->info(), {.pretty = !options.where.json});
  if (!text) {
    note(shown(options.other) + ", " + plural(payload.size(), "byte") + ": " + text.error().message());
    return Exit::answer;
  }
  if (options.where.json) std::cout << JsonLine{}.text("type", type->type).number("bytes", payload.size()).raw("value", *text);
  else std::cout << *text << '\n';
  return Exit::done;
}

}  // namespace

void add_schema(CLI::App& app, Chosen& chosen) {
  auto* schema = app.add_subcommand("schema", "show types as tables, compare them, or read a payload that lies in a file");
  schema->require_subcommand(1);
  schema->footer("NAME is a topic, a service, a pattern or a type on the buses, or a file that ends with .bfbs (then no bus is asked).\n"
                 "Examples:\n  midplane schema show host.db1.cpu --peer tcp://127.0.0.1:7400\n"
                 "  midplane schema show hostwatch.CpuSample --save cpu.bfbs\n  midplane schema check host.db1.cpu cpu.bfbs\n"
                 "  midplane schema decode cpu.bfbs sample.bin");
  const auto options = std::make_shared<Options>();
  const auto add = [&](const char* name, const char* text, Exit (*what)(const Options&)) {
    auto* command = schema->add_subcommand(name, text);
    command->add_option("NAME", options->name, "a topic, service, pattern or type, or a .bfbs file")->required();
    command->add_option("--type", options->type, "which table of a .bfbs file; otherwise the one it is compared with, or its root type");
    add_where(*command, options->where);
    command->callback([&chosen, options, what] { chosen.run = [options, what](Signals&) { return what(*options); }; });
    return command;
  };
  add("show", "the fields of a type and of all it reaches, and the topics and services that carry it", show)->add_option("--save", options->save, "also write it as a .bfbs file");
  add("check", "may programs with these two types meet?", check)->add_option("OTHER", options->other, "what to compare it with")->required();
  add("decode", "a payload as JSON", decode)->add_option("FILE", options->other, "the payload's bytes; '-': stdin")->required();
}

}  // namespace midplane::tool
