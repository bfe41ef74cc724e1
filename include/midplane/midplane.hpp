#pragma once
/// Everything an application of Midplane includes, but for a transport (<midplane/zmq.hpp>).

#if __cplusplus < 202002L
#error "Midplane needs C++20: compile with -std=c++20"
#endif

#include <midplane/bus.hpp>
