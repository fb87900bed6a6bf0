// Pauses of the packet thread, on clocks of the test's own. Run by pause_watch.test.ts.
#include "pause_watch.h"

#include <cstdio>

namespace {

using arpeggio::PauseWatch;

constexpr int64_t kMs = 1'000'000;

bool check(const char* name, PauseWatch::Pause pause, int64_t awake_ms, int64_t whole_ms) {
  if (pause.awake_ns == awake_ms * kMs && pause.whole_ns == whole_ms * kMs) {
    std::printf("ok %s\n", name);
    return true;
  }
  std::printf("broken: %s: awake for %g ms, whole %g ms\n", name, static_cast<double>(pause.awake_ns) / kMs,
              static_cast<double>(pause.whole_ns) / kMs);
  return false;
}

}  // namespace

int main() {
  // The machine had been suspended for 1 s before the thread began.
  PauseWatch watch(1000 * kMs, 2000 * kMs);
  bool good = check("a wait as planned", watch.turn(1050 * kMs, 2050 * kMs, 50 * kMs), 0, 0);
  good = check("a wait that ended early", watch.turn(1060 * kMs, 2060 * kMs, 50 * kMs), -40, -40) && good;
  good = check("a process that was stopped", watch.turn(1610 * kMs, 2610 * kMs, 50 * kMs), 500, 500) && good;
  good = check("a machine that was suspended", watch.turn(1660 * kMs, 9660 * kMs, 50 * kMs), 0, 7000) && good;
  good = check("suspended early in the wait", watch.turn(1670 * kMs, 9970 * kMs, 50 * kMs), -40, 260) && good;
  good = check("as planned after that", watch.turn(1720 * kMs, 10020 * kMs, 50 * kMs), 0, 0) && good;
  return good ? 0 : 1;
}
