#pragma once
/// What the snippets of docs/ stand on; they are compiled, and those of testing_your_service.md run as well.

#include <csignal>
#include <poll.h>

#include <cstring>
#include <string>
#include <vector>

#include <midplane/describe.hpp>
#include <midplane/midplane.hpp>
#include <midplane/testing/faulty_transport.hpp>
#include <midplane/testing/manual_executor.hpp>
#include <midplane/zmq.hpp>

#include "market.hpp"

#pragma GCC diagnostic ignored "-Wunused-variable"  // a snippet may only show how something is made
