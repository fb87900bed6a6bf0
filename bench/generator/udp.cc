#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstring>

#include "cpu_time.h"
#include "modes.h"
#include "packet_io.h"

namespace bench {
namespace {

constexpr uint16_t kPort = 7777;
constexpr size_t kPayload = 32;
constexpr unsigned kMessages = 64;

volatile sig_atomic_t stopped = 0;

uint16_t internet_checksum(const uint8_t* bytes, size_t length, uint32_t sum) {
  for (size_t at = 0; at < length; at += 2) sum += uint32_t{bytes[at]} << 8 | bytes[at + 1];
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

void put16(uint8_t* at, uint16_t value) {
  at[0] = static_cast<uint8_t>(value >> 8);
  at[1] = static_cast<uint8_t>(value);
}

// A datagram to kPort of `target`, written as the kernel of another host would.
Frame datagram(const Mac& generator, const Mac& responder, const std::string& source, const std::string& target) {
  Frame frame;
  uint8_t* bytes = frame.bytes.data();
  std::memcpy(bytes, responder.data(), 6);
  std::memcpy(bytes + 6, generator.data(), 6);
  constexpr uint16_t kUdpLength = 8 + kPayload;
  uint8_t* ip = bytes + 14;
  const bool v6 = target.find(':') != std::string::npos;
  uint8_t* udp = ip + (v6 ? 40 : 20);
  put16(udp, 40000);
  put16(udp + 2, kPort);
  put16(udp + 4, kUdpLength);
  if (v6) {
    put16(bytes + 12, ETH_P_IPV6);
    ip[0] = 0x60;
    put16(ip + 4, kUdpLength);
    ip[6] = IPPROTO_UDP;
    ip[7] = 64;
    if (inet_pton(AF_INET6, source.c_str(), ip + 8) != 1 || inet_pton(AF_INET6, target.c_str(), ip + 24) != 1)
      fail("not an address: " + target);
    put16(udp + 6, internet_checksum(ip + 8, 32 + kUdpLength, IPPROTO_UDP + kUdpLength));
  } else {
    put16(bytes + 12, ETH_P_IP);
    ip[0] = 0x45;
    put16(ip + 2, 20 + kUdpLength);
    ip[8] = 64;
    ip[9] = IPPROTO_UDP;
    if (inet_pton(AF_INET, source.c_str(), ip + 12) != 1 || inet_pton(AF_INET, target.c_str(), ip + 16) != 1)
      fail("not an address: " + target);
    put16(ip + 10, internet_checksum(ip, 20, 0));
    // RFC 768: a UDP checksum of zero over IPv4 means none.
  }
  frame.length = static_cast<uint16_t>(udp + kUdpLength - bytes);
  return frame;
}

}  // namespace

int run_udp(const Options& options) {
  const double rate = options.number("rate", 100000);
  const auto duration_ns = static_cast<uint64_t>(options.number("seconds", 1) * 1e9);
  const CpuTime cpu(options.ids("threads"), options.ids("processes"));
  PacketIo io(options.text("interface"), 0);
  const Frame frame = datagram(io.mac(), options.mac("mac"), options.text("source"), options.text("target"));
  const Frame* frames[PacketIo::kBatch];
  std::fill(std::begin(frames), std::end(frames), &frame);

  uint64_t sent = 0;
  uint64_t sent_on_time = 0;
  const CpuTime::Sample before = cpu.sample();
  const uint64_t start = now_ns();
  for (uint64_t now = start; now - start < duration_ns; now = now_ns()) {
    const auto due = static_cast<uint64_t>(static_cast<double>(now - start) * rate / 1e9);
    if (due > sent_on_time + PacketIo::kBatch) sent_on_time = due - PacketIo::kBatch / 2;
    if (due <= sent_on_time) continue;
    const size_t gone = io.send(frames, std::min<uint64_t>(due - sent_on_time, PacketIo::kBatch / 2));
    sent += gone;
    sent_on_time += gone;
  }
  const double seconds = static_cast<double>(now_ns() - start) / 1e9;
  usleep(20000);  // the last datagrams are still on their way up
  const CpuTime::Sample after = cpu.sample();
  std::printf("{\"seconds\":%.6f,\"sent\":%" PRIu64 ",\"kernelThreadNs\":%" PRIu64 ",\"processNs\":%" PRIu64 "}\n", seconds,
              sent, after.threads_ns - before.threads_ns, after.processes_ns - before.processes_ns);
  return 0;
}

int run_udp_sink(const Options&) {
  const int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket(AF_INET6)");
  const int buffer = 8 << 20;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer));
  sockaddr_in6 any{};
  any.sin6_family = AF_INET6;
  any.sin6_port = htons(kPort);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&any), sizeof(any)) < 0) fail("bind");
  struct sigaction action {};
  action.sa_handler = [](int) { stopped = 1; };
  sigaction(SIGTERM, &action, nullptr);

  uint8_t buffers[kMessages][128];
  iovec vectors[kMessages];
  mmsghdr messages[kMessages] = {};
  for (unsigned i = 0; i < kMessages; i += 1) {
    vectors[i] = {buffers[i], sizeof(buffers[i])};
    messages[i].msg_hdr.msg_iov = &vectors[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  uint64_t received = 0;
  std::puts("{\"ready\":true}");
  std::fflush(stdout);
  while (!stopped) {
    const int count = recvmmsg(fd, messages, kMessages, MSG_WAITFORONE, nullptr);
    if (count > 0) received += static_cast<uint64_t>(count);
    else if (errno != EINTR) fail("recvmmsg");
  }
  std::printf("{\"received\":%" PRIu64 "}\n", received);
  close(fd);
  return 0;
}

}  // namespace bench
