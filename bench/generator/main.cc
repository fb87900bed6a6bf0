// The load generator of bench:answer. Speaks to one end of a veth pair and prints one JSON object per run.
#include <cstdio>
#include <string>

#include "modes.h"

int main(int count, char** arguments) {
  const std::string mode = count > 1 ? arguments[1] : "";
  const bench::Options options(count - 2, arguments + 2);
  if (mode == "load") return bench::run_load(options);
  if (mode == "latency") return bench::run_latency(options);
  if (mode == "watch") return bench::run_watch(options);
  if (mode == "ready") return bench::run_ready(options);
  if (mode == "udp") return bench::run_udp(options);
  if (mode == "udp-sink") return bench::run_udp_sink(options);
  if (mode == "tune") return bench::run_tune(options);
  if (mode == "spin") return bench::run_spin(options);
  if (mode == "fill-map") return bench::run_fill_map(options);
  std::fprintf(stderr, "usage: generator load|latency|watch|ready|udp|udp-sink|tune|spin|fill-map --NAME VALUE ...\n");
  return 2;
}
