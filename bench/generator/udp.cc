#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstring>

#include "cpu_time.h"
#include "modes.h"
#include "packet_io.h"

namespace bench {
namespace {

constexpr uint16_t kPort = 7777;
constexpr size_t kPayload = 64;
constexpr unsigned kMessages = 64;

volatile sig_atomic_t stopped = 0;

sockaddr_in6 udp_address(const std::string& text) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(kPort);
  const std::string mapped = text.find(':') == std::string::npos ? "::ffff:" + text : text;
  if (inet_pton(AF_INET6, mapped.c_str(), &address.sin6_addr) != 1) fail("not an address: " + text);
  return address;
}

}  // namespace

int run_udp(const Options& options) {
  const sockaddr_in6 target = udp_address(options.text("target"));
  const double rate = options.number("rate", 0);
  const auto duration_ns = static_cast<uint64_t>(options.number("seconds", 1) * 1e9);
  const CpuTime cpu(options.ids("threads"), options.ids("processes"));
  const int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket(AF_INET6)");
  if (connect(fd, reinterpret_cast<const sockaddr*>(&target), sizeof(target)) < 0) fail("connect");

  uint8_t payload[kPayload] = {};
  iovec vector{payload, sizeof(payload)};
  mmsghdr messages[kMessages] = {};
  for (mmsghdr& message : messages) {
    message.msg_hdr.msg_iov = &vector;
    message.msg_hdr.msg_iovlen = 1;
  }
  uint64_t sent = 0;
  const CpuTime::Sample before = cpu.sample();
  const uint64_t start = now_ns();
  for (uint64_t now = start; now - start < duration_ns; now = now_ns()) {
    unsigned count = kMessages;
    if (rate > 0) {
      const auto due = static_cast<uint64_t>(static_cast<double>(now - start) * rate / 1e9);
      count = due > sent ? static_cast<unsigned>(due - sent < 32 ? due - sent : 32) : 0;
    }
    if (count > 0) {
      const int gone = sendmmsg(fd, messages, count, MSG_DONTWAIT);
      if (gone > 0) sent += static_cast<uint64_t>(gone);
    }
    sched_yield();
  }
  const double seconds = static_cast<double>(now_ns() - start) / 1e9;
  const CpuTime::Sample after = cpu.sample();
  std::printf("{\"seconds\":%.6f,\"sent\":%" PRIu64 ",\"kernelThreadNs\":%" PRIu64 ",\"processNs\":%" PRIu64 "}\n", seconds,
              sent, after.threads_ns - before.threads_ns, after.processes_ns - before.processes_ns);
  close(fd);
  return 0;
}

// Prints how many datagrams came in each time it gets a line on stdin, and ends with it.
int run_udp_sink(const Options&) {
  const int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket(AF_INET6)");
  const int buffer = 8 << 20;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer));
  const sockaddr_in6 any = udp_address("::");
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
