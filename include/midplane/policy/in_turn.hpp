#pragma once
/// The default balancer: near before far, in turn among those not tried yet.

#include <memory>

#include <midplane/extend/balancer.hpp>

namespace midplane {
inline namespace [[gnu::visibility("default")]] v0 {

[[nodiscard]] std::shared_ptr<Balancer> in_turn();

}  // namespace v0
}  // namespace midplane
