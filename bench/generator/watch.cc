#include <linux/if_ether.h>
#include <time.h>

#include <cinttypes>

#include "modes.h"
#include "packet_io.h"

namespace bench {

int run_watch(const Options& options) {
  const Family family = options.family();
  const auto addresses = static_cast<uint32_t>(options.number("addresses", 1));
  const auto timeout_ns = static_cast<uint64_t>(options.number("timeout", 10) * 1e9);

  PacketIo io(options.text("interface"), family == Family::kArp ? ETH_P_ARP : ETH_P_IPV6);
  std::vector<bool> seen(addresses, false);
  uint32_t distinct = 0;
  uint64_t frames = 0;
  uint64_t first = 0;
  uint64_t last_new = 0;
  std::puts("{\"ready\":true}");
  std::fflush(stdout);
  for (const uint64_t start = now_ns(); distinct < addresses && now_ns() - start < timeout_ns;) {
    const size_t received = io.receive([&](const uint8_t* frame, size_t length) {
      uint32_t index = 0;
      if (classify(family, io.mac(), frame, length, &index) != Kind::kAnnouncement || index >= addresses) return;
      frames += 1;
      if (frames == 1) first = now_ns();
      if (seen[index]) return;
      seen[index] = true;
      distinct += 1;
      last_new = now_ns();
    });
    if (received == 0) {
      const timespec pause{0, 20000};
      nanosleep(&pause, nullptr);
    }
  }
  std::printf("{\"distinct\":%u,\"frames\":%" PRIu64 ",\"firstNs\":\"%" PRIu64 "\",\"lastNs\":\"%" PRIu64
              "\",\"ringDrops\":%" PRIu64 "}\n",
              distinct, frames, first, last_new, io.ring_drops());
  return 0;
}

}  // namespace bench
