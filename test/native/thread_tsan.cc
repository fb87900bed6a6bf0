// The packet thread under ThreadSanitizer: tables of 10,000 entries are swapped, announcements ordered and counters read
// from two other threads, while requests come in from a real link that goes down and up. In a round with heartbeats a peer
// at the other end of the link is restarted again and again, and taken over each time, while keys change and messages pass.
// Outcome it guarantees: no data race, and every request for an address that is in both tables gets one right answer while
// the link is up and no hold is in force.
// Runs in a network namespace of its own (scripts/sanitize.mjs thread); ends with 0 when all held.
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "responder.h"
#include "wire/arp.h"
#include "wire/checksum.h"
#include "wire/ndp.h"

using namespace arpeggio;
using Clock = std::chrono::steady_clock;

namespace {

constexpr unsigned kIpv4Count = 5000;
constexpr unsigned kIpv6Count = 5000;
// A burst must fit the receive queue of the client's socket.
constexpr unsigned kBurst = 32;
// Generous: ThreadSanitizer makes everything some ten times slower, and the publisher takes all it can get.
constexpr auto kAnswerTimeout = std::chrono::milliseconds(3000);
constexpr auto kSettlingTimeout = std::chrono::milliseconds(100);
constexpr auto kSettlingTime = std::chrono::seconds(5);
constexpr auto kFlapInterval = std::chrono::seconds(2);
// Of some thousands in a round.
constexpr unsigned kMaxExcusedBursts = 5;
constexpr auto kRoundDuration = std::chrono::seconds(8);

const HeartbeatKeys kKeys = {{1, 2, 3}};
constexpr wire::Mac kClientMac = {0x02, 0, 0, 0, 0, 0x99};
constexpr uint8_t kClientIpv4[4] = {10, 1, 255, 254};
constexpr uint8_t kClientIpv6[16] = {0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x99};

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "FAILED: %s\n", what.c_str());
  std::_Exit(1);
}

void command(const char* line) {
  if (std::system(line) != 0) fail(std::string("command failed: ") + line);
}

wire::IpAddress ipv4(unsigned number) {
  const uint8_t bytes[4] = {10, 1, static_cast<uint8_t>(number >> 8), static_cast<uint8_t>(number)};
  return wire::IpAddress::from_ipv4(bytes);
}

wire::IpAddress ipv6(unsigned number) {
  uint8_t bytes[16] = {0x20, 0x01, 0x0d, 0xb8};
  wire::store16(bytes + 14, static_cast<uint16_t>(number));
  return wire::IpAddress::from_ipv6(bytes);
}

wire::IpAddress address(unsigned number) {
  return number < kIpv4Count ? ipv4(number) : ipv6(number - kIpv4Count);
}

// Two variants that differ in their last thousand entries of each family; the client asks only for what both have.
std::shared_ptr<IpTable> make_table(bool variant) {
  std::vector<IpTableEntry> entries;
  for (unsigned number = 0; number < kIpv4Count + kIpv6Count; ++number) {
    const bool varies = number % 5 == 4;
    const SlotMask answer = varies && variant ? 0 : slot_bit(0);
    entries.push_back({address(number), slot_bit(0), answer, 0, number});
  }
  return std::make_shared<IpTable>(std::vector<std::string>{"node"}, std::move(entries));
}

// With what varies to be taken over from the peer, and every hold lifted.
Publication make_publication(bool variant, uint64_t peer) {
  TakeoverPlan plan{0, peer, {}};
  for (unsigned number = 4; number < kIpv4Count + kIpv6Count; number += 5) plan.entries.push_back(number);
  return {make_table(variant), {std::move(plan)}, 0, {UINT64_MAX}};
}

HeartbeatOptions heartbeat_options(const char* node, uint64_t incarnation) {
  HeartbeatOptions options;
  options.node = node;
  options.cluster = "test";
  options.incarnation = incarnation;
  options.keys = kKeys;
  return options;
}

Advertisement ready(uint32_t version) {
  Advertisement advertisement;
  advertisement.state = wire::NodeState::kReady;
  advertisement.claims_version = version;
  return advertisement;
}

// Lives and dies at the far end of the link until `stop`; `incarnation` is that of its present life.
void run_peer(const std::atomic<bool>& stop, std::atomic<uint64_t>& incarnation) {
  for (uint64_t life = 1000; !stop; ++life) {
    ResponderOptions options;
    options.ebpf_filter = false;
    options.heartbeat = heartbeat_options("peer", life);
    Responder peer(options, [] {});
    peer.publish({std::make_shared<IpTable>(std::vector<std::string>{"client"}, std::vector<IpTableEntry>())}, 30'000);
    peer.advertise("client", ready(1));
    incarnation = life;
    for (unsigned turn = 0; turn < 20 && !stop; ++turn) {
      peer.send_message("client", std::vector<uint8_t>(turn + 1));
      peer.take_events();
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }
}

// What a publisher reads of its responder's events.
struct Seen {
  std::atomic<uint64_t> events{0};
  std::atomic<uint64_t> peers{0};
  std::atomic<uint64_t> messages{0};
  std::atomic<uint64_t> took{0};
  std::atomic<uint64_t> held{0};

  void take(Responder& responder) {
    const EventBatch batch = responder.take_events();
    events += batch.events.size();
    peers += batch.peers.size();
    for (const Event& event : batch.events) {
      messages += event.type == EventType::kMessage ? 1 : 0;
      took += event.type == EventType::kTook ? 1 : 0;
      held += event.type == EventType::kHeld ? 1 : 0;
    }
  }
};

unsigned pick(unsigned& state) {
  for (;;) {
    state = state * 1664525u + 1013904223u;
    const unsigned number = (state >> 8) % (kIpv4Count + kIpv6Count);
    if (number % 5 != 4) return number;
  }
}

size_t make_request(uint8_t* frame, unsigned number) {
  const wire::IpAddress target = address(number);
  if (target.is_ipv4()) {
    constexpr uint8_t kZero[6] = {};
    return wire::store_arp_frame(frame, {wire::kBroadcastMac.data(), wire::kArpRequest, kClientMac.data(),
                                         kClientIpv4, kZero, target.ipv4()});
  }
  uint8_t group[16];
  wire::store_solicited_node_group(group, target.ipv6());
  const wire::Mac destination = wire::multicast_mac(group);
  wire::store_ethernet_header(frame, destination.data(), kClientMac.data(), wire::kEtherTypeIpv6);
  wire::store_ipv6_header(frame + wire::kEthernetHeaderSize, wire::kNdpMessageSize, wire::kNdpHopLimit, kClientIpv6,
                          group);
  uint8_t* message = frame + wire::kEthernetHeaderSize + wire::kIpv6HeaderSize;
  std::memset(message, 0, 8);
  message[0] = wire::kNeighborSolicitation;
  std::memcpy(message + 8, target.ipv6(), 16);
  wire::store16(message + 2, wire::icmpv6_checksum(kClientIpv6, group, message, wire::kNdpMessageSize));
  return wire::kEthernetHeaderSize + wire::kIpv6HeaderSize + wire::kNdpMessageSize;
}

// The address that a frame to the client answers for; false for any other frame.
bool read_answer(const uint8_t* frame, size_t size, wire::IpAddress& answered) {
  if (size < wire::kArpFrameSize || !wire::equal_mac(frame, kClientMac.data())) return false;
  if (wire::load16(frame + 12) == wire::kEtherTypeArp) {
    const wire::ArpView arp{frame + wire::kEthernetHeaderSize};
    if (arp.op() == wire::kArpRequest) return false;  // asks the client to follow
    if (arp.op() != wire::kArpReply || !wire::equal_mac(arp.sha(), frame + 6)) fail("a wrong ARP reply");
    answered = wire::IpAddress::from_ipv4(arp.spa());
    return true;
  }
  const uint8_t* message = frame + wire::kEthernetHeaderSize + wire::kIpv6HeaderSize;
  if (size != wire::kNdpFrameSize || message[0] != wire::kNeighborAdvertisement) return false;
  if (message[4] == 0x20) return false;  // asks the client to follow
  if (message[4] != 0x60 || !wire::equal_mac(message + 26, frame + 6)) fail("a wrong Neighbor Advertisement");
  answered = wire::IpAddress::from_ipv6(message + 8);
  return true;
}

// The far end of the link.
class Client {
 public:
  Client() : fd_(socket(AF_PACKET, SOCK_RAW, 0)) {
    sockaddr_ll local{};
    local.sll_family = AF_PACKET;
    local.sll_protocol = __builtin_bswap16(0x0003);  // ETH_P_ALL
    local.sll_ifindex = static_cast<int>(if_nametoindex("client"));
    // Only what is for us (the MAC's last four bytes tell): announcements by the thousand would fill the queue.
    sock_filter code[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2),
                          BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, wire::load32(kClientMac.data() + 2), 0, 1),
                          BPF_STMT(BPF_RET | BPF_K, 0xffff), BPF_STMT(BPF_RET | BPF_K, 0)};
    const sock_fprog program{4, code};
    if (setsockopt(fd_, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0) fail("the client's filter");
    if (fd_ < 0 || bind(fd_, reinterpret_cast<const sockaddr*>(&local), sizeof local) != 0) fail("the client's socket");
  }
  ~Client() { close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Asks for kBurst addresses; returns how many are answered within `timeout`.
  unsigned ask(unsigned& state, std::chrono::milliseconds timeout) {
    std::multiset<wire::IpAddress> open;
    uint8_t frame[2048];
    for (unsigned index = 0; index < kBurst; ++index) {
      const unsigned number = pick(state);
      const size_t size = make_request(frame, number);
      if (send(fd_, frame, size, 0) != static_cast<ssize_t>(size)) return 0;
      open.insert(address(number));
    }
    unsigned answered = 0;
    const auto end = Clock::now() + timeout;
    while (answered < kBurst && Clock::now() < end) {
      pollfd readable{fd_, POLLIN, 0};
      if (poll(&readable, 1, 50) <= 0) continue;
      const ssize_t size = recv(fd_, frame, sizeof frame, MSG_DONTWAIT);
      wire::IpAddress answer;
      if (size <= 0 || !read_answer(frame, static_cast<size_t>(size), answer)) continue;
      const auto found = open.find(answer);
      if (found == open.end()) continue;  // late, from a burst before the link went down
      open.erase(found);
      ++answered;
    }
    return answered;
  }

  // Frames for the client that found its socket's queue full.
  uint64_t lost() {
    tpacket_stats statistics{};
    socklen_t size = sizeof statistics;
    if (getsockopt(fd_, SOL_PACKET, PACKET_STATISTICS, &statistics, &size) != 0) fail("the client's statistics");
    return lost_ += statistics.tp_drops;
  }

 private:
  int fd_;
  uint64_t lost_ = 0;
};

// What tells whose fault an unanswered request is.
std::string account(Responder& responder, Client& client) {
  const InterfaceCounters& counters = responder.interface_counters(0);
  std::string text = "; the client's queue lost " + std::to_string(client.lost()) + ", the responder's ring " +
                     std::to_string(counters.ring_drops.read());
  for (size_t reason = 0; reason < kDropReasonCount; ++reason) {
    const uint64_t dropped = counters.drops[reason].read();
    if (dropped > 0) text += ", " + std::string(kDropReasonNames[reason]) + " " + std::to_string(dropped);
  }
  return text + ", send errors " + std::to_string(counters.send_errors.read());
}

// Requests that may stay unanswered: the client lost the answer itself, or they came while the responder was held, as
// it is for the time of one publication when the machine has taken the processor away from it.
uint64_t excused_requests(Responder& responder, Client& client) {
  const auto held = static_cast<size_t>(DropReason::kHeld);
  return client.lost() + responder.interface_counters(0).drops[held].read();
}

void set_link(bool up) { command(up ? "ip link set node up" : "ip link set node down"); }

void run_round(bool ebpf_filter, bool heartbeats) {
  ResponderOptions options;
  options.ebpf_filter = ebpf_filter;
  if (heartbeats) options.heartbeat = heartbeat_options("node", 1);
  options.link_schedule = {{0, 20, 100}, {0, 20, 100}};
  std::atomic<unsigned> wakes{0};
  Responder responder(options, [&wakes] { wakes.fetch_add(1); });
  std::atomic<uint64_t> peer_incarnation{0};
  responder.publish(make_publication(false, peer_incarnation), 30'000);

  std::atomic<bool> stop{false};
  std::atomic<unsigned> publications{0};
  Seen seen;
  std::thread publisher([&] {
    const std::vector<wire::IpAddress> some = {ipv4(1), ipv4(2), ipv6(1), ipv6(2)};
    for (bool variant = true; !stop; variant = !variant) {
      responder.publish(make_publication(variant, peer_incarnation), 30'000);
      responder.announce(some, 0, {{0, 5}, {0, 5}}, true, publications % 2);
      responder.advertise("node", ready(publications));
      responder.send_message("node", std::vector<uint8_t>(100));
      responder.set_keys(variant ? kKeys : HeartbeatKeys{kKeys[0], {9, 9}});
      responder.probe(some, 0, {0, 5});
      responder.renew(30'000);
      seen.take(responder);
      ++publications;
    }
  });
  std::thread peer([&] {
    if (heartbeats) run_peer(stop, peer_incarnation);
  });
  std::atomic<uint64_t> counted{0};
  std::thread reader([&] {
    while (!stop) {
      uint64_t sum = responder.interface_counters(0).arp_replies.read() +
                     responder.interface_counters(0).announcements.read() +
                     responder.interface_counters(0).drops[0].read();
      for (unsigned slot = 0; slot < kIpv4Count + kIpv6Count; ++slot) {
        sum += responder.address_counters().at(slot).replies.read();
      }
      counted = sum;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });

  Client client;
  unsigned state = 1;
  unsigned answers = 0;
  unsigned flaps = 0;
  unsigned excused_bursts = 0;
  const auto end = Clock::now() + kRoundDuration;
  auto next_flap = Clock::now() + kFlapInterval;
  // The port opens, and comes back after a flap, a little later than the link.
  bool settling = true;
  auto settled_by = Clock::now() + kSettlingTime;
  while (Clock::now() < end) {
    if (Clock::now() >= next_flap) {
      set_link(false);
      if (client.ask(state, kSettlingTimeout) != 0) fail("an answer on a link that is down");
      set_link(true);
      ++flaps;
      next_flap = Clock::now() + kFlapInterval;
      settling = true;
      settled_by = Clock::now() + kSettlingTime;
    }
    const uint64_t excused = excused_requests(responder, client);
    const unsigned answered = client.ask(state, settling ? kSettlingTimeout : kAnswerTimeout);
    answers += answered;
    if (answered == kBurst) {
      settling = false;
    } else if (!settling && kBurst - answered <= excused_requests(responder, client) - excused) {
      if (++excused_bursts > kMaxExcusedBursts) fail("too many excused bursts" + account(responder, client));
    } else if (!settling || Clock::now() > settled_by) {
      fail(std::to_string(kBurst - answered) + " of " + std::to_string(kBurst) + " requests were not answered" +
           account(responder, client));
    }
  }
  stop = true;
  publisher.join();
  reader.join();
  peer.join();
  if (answers == 0 || flaps == 0 || wakes == 0 || seen.events == 0 || counted == 0) fail("nothing happened");
  std::printf("%s filter: %u answers verified, %u tables, %u flaps, %llu events\n",
              responder.ebpf_in_use() ? "eBPF" : "classic", answers, publications.load(), flaps,
              static_cast<unsigned long long>(seen.events.load()));
  if (!heartbeats) return;
  const auto number = [](const std::atomic<uint64_t>& value) { return static_cast<unsigned long long>(value.load()); };
  std::printf("heartbeats: %llu reports of peers, %llu messages, %llu takeovers, %llu holds\n", number(seen.peers),
              number(seen.messages), number(seen.took), number(seen.held));
  if (seen.peers == 0 || seen.messages == 0 || seen.took == 0 || seen.held == 0) fail("no peer was heard, or none lost");
}

}  // namespace

int main() {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  command("ip link add node type veth peer name client");
  command("ip link set client up");
  set_link(true);
  run_round(true, false);
  run_round(false, false);
  run_round(true, true);
  return 0;
}
