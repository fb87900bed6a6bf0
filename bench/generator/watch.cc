#include <linux/if_ether.h>
#include <time.h>

#include <algorithm>
#include <cinttypes>
#include <cstring>
#include <map>
#include <memory>

#include "modes.h"
#include "packet_io.h"

namespace bench {
namespace {

constexpr uint16_t kHeartbeat = 0x88b5;

// Longest time between two heartbeats of one node.
class Heartbeats {
 public:
  void heard(const Mac& from, uint64_t at) {
    const auto [found, first] = last_.try_emplace(from, at);
    if (!first) longest_ = std::max(longest_, at - found->second);
    found->second = at;
  }
  uint64_t longest() const { return longest_; }
  size_t sources() const { return last_.size(); }

 private:
  std::map<Mac, uint64_t> last_;
  uint64_t longest_ = 0;
};

}  // namespace

int run_watch(const Options& options) {
  const Family family = options.family();
  const auto addresses = static_cast<uint32_t>(options.number("addresses", 1));
  const auto timeout_ns = static_cast<uint64_t>(options.number("timeout", 10) * 1e9);
  // Whose frames do not count: those of the node that is about to be lost.
  const Mac except = options.has("except") ? options.mac("except") : Mac{};
  // With heartbeats it watches to the end, else until every address was seen.
  const bool with_heartbeats = options.number("heartbeats", 0) != 0;

  PacketIo io(options.text("interface"), family == Family::kArp ? ETH_P_ARP : ETH_P_IPV6);
  std::unique_ptr<PacketIo> heartbeat_io;
  if (with_heartbeats) heartbeat_io = std::make_unique<PacketIo>(options.text("interface"), kHeartbeat);
  std::vector<bool> seen(addresses, false);
  Heartbeats heartbeats;
  uint32_t distinct = 0;
  uint64_t frames = 0;
  uint64_t first = 0;
  uint64_t last_new = 0;
  std::puts("{\"ready\":true}");
  std::fflush(stdout);
  for (const uint64_t start = now_ns(); (with_heartbeats || distinct < addresses) && now_ns() - start < timeout_ns;) {
    size_t received = io.receive([&](const uint8_t* frame, size_t length) {
      uint32_t index = 0;
      if (classify(family, io.mac(), frame, length, &index) != Kind::kAnnouncement || index >= addresses) return;
      if (std::memcmp(frame + 6, except.data(), except.size()) == 0) return;
      frames += 1;
      if (frames == 1) first = io.received_ns();
      if (seen[index]) return;
      seen[index] = true;
      distinct += 1;
      last_new = io.received_ns();
    });
    if (heartbeat_io) {
      received += heartbeat_io->receive([&](const uint8_t* frame, size_t) {
        Mac from{};
        std::memcpy(from.data(), frame + 6, from.size());
        if (from != except) heartbeats.heard(from, heartbeat_io->received_ns());
      });
    }
    if (received == 0) {
      const timespec pause{0, 20000};
      nanosleep(&pause, nullptr);
    }
  }
  std::printf("{\"distinct\":%u,\"frames\":%" PRIu64 ",\"firstNs\":\"%" PRIu64 "\",\"lastNs\":\"%" PRIu64
              "\",\"ringDrops\":%" PRIu64 ",\"heartbeatGapNs\":\"%" PRIu64 "\",\"heartbeatSources\":%zu}\n",
              distinct, frames, first, last_new, io.ring_drops(), heartbeats.longest(), heartbeats.sources());
  return 0;
}

}  // namespace bench
