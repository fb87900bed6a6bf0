#include <linux/if_ether.h>

#include <algorithm>
#include <cinttypes>
#include <random>

#include "checker.h"
#include "modes.h"
#include "packet_io.h"

namespace bench {

int run_latency(const Options& options) {
  const Family family = options.family();
  const auto addresses = static_cast<uint32_t>(options.number("addresses", 1));
  const auto duration_ns = static_cast<uint64_t>(options.number("seconds", 2) * 1e9);
  const auto interval_ns = static_cast<uint64_t>(1e9 / options.number("rate", 1500));
  const double storm = options.number("storm", 0);  // foreign requests a second
  const auto timeout_ns = static_cast<uint64_t>(options.number("timeout", 0.05) * 1e9);

  PacketIo io(options.text("interface"), family == Family::kArp ? ETH_P_ARP : ETH_P_IPV6);
  Checker checker(family, io.mac(), options.mac("mac"), addresses);
  std::vector<Frame> owned;
  std::vector<Frame> foreign;
  for (uint32_t i = 0; i < addresses; i += 1) owned.push_back(request(family, io.mac(), i));
  for (uint32_t i = 0; i < kForeignCount; i += 1) foreign.push_back(foreign_request(family, io.mac(), i));

  std::mt19937 random(1);
  std::vector<uint64_t> latencies;
  uint64_t asked = 0;
  uint64_t storm_sent = 0;
  const uint64_t start = now_ns();

  const auto feed_storm = [&](uint64_t now) {
    if (storm <= 0) return;
    const auto due = static_cast<uint64_t>(static_cast<double>(now - start) * storm / 1e9);
    // Small bursts: a reply that comes in meanwhile must not wait to be seen.
    const auto count = static_cast<size_t>(std::min<uint64_t>(due - std::min(due, storm_sent), 4));
    if (count == 0) return;
    const Frame* frames[4];
    for (size_t i = 0; i < count; i += 1) frames[i] = &foreign[random() % kForeignCount];
    storm_sent += io.send(frames, count);
  };

  for (uint64_t next = start + interval_ns; next - start < duration_ns;) {
    uint64_t now = now_ns();
    if (now < next) {
      feed_storm(now);
      io.receive([&](const uint8_t* frame, size_t length) { checker.received(frame, length); });
      continue;
    }
    // Up to a fifth of jitter, so that no timer of the responder's can fall into step.
    next = now + interval_ns - interval_ns / 10 + random() % (interval_ns / 5);
    const uint32_t index = random() % addresses;
    const Frame* frame = &owned[index];
    checker.sent(index);
    const uint64_t asked_at = now_ns();
    io.send(&frame, 1);
    asked += 1;
    now = asked_at;
    for (bool answered = false; !answered && now - asked_at < timeout_ns;) {
      io.receive([&](const uint8_t* bytes, size_t length) {
        if (checker.received(bytes, length) == index) answered = true;
      });
      now = now_ns();
      if (answered) latencies.push_back(now - asked_at);
      else feed_storm(now);
    }
    next = std::max(next, now);
  }

  std::sort(latencies.begin(), latencies.end());
  const auto percentile = [&](double share) {
    if (latencies.empty()) return 0.0;
    const auto at = std::min(latencies.size() - 1, static_cast<size_t>(share * static_cast<double>(latencies.size())));
    return static_cast<double>(latencies[at]) / 1e3;
  };
  std::printf("{\"asked\":%" PRIu64 ",\"answered\":%zu,\"wrong\":%" PRIu64 ",\"stormSent\":%" PRIu64
              ",\"p50Us\":%.2f,\"p99Us\":%.2f,\"p999Us\":%.2f,\"maxUs\":%.2f}\n",
              asked, latencies.size(), checker.wrong, storm_sent, percentile(0.5), percentile(0.99), percentile(0.999),
              latencies.empty() ? 0.0 : static_cast<double>(latencies.back()) / 1e3);
  return 0;
}

}  // namespace bench
