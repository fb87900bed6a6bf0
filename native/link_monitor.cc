#include "link_monitor.h"

#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "system_error.h"

namespace arpeggio {

namespace {

// IFLA_INFO_SLAVE_KIND; absent from older headers.
constexpr int kInfoSlaveKind = 4;

// RFC 8200 5.
constexpr uint32_t kIpv6MinMtu = 1280;

constexpr int kReadAllAttempts = 10;
constexpr int kDumpTimeoutMs = 2000;

template <typename Visit>
void for_each_attribute(const void* first, size_t size, Visit visit) {
  const auto* attribute = static_cast<const rtattr*>(first);
  int remaining = static_cast<int>(size);
  for (; RTA_OK(attribute, remaining); attribute = RTA_NEXT(attribute, remaining)) {
    visit(attribute->rta_type, reinterpret_cast<const uint8_t*>(RTA_DATA(attribute)),
          static_cast<size_t>(RTA_PAYLOAD(attribute)));
  }
}

bool same_link(const Link& a, const Link& b) {
  return a.name == b.name && a.has_mac == b.has_mac && a.mac == b.mac && a.permanent_mac == b.permanent_mac &&
         a.flags == b.flags && a.operstate == b.operstate && a.type == b.type && a.enslaved == b.enslaved;
}

}  // namespace

bool Link::up() const { return (flags & IFF_UP) != 0; }

bool Link::carrier() const {
  return (flags & IFF_LOWER_UP) != 0 && (operstate == IF_OPER_UP || operstate == IF_OPER_UNKNOWN);
}

bool Link::usable() const { return unusable_reason().empty(); }

std::string Link::unusable_reason() const {
  if (type != ARPHRD_ETHER || !has_mac) return "not an Ethernet interface";
  if ((flags & IFF_LOOPBACK) != 0) return "loopback";
  if ((flags & IFF_NOARP) != 0) return "does no address resolution (NOARP)";
  if (enslaved) return "enslaved: use its bond or bridge";
  if (!up()) return "down";
  if (!carrier()) return "no carrier";
  return "";
}

LinkMonitor::LinkMonitor(Addresses addresses)
    : fd_(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE)),
      keep_addresses_(addresses == Addresses::kKeep) {
  if (!fd_.valid()) throw SystemError("socket", errno);
  // Nodes with many pods see bursts of link events; a lost one only costs a full read, but that is not free either.
  const int receive_buffer = 1 << 20;
  setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
  if (bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw SystemError("bind", errno);
  }
  read_all();
}

std::set<unsigned> LinkMonitor::take_links_with_new_address() { return std::exchange(links_with_new_address_, {}); }

std::set<unsigned> LinkMonitor::take_links_without_ipv6() { return std::exchange(links_without_ipv6_, {}); }

const Link* LinkMonitor::find(const std::string& name) const {
  for (const auto& [index, link] : links_) {
    if (link.name == name) return &link;
  }
  return nullptr;
}

bool LinkMonitor::drain() {
  try {
    const bool changed = read_messages(false);
    if (!incomplete_) return changed;
  } catch (const SystemError& error) {
    if (error.error() != ENOBUFS && !incomplete_) throw;
  }
  read_all();
  return true;
}

void LinkMonitor::read_all() {
  incomplete_ = true;
  for (int attempt = 1;; ++attempt) {
    try {
      links_.clear();
      request(RTM_GETLINK);
      read_messages(true);
      request(RTM_GETADDR);
      read_messages(true);
      incomplete_ = false;
      return;
    } catch (const SystemError& error) {
      if (error.error() != ENOBUFS || attempt == kReadAllAttempts) throw;
    }
  }
}

void LinkMonitor::request(uint16_t type) {
  struct {
    nlmsghdr header;
    rtgenmsg message;
  } dump{};
  dump.header.nlmsg_len = NLMSG_LENGTH(sizeof dump.message);
  dump.header.nlmsg_type = type;
  dump.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  dump.message.rtgen_family = AF_UNSPEC;
  if (send(fd_.get(), &dump, dump.header.nlmsg_len, 0) < 0) throw SystemError("send", errno);
}

bool LinkMonitor::read_messages(bool until_done) {
  alignas(nlmsghdr) char buffer[32768];
  bool changed = false;
  for (;;) {
    const ssize_t size = recv(fd_.get(), buffer, sizeof buffer, 0);
    if (size < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) throw SystemError("recv", errno);
      if (!until_done) return changed;
      pollfd waiting{fd_.get(), POLLIN, 0};
      if (poll(&waiting, 1, kDumpTimeoutMs) == 0) throw SystemError("poll", ETIMEDOUT);
      continue;
    }
    int remaining = static_cast<int>(size);
    for (auto* message = reinterpret_cast<nlmsghdr*>(buffer); NLMSG_OK(message, remaining);
         message = NLMSG_NEXT(message, remaining)) {
      if (message->nlmsg_type == NLMSG_DONE) {
        if (until_done) return changed;
        continue;
      }
      if (message->nlmsg_type == NLMSG_ERROR && until_done) {
        throw SystemError("netlink", -reinterpret_cast<nlmsgerr*>(NLMSG_DATA(message))->error);
      }
      changed = apply(message) || changed;
    }
  }
}

bool LinkMonitor::apply(const nlmsghdr* message) {
  switch (message->nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
      return apply_link(message);
    case RTM_NEWADDR:
    case RTM_DELADDR:
      return apply_address(message);
    default:
      return false;
  }
}

bool LinkMonitor::apply_link(const nlmsghdr* message) {
  const auto* info = static_cast<const ifinfomsg*>(NLMSG_DATA(message));
  // Bridges announce their ports' bridge state under AF_BRIDGE, with fewer attributes.
  if (info->ifi_family != AF_UNSPEC) return false;
  const auto index = static_cast<unsigned>(info->ifi_index);
  if (message->nlmsg_type == RTM_DELLINK) return links_.erase(index) != 0;

  Link link;
  bool is_vrf_port = false;
  link.index = index;
  link.flags = info->ifi_flags;
  link.type = info->ifi_type;
  for_each_attribute(IFLA_RTA(info), IFLA_PAYLOAD(message), [&](int type, const uint8_t* data, size_t size) {
    switch (type) {
      case IFLA_IFNAME:
        link.name.assign(reinterpret_cast<const char*>(data), strnlen(reinterpret_cast<const char*>(data), size));
        break;
      case IFLA_ADDRESS:
        if (size == 6) {
          link.mac = wire::load_mac(data);
          link.has_mac = true;
        }
        break;
      case IFLA_PERM_ADDRESS:
        if (size == 6) {
          link.permanent_mac = wire::load_mac(data);
          link.has_permanent_mac = true;
        }
        break;
      case IFLA_MTU:
        if (size == sizeof link.mtu) std::memcpy(&link.mtu, data, sizeof link.mtu);
        break;
      case IFLA_OPERSTATE:
        if (size >= 1) link.operstate = data[0];
        break;
      case IFLA_MASTER:
        if (size == 4) {
          uint32_t master;
          std::memcpy(&master, data, sizeof master);
          link.enslaved = master != 0;
        }
        break;
      case IFLA_LINKINFO:
        for_each_attribute(data, size, [&](int kind_type, const uint8_t* kind, size_t kind_size) {
          is_vrf_port = is_vrf_port || (kind_type == kInfoSlaveKind && kind_size >= 3 && std::memcmp(kind, "vrf", 3) == 0);
        });
        break;
      default:
        break;
    }
  });
  // A VRF is a master too, but its ports go on resolving addresses by themselves.
  if (is_vrf_port) link.enslaved = false;
  if (link.mtu != 0 && link.mtu < kIpv6MinMtu) links_without_ipv6_.insert(index);
  auto known = links_.find(index);
  if (known == links_.end()) {
    links_.emplace(index, std::move(link));
    return true;
  }
  if (link.mtu != known->second.mtu) links_with_new_address_.insert(index);
  link.addresses = std::move(known->second.addresses);
  const bool changed = !same_link(known->second, link);
  known->second = std::move(link);
  return changed;
}

bool LinkMonitor::apply_address(const nlmsghdr* message) {
  const auto* info = static_cast<const ifaddrmsg*>(NLMSG_DATA(message));
  auto link = links_.find(info->ifa_index);
  if (link == links_.end()) return false;
  const size_t size = info->ifa_family == AF_INET ? 4 : info->ifa_family == AF_INET6 ? 16 : 0;
  if (size == 0) return false;
  // IFA_LOCAL is the address itself on point-to-point links, where IFA_ADDRESS is the peer's.
  const uint8_t* address = nullptr;
  const uint8_t* local = nullptr;
  for_each_attribute(IFA_RTA(info), IFA_PAYLOAD(message), [&](int type, const uint8_t* data, size_t data_size) {
    if (data_size != size) return;
    if (type == IFA_ADDRESS) address = data;
    if (type == IFA_LOCAL) local = data;
  });
  if (local != nullptr) address = local;
  if (address == nullptr) return false;
  if (!keep_addresses_) {
    links_with_new_address_.insert(info->ifa_index);
    return false;
  }
  const std::pair<wire::IpAddress, uint8_t> entry{
      size == 4 ? wire::IpAddress::from_ipv4(address) : wire::IpAddress::from_ipv6(address), info->ifa_prefixlen};
  auto& addresses = link->second.addresses;
  const auto known = std::find(addresses.begin(), addresses.end(), entry);
  if (message->nlmsg_type == RTM_DELADDR) {
    if (known == addresses.end()) return false;
    addresses.erase(known);
    return true;
  }
  if (known != addresses.end()) return false;
  addresses.push_back(entry);
  return true;
}

}  // namespace arpeggio
