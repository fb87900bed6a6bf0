#include "cpu_time.h"

#include <dirent.h>

#include <fstream>

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

}  // namespace bench
