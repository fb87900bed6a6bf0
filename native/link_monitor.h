// The node's links and their addresses, kept up to date by rtnetlink: no polling.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "file_descriptor.h"
#include "wire/address.h"
#include "wire/ethernet.h"

struct nlmsghdr;

namespace arpeggio {

struct Link {
  std::string name;
  unsigned index = 0;
  bool has_mac = false;
  wire::Mac mac{};
  bool has_permanent_mac = false;
  wire::Mac permanent_mac{};
  unsigned flags = 0;      // IFF_*
  uint8_t operstate = 0;   // IF_OPER_*, RFC 2863
  unsigned short type = 0;  // ARPHRD_*
  bool enslaved = false;
  uint32_t mtu = 0;  // 0: not told
  std::vector<std::pair<wire::IpAddress, uint8_t>> addresses;  // with prefix length

  bool up() const;
  bool carrier() const;
  // Ethernet, up, carrier, does ARP, not a slave: frames can be answered on it.
  bool usable() const;
  // Why it is not, in words; "" when it is.
  std::string unusable_reason() const;
};

class LinkMonitor {
 public:
  // Whether Link::addresses is filled in. The packet thread does without: lo may hold thousands of service IPs.
  enum class Addresses { kKeep, kIgnore };

  // Opens the socket and reads all links before it returns. Throws SystemError.
  explicit LinkMonitor(Addresses addresses);

  int fd() const { return fd_.get(); }

  // Reads what is pending. True when anything that matters has changed. Events lost by the kernel (ENOBUFS) are made
  // good by reading everything again.
  bool drain();

  const std::map<unsigned, Link>& links() const { return links_; }
  const Link* find(const std::string& name) const;

  // Indexes of links whose addresses (with Addresses::kIgnore) or MTU changed since the last call.
  std::set<unsigned> take_links_with_new_address();

  // Indexes of links whose MTU was too small for IPv6 since the last call, be it for a moment: the kernel has dropped
  // their multicast groups.
  std::set<unsigned> take_links_without_ipv6();

 private:
  void read_all();
  void request(uint16_t type);
  // Reads messages; with `until_done`, until the end of a dump.
  bool read_messages(bool until_done);
  bool apply(const nlmsghdr* message);
  bool apply_link(const nlmsghdr* message);
  bool apply_address(const nlmsghdr* message);

  FileDescriptor fd_;
  const bool keep_addresses_;
  bool incomplete_ = true;  // the last read of everything failed
  std::map<unsigned, Link> links_;
  std::set<unsigned> links_with_new_address_;
  std::set<unsigned> links_without_ipv6_;
};

}  // namespace arpeggio
