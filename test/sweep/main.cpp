#include "rows.hpp"

int main() {
  midplane::sweep::codes();
  midplane::sweep::options();
#ifdef MIDPLANE_TEST_ZMQ
  midplane::sweep::far_options();
#endif
  midplane::sweep::frames();
}
