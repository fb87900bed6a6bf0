#include "cpu_time.h"

#include <dirent.h>

#include <cstdio>
#include <fstream>
#include <sstream>

namespace bench {
namespace {

uint64_t run_time(const std::string& path) {
  std::ifstream file(path);
  uint64_t value = 0;
  file >> value;
  return value;
}

}  // namespace

CpuTime::Sample CpuTime::sample() const {
  Sample sample;
  for (const int thread : threads_) sample.threads_ns += run_time("/proc/" + std::to_string(thread) + "/schedstat");
  for (const int process : processes_) {
    const std::string tasks = "/proc/" + std::to_string(process) + "/task";
    DIR* directory = opendir(tasks.c_str());
    if (!directory) continue;
    while (const dirent* entry = readdir(directory)) {
      if (entry->d_name[0] != '.') sample.processes_ns += run_time(tasks + "/" + entry->d_name + "/schedstat");
    }
    closedir(directory);
  }
  return sample;
}

CoreTicks core_ticks(int core) {
  std::ifstream file("/proc/stat");
  const std::string name = "cpu" + std::to_string(core) + " ";
  for (std::string line; std::getline(file, line);) {
    if (line.compare(0, name.size(), name) != 0) continue;
    std::istringstream fields(line.substr(name.size()));
    CoreTicks ticks;
    uint64_t value = 0;
    // user nice system idle iowait irq softirq steal
    for (int field = 0; field < 8 && fields >> value; field += 1) {
      ticks.total += value;
      if (field != 3 && field != 4) ticks.busy += value;
    }
    return ticks;
  }
  return {};
}

}  // namespace bench
