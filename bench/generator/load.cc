#include <linux/if_ether.h>
#include <sched.h>

#include <algorithm>
#include <cinttypes>
#include <random>

#include "checker.h"
#include "cpu_time.h"
#include "modes.h"
#include "packet_io.h"

namespace bench {
namespace {

struct Planned {
  const Frame* frame;
  int64_t index;  // -1: foreign
};

constexpr size_t kPlanLength = 1 << 16;
constexpr uint64_t kMostOverdue = 64;

}  // namespace

int run_load(const Options& options) {
  const Family family = options.family();
  const auto addresses = static_cast<uint32_t>(options.number("addresses", 1));
  const double foreign_share = options.number("foreign", 0);
  const double rate = options.number("rate", 0);  // requests a second; 0: as many as go out
  const auto warmup_ns = static_cast<uint64_t>(options.number("warmup", 0.3) * 1e9);
  const auto measure_ns = static_cast<uint64_t>(options.number("seconds", 1) * 1e9);
  const auto batch = static_cast<size_t>(options.number("batch", 64));
  const CpuTime cpu(options.ids("threads"), options.ids("processes"));

  // The same class and priority as the softirq thread of this end: each of the two runs until it gives the core to the
  // other, so that neither is cut short by the other's wake-ups. Without permission it works, but slower.
  sched_param priority{};
  priority.sched_priority = static_cast<int>(options.number("priority", 0));
  if (priority.sched_priority > 0) sched_setscheduler(0, SCHED_FIFO, &priority);

  PacketIo io(options.text("interface"), family == Family::kArp ? ETH_P_ARP : ETH_P_IPV6);
  Checker checker(family, io.mac(), options.mac("mac"), addresses);

  std::vector<Frame> owned;
  std::vector<Frame> foreign;
  for (uint32_t i = 0; i < addresses; i += 1) owned.push_back(request(family, io.mac(), i));
  for (uint32_t i = 0; i < kForeignCount; i += 1) foreign.push_back(foreign_request(family, io.mac(), i));
  std::mt19937 random(1);
  std::vector<Planned> plan;
  for (size_t i = 0; i < kPlanLength; i += 1) {
    if (std::generate_canonical<double, 32>(random) < foreign_share) {
      plan.push_back({&foreign[random() % kForeignCount], -1});
    } else {
      const uint32_t index = random() % addresses;
      plan.push_back({&owned[index], index});
    }
  }

  uint64_t sent = 0;
  uint64_t sent_owned = 0;
  size_t at = 0;
  const Frame* frames[PacketIo::kBatch];
  const auto send = [&](size_t count) {
    count = std::min({count, PacketIo::kBatch, kPlanLength - at});
    for (size_t i = 0; i < count; i += 1) frames[i] = plan[at + i].frame;
    // Counted before they go out: a reply may be in the ring before the call returns.
    for (size_t i = 0; i < count; i += 1)
      if (plan[at + i].index >= 0) checker.sent(static_cast<uint32_t>(plan[at + i].index));
    const size_t gone = io.send(frames, count);
    for (size_t i = 0; i < count; i += 1) {
      if (plan[at + i].index < 0) continue;
      if (i < gone) sent_owned += 1;
      else checker.not_sent(static_cast<uint32_t>(plan[at + i].index));
    }
    sent += gone;
    at = (at + gone) % kPlanLength;
  };
  const auto receive = [&] {
    return io.receive([&](const uint8_t* frame, size_t length) { checker.received(frame, length); });
  };

  const auto run_for = [&](uint64_t duration_ns) {
    const uint64_t start = now_ns();
    uint64_t sent_on_time = 0;
    for (uint64_t now = start; now - start < duration_ns; now = now_ns()) {
      if (rate > 0) {
        const auto due = static_cast<uint64_t>(static_cast<double>(now - start) * rate / 1e9);
        // Time in which this core was taken away is not made up for: the burst would be a load that nobody asked for.
        if (due > sent_on_time + kMostOverdue) sent_on_time = due - batch;
        const uint64_t before = sent;
        if (due > sent_on_time) send(static_cast<size_t>(std::min<uint64_t>(due - sent_on_time, batch)));
        sent_on_time += sent - before;
      } else {
        send(batch);
      }
      receive();
      // The softirq thread of this end shares the core: let it bring the replies in.
      sched_yield();
    }
    return now_ns() - start;
  };
  const auto settle = [&] {
    for (uint64_t last = now_ns(); now_ns() - last < 30000000;) {
      if (receive() > 0) last = now_ns();
      sched_yield();
    }
  };

  run_for(warmup_ns);
  // A loss figure needs every reply of what was sent in the window, and none of the warm-up's: wait until it is quiet.
  // At saturation the window opens and closes under full load instead.
  if (rate > 0) settle();
  io.ring_drops();
  const uint64_t replies_before = checker.replies;
  const uint64_t sent_before = sent;
  const uint64_t owned_before = sent_owned;
  const CpuTime::Sample cpu_before = cpu.sample();
  const uint64_t elapsed = run_for(measure_ns);
  if (rate > 0) settle();
  const CpuTime::Sample cpu_after = cpu.sample();
  const uint64_t replies = checker.replies - replies_before;
  const double seconds = static_cast<double>(elapsed) / 1e9;
  const uint64_t owned_sent = sent_owned - owned_before;

  std::printf("{\"seconds\":%.6f,\"sent\":%" PRIu64 ",\"sentOwned\":%" PRIu64 ",\"replies\":%" PRIu64
              ",\"wrong\":%" PRIu64 ",\"others\":%" PRIu64 ",\"ringDrops\":%" PRIu64
              ",\"kernelThreadNs\":%" PRIu64 ",\"processNs\":%" PRIu64 "}\n",
              seconds, sent - sent_before, owned_sent, replies, checker.wrong, checker.others, io.ring_drops(),
              cpu_after.threads_ns - cpu_before.threads_ns, cpu_after.processes_ns - cpu_before.processes_ns);
  return 0;
}

}  // namespace bench
