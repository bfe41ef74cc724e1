#pragma once
/// The default balancer: near before far, in turn among those not tried yet.

#include <memory>

#include <midplane/extend/balancer.hpp>

namespace midplane {
inline namespace [[gnu::visibility("default")]] v0 {

/// What a client has when its options name no balancer.
[[nodiscard]] std::shared_ptr<Balancer> in_turn();

}  // namespace v0
}  // namespace midplane
