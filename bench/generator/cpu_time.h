// CPU time that a responder costs: the scheduler's run time of its threads and of the kernel threads that do its
// softirq work, in nanoseconds, not sampled by ticks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bench {

class CpuTime {
 public:
  // `threads`: ids of kernel threads; `processes`: ids of processes, all of whose threads count.
  CpuTime(std::vector<int> threads, std::vector<int> processes) : threads_(threads), processes_(processes) {}

  struct Sample {
    uint64_t threads_ns = 0;
    uint64_t processes_ns = 0;
  };
  Sample sample() const;

 private:
  std::vector<int> threads_;
  std::vector<int> processes_;
};

}  // namespace bench
