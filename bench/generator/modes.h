// What the generator can do; each prints one JSON object.
#pragma once

#include "options.h"

namespace bench {

int run_load(const Options& options);     // open loop: requests at a rate, or as many as the core can send
int run_latency(const Options& options);  // closed loop: one outstanding request, with or without a storm beside it
int run_watch(const Options& options);    // counts announcements until all addresses were seen
int run_ready(const Options& options);    // asks for each address until all have been answered
int run_udp(const Options& options);      // plain UDP datagrams through the same interface
int run_udp_sink(const Options& options);  // receives them; prints how many on SIGTERM
int run_tune(const Options& options);      // offloads of a veth end; prints nothing
int run_spin(const Options& options);      // keeps a core from halting, until it is ended
int run_fill_map(const Options& options);  // service IPs into the tc program's map; prints nothing

}  // namespace bench
