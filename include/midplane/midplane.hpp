#pragma once
/// Everything an application of Midplane includes, but for a transport (<midplane/zmq.hpp>).

#include <midplane/bus.hpp>
