#include "modes.h"

namespace bench {

int run_spin(const Options&) {
  // A loop with a volatile access is not optimised away.
  for (volatile unsigned turns = 0;;) turns = turns + 1;
}

}  // namespace bench
