// Generic receive offload switches veth to NAPI, whose softirq can then be a thread that is pinned to a core; it needs
// segmentation offload off on the sending peer. Done here so that ethtool need not be installed.
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "modes.h"
#include "packet_io.h"

namespace bench {
namespace {

void set_offload(int fd, const std::string& interface, uint32_t command, uint32_t value, const char* name) {
  ethtool_value request{command, value};
  ifreq link{};
  std::snprintf(link.ifr_name, sizeof(link.ifr_name), "%s", interface.c_str());
  link.ifr_data = reinterpret_cast<char*>(&request);
  if (ioctl(fd, SIOCETHTOOL, &link) < 0) fail(std::string("cannot set ") + name + " of " + interface);
}

}  // namespace

int run_tune(const Options& options) {
  const std::string interface = options.text("interface");
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket(AF_INET)");
  set_offload(fd, interface, ETHTOOL_STSO, 0, "tso");
  set_offload(fd, interface, ETHTOOL_SGSO, 0, "gso");
  set_offload(fd, interface, ETHTOOL_SGRO, 1, "gro");
  close(fd);
  return 0;
}

}  // namespace bench
