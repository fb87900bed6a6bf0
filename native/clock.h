// Time as the packet thread measures it.
#pragma once

#include <time.h>

#include <cstdint>

namespace arpeggio {

inline constexpr int64_t kNanosecondsPerMillisecond = 1'000'000;
inline constexpr int64_t kNanosecondsPerSecond = 1'000'000'000;

inline int64_t read_clock_ns(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * kNanosecondsPerSecond + now.tv_nsec;
}

inline int64_t monotonic_ns() { return read_clock_ns(CLOCK_MONOTONIC); }
// As CLOCK_MONOTONIC, but goes on while the machine is suspended.
inline int64_t boottime_ns() { return read_clock_ns(CLOCK_BOOTTIME); }

}  // namespace arpeggio
