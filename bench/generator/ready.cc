#include <linux/if_ether.h>
#include <time.h>

#include <cinttypes>

#include "checker.h"
#include "modes.h"
#include "packet_io.h"

namespace bench {

int run_ready(const Options& options) {
  const Family family = options.family();
  const auto addresses = static_cast<uint32_t>(options.number("addresses", 1));
  const auto timeout_ns = static_cast<uint64_t>(options.number("timeout", 20) * 1e9);

  PacketIo io(options.text("interface"), family == Family::kArp ? ETH_P_ARP : ETH_P_IPV6);
  Checker checker(family, io.mac(), options.mac("mac"), addresses);
  std::vector<bool> answered(addresses, false);
  uint32_t missing = addresses;
  const auto pause = [&](long nanoseconds) {
    const timespec time{0, nanoseconds};
    nanosleep(&time, nullptr);
    io.receive([&](const uint8_t* bytes, size_t length) {
      const int64_t index = checker.received(bytes, length);
      if (index < 0 || answered[static_cast<size_t>(index)]) return;
      answered[static_cast<size_t>(index)] = true;
      missing -= 1;
    });
  };
  const uint64_t start = now_ns();
  while (missing > 0 && now_ns() - start < timeout_ns) {
    for (uint32_t index = 0; index < addresses; index += 1) {
      if (answered[index]) continue;
      const Frame frame = request(family, io.mac(), index);
      const Frame* only = &frame;
      checker.sent(index);
      io.send(&only, 1);
      // Slow enough for the slowest responder.
      if (index % 16 == 15) pause(300000);
    }
    pause(50000000);
  }
  std::printf("{\"answered\":%u,\"wrong\":%" PRIu64 ",\"seconds\":%.3f}\n", addresses - missing, checker.wrong,
              static_cast<double>(now_ns() - start) / 1e9);
  return 0;
}

}  // namespace bench
