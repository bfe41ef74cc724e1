/// Runs the snippets of testing_your_service.md, and those of other pages that end by themselves.
#include <midplane/midplane.hpp>

void concepts_0(midplane::Bus&);
void concepts_1(midplane::Bus&);
void concepts_2(midplane::Bus&);
void loss_and_back_pressure_0(midplane::Bus&);
void threads_and_waiting_2(midplane::Bus&);
void testing_your_service_0(midplane::Bus&);
void testing_your_service_1(midplane::Bus&);
void testing_your_service_2(midplane::Bus&);
void extending_3(midplane::Bus&);

int main() {
  auto bus = midplane::Bus::open();
  if (!bus) return 1;
  for (auto* snippet : {&concepts_0, &concepts_1, &concepts_2, &loss_and_back_pressure_0, &threads_and_waiting_2,
                        &testing_your_service_0, &testing_your_service_1, &testing_your_service_2, &extending_3})
    snippet(*bus);
}
