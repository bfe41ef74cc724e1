#include "schema/verdicts.hpp"

#include <algorithm>
#include <new>

#include "schema/contract.hpp"
#include "schema/fingerprint.hpp"
#include "schema/schema_limits.hpp"

namespace midplane::inline v0::schema {
namespace {

bool is_settled(const TypeInfo& near, std::uint64_t far_fingerprint) noexcept {
  return near.is_bytes() || far_fingerprint == 0 || near.fingerprint == far_fingerprint;
}

/// A name that a peer claims, safe to print.
std::string printable(std::string_view name) {
  std::string text{name.substr(0, 128)};
  std::replace_if(text.begin(), text.end(), [](char c) {
    return !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.');
  }, '?');
  return text.empty() ? "a type without a name" : text;
}

std::string both(const TypeInfo& near, std::string_view far_type) {
  return std::string{near.name}.append(" here, ").append(printable(far_type)).append(" there");
}

Error unreadable(const TypeInfo& near, std::string_view far_type, std::string_view why) {
  return mismatch(both(near, far_type).append(": the schema from there could not be read: ").append(why));
}

Error no_memory() noexcept { return {ErrorCode::no_memory, "no memory to compare two types"}; }

}  // namespace

std::optional<Result<void>> Verdicts::known(const TypeInfo& near, std::uint64_t far_fingerprint) const try {
  if (is_settled(near, far_fingerprint)) return ok();
  {
    const std::lock_guard lock{mutex_};
    const auto found = verdicts_.find({near.fingerprint, far_fingerprint});
    if (found != verdicts_.end()) return found->second;
  }
  // The far schema may have come for another type of ours, or be one of ours itself.
  const auto far = find(far_fingerprint);
  if (!far) return std::nullopt;
  const auto schema = Schema::load(*far->bfbs);
  if (!schema || !schema->find(far->type)) return std::nullopt;
  return judge(near, far->type, far_fingerprint, *schema);
} catch (const std::bad_alloc&) {
  return no_memory();
}

Result<void> Verdicts::learn(const TypeInfo& near, std::string_view far_type, std::uint64_t far_fingerprint,
                             std::span<const std::byte> far_bfbs) try {
  if (auto verdict = known(near, far_fingerprint)) return std::move(*verdict);
  if (far_bfbs.empty()) return unreadable(near, far_type, "it is not known there");
  if (far_bfbs.size() > far_schema_bytes_max)
    return unreadable(near, far_type, "it has more than 1 MiB; split it or leave its comments out");
  const auto schema = Schema::load(far_bfbs);
  if (!schema && schema.error().code() == ErrorCode::no_memory) return schema.error();
  if (!schema) {
    const std::string_view fault = schema.error().detail();
    return unreadable(near, far_type, fault.empty() ? "these bytes are no binary schema" : fault);
  }
  const auto* type = schema->find(far_type);
  if (!type) return unreadable(near, far_type, "it does not contain the type");
  // Verified, it may still be one that says the same thing a million times; the fingerprint of that is never finished.
  const auto real = fingerprint(*schema, *type, canonical_bytes_max(far_bfbs.size()));
  if (!real || *real != far_fingerprint) return unreadable(near, far_type, "it has another fingerprint than was claimed");
  keep(far_fingerprint, far_type, far_bfbs);
  return judge(near, far_type, far_fingerprint, *schema);
} catch (const std::bad_alloc&) {
  return no_memory();
}

Result<void> Verdicts::judge(const TypeInfo& near, std::string_view far_type, std::uint64_t far_fingerprint,
                             const Schema& far) const {
  const auto here = load_type(near);
  if (!here) return here.error();
  std::string detail = both(near, far_type);
  bool agreed = false;
  if (near.name == far_type) {
    const std::string what = disagreement(*here, far, near.name);
    agreed = what.empty();
    detail.append(": ").append(what);
  }
  if (detail.size() > verdict_detail_bytes_max) detail.replace(verdict_detail_bytes_max - 3, std::string::npos, "...");
  const Result<void> verdict = agreed ? ok() : Result<void>{mismatch(detail)};
  const Pair pair{near.fingerprint, far_fingerprint};
  const std::lock_guard lock{mutex_};
  if (verdicts_.contains(pair)) return verdict;
  verdicts_order_.push_back(pair);
  verdicts_.emplace(pair, verdict);
  if (verdicts_order_.size() > verdicts_max) {
    verdicts_.erase(verdicts_order_.front());
    verdicts_order_.pop_front();
  }
  return verdict;
}

void Verdicts::keep(std::uint64_t fingerprint, std::string_view type, std::span<const std::byte> bfbs) {
  Far far{std::string{type}, std::make_shared<const std::vector<std::byte>>(bfbs.begin(), bfbs.end())};
  const std::lock_guard lock{mutex_};
  if (far_.contains(fingerprint)) return;
  far_order_.push_back(fingerprint);
  far_.emplace(fingerprint, std::move(far));
  far_bytes_ += bfbs.size();
  while (far_order_.size() > far_schemas_max || far_bytes_ > far_schemas_bytes_max) {
    const auto oldest = far_.find(far_order_.front());
    far_order_.pop_front();
    if (oldest == far_.end()) continue;  // there was no memory to enter it
    far_bytes_ -= oldest->second.bfbs->size();
    far_.erase(oldest);
  }
}

void Verdicts::remember(const TypeInfo& near) noexcept try {
  if (near.is_bytes() || near.bfbs.empty()) return;
  const std::lock_guard lock{mutex_};
  near_.try_emplace(near.fingerprint, near);
} catch (const std::bad_alloc&) {
  // A peer that asks for it is told that it is not known.
}

std::optional<Verdicts::Far> Verdicts::find(std::uint64_t fingerprint) const {
  TypeInfo ours;
  {
    const std::lock_guard lock{mutex_};
    if (const auto found = far_.find(fingerprint); found != far_.end()) return found->second;
    const auto found = near_.find(fingerprint);
    if (found == near_.end()) return std::nullopt;
    ours = found->second;
  }
  // Copied when somebody asks: all tables of a file share one schema, which stands in the program already.
  return Far{std::string{ours.name}, std::make_shared<const std::vector<std::byte>>(ours.bfbs.begin(), ours.bfbs.end())};
}

std::shared_ptr<const std::vector<std::byte>> Verdicts::bfbs_of(std::uint64_t fingerprint) const {
  auto found = find(fingerprint);
  return found ? std::move(found->bfbs) : nullptr;
}

std::string Verdicts::type_of(std::uint64_t fingerprint) const {
  auto found = find(fingerprint);
  return found ? std::move(found->type) : std::string{};
}

}  // namespace midplane::inline v0::schema
