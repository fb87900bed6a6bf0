// Forged heartbeats: flood INTERFACE FRAMES-PER-SECOND SECONDS
//
// Well-formed heartbeats of the cluster "test" with a MAC that no key made, each with another incarnation and sequence.
// Prints after each quarter of a second how many frames a second it has sent in it. What the machine cannot send in time
// is not made up for. Its own packet sockets do not see them: they go out beside the queues.
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

constexpr size_t kBatch = 64;
constexpr size_t kFrames = 1024;
constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kReportNs = kSecondNs / 4;
constexpr int64_t kMostOverdueNs = kSecondNs / 500;
// The first 8 bytes of SHA-256 of "test".
constexpr uint8_t kCluster[8] = {0x9f, 0x86, 0xd0, 0x81, 0x88, 0x4c, 0x7d, 0x65};
constexpr uint8_t kGroup[6] = {0x03, 0x61, 0x72, 0x70, 0x67, 0x00};
const std::string kName = "forged";

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "flood: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

int64_t now_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * kSecondNs + now.tv_nsec;
}

struct Bytes : std::vector<uint8_t> {
  void add(uint64_t value, unsigned size) {
    for (unsigned at = size; at-- > 0;) push_back(static_cast<uint8_t>(value >> (8 * at)));
  }
  void append(const uint8_t* bytes, size_t size) { insert(end(), bytes, bytes + size); }
};

// As ARCHITECTURE.md has it, "Heartbeats on the wire".
Bytes forge(const uint8_t* source, uint64_t number) {
  constexpr size_t kBody = 13;
  constexpr size_t kMac = 16;
  const size_t header = 43 + kName.size();
  Bytes frame;
  frame.append(kGroup, 6);
  frame.append(source, 6);
  frame.add(0x88b5, 2);
  frame.append(reinterpret_cast<const uint8_t*>("ARPG"), 4);
  frame.add(0x01000101, 4);  // version 1.0, a heartbeat, with a MAC
  frame.add(header + kBody + kMac, 2);
  frame.add(header, 2);
  frame.append(kCluster, 8);
  frame.add((uint64_t{1} << 62) + number, 8);
  frame.add(number + 1, 8);
  frame.add(50'000, 4);
  frame.add(3, 1);
  frame.add(1, 1);
  frame.add(kName.size(), 1);
  frame.append(reinterpret_cast<const uint8_t*>(kName.data()), kName.size());
  frame.add(0, 8);  // no claims
  frame.add(0, 2);
  frame.add(0x000100, 3);  // slice 0 of 1, no entries
  frame.resize(frame.size() + kMac);
  return frame;
}

size_t send(int fd, const std::vector<Bytes>& frames, size_t at, size_t count) {
  mmsghdr messages[kBatch] = {};
  iovec vectors[kBatch];
  for (size_t index = 0; index < count; ++index) {
    const Bytes& frame = frames[(at + index) % kFrames];
    vectors[index] = {const_cast<uint8_t*>(frame.data()), frame.size()};
    messages[index].msg_hdr.msg_iov = &vectors[index];
    messages[index].msg_hdr.msg_iovlen = 1;
  }
  const int sent = sendmmsg(fd, messages, static_cast<unsigned>(count), MSG_DONTWAIT);
  if (sent < 0 && errno != ENOBUFS && errno != EAGAIN && errno != EINTR) fail("sendmmsg");
  return sent < 0 ? 0 : static_cast<size_t>(sent);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const double rate = std::atof(argv[2]);
  const auto duration_ns = static_cast<int64_t>(std::atof(argv[3]) * kSecondNs);
  const int fd = socket(AF_PACKET, SOCK_RAW, 0);
  if (fd < 0) fail("socket");
  ifreq link{};
  std::snprintf(link.ifr_name, sizeof link.ifr_name, "%s", argv[1]);
  if (ioctl(fd, SIOCGIFHWADDR, &link) < 0) fail("SIOCGIFHWADDR");
  const int on = 1;
  if (setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on) < 0) fail("PACKET_QDISC_BYPASS");
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_ifindex = static_cast<int>(if_nametoindex(argv[1]));
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) fail("bind");
  std::vector<Bytes> frames;
  for (uint64_t number = 0; number < kFrames; ++number) {
    frames.push_back(forge(reinterpret_cast<const uint8_t*>(link.ifr_hwaddr.sa_data), number));
  }

  // The processors are shared with the nodes, which would interrupt the flood at every frame, as they could not interrupt
  // one from another machine. Where it is not permitted the flood is a smaller one.
  sched_param priority{};
  priority.sched_priority = 1;
  sched_setscheduler(0, SCHED_FIFO, &priority);

  const int64_t start_ns = now_ns();
  size_t at = 0;
  int64_t report_ns = start_ns;
  uint64_t sent = 0;
  int64_t due_ns = start_ns;
  for (int64_t now = start_ns; now - start_ns < duration_ns; now = now_ns()) {
    // After a time without the processor only a short burst.
    due_ns = std::max(due_ns, now - kMostOverdueNs);
    if (now < due_ns) {
      const timespec wait{0, std::min<int64_t>(due_ns - now, kSecondNs / 100)};
      nanosleep(&wait, nullptr);
      continue;
    }
    const size_t gone = send(fd, frames, at, kBatch);
    at += gone;
    sent += gone;
    due_ns += static_cast<int64_t>(kBatch / rate * kSecondNs);
    if (now - report_ns < kReportNs) continue;
    std::printf("%.0f\n", static_cast<double>(sent) * kSecondNs / static_cast<double>(now - report_ns));
    std::fflush(stdout);
    report_ns = now;
    sent = 0;
  }
  return 0;
}
