// Tells how long the packet thread stood still beyond its plan: the process was stopped, the processor was taken away, or
// the machine was suspended. CLOCK_MONOTONIC does not count the last; CLOCK_BOOTTIME does.
#pragma once

#include <algorithm>
#include <cstdint>

namespace arpeggio {

class PauseWatch {
 public:
  struct Pause {
    int64_t awake_ns;  // by so much the times at which others were heard are too old on CLOCK_MONOTONIC
    int64_t whole_ns;  // for so long nobody was heard; never less than awake_ns
  };

  PauseWatch(int64_t monotonic_ns, int64_t boottime_ns) : monotonic_ns_(monotonic_ns), boottime_ns_(boottime_ns) {}

  // A turn of the thread begins, after a wait that was to last no longer than `planned_ns`.
  Pause turn(int64_t monotonic_ns, int64_t boottime_ns, int64_t planned_ns) {
    const int64_t awake_ns = monotonic_ns - monotonic_ns_ - planned_ns;
    const int64_t whole_ns = std::max(awake_ns, boottime_ns - boottime_ns_ - planned_ns);
    monotonic_ns_ = monotonic_ns;
    boottime_ns_ = boottime_ns;
    return {awake_ns, whole_ns};
  }

 private:
  int64_t monotonic_ns_;
  int64_t boottime_ns_;
};

}  // namespace arpeggio
