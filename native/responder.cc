#include "responder.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <utility>

#include "clock.h"
#include "system_error.h"

namespace arpeggio {

namespace {

FileDescriptor require(const char* syscall, int fd) {
  if (fd < 0) throw SystemError(syscall, errno);
  return FileDescriptor(fd);
}

// Fails now, with the caller listening, and not in the thread when the first interface comes up.
void require_packet_sockets() { require("socket", socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)); }

}  // namespace

Responder::Responder(const ResponderOptions& options, std::function<void()> wake)
    : options_(options),
      events_(std::move(wake)),
      filter_((require_packet_sockets(), options.ebpf_filter)),
      wakeup_(require("eventfd", eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))),
      published_(std::make_shared<const IpTable>()),
      epoll_(require("epoll_create1", epoll_create1(EPOLL_CLOEXEC))),
      links_(LinkMonitor::Addresses::kIgnore),
      ports_(*this, events_, filter_, links_, options.heartbeat.has_value(), epoll_.get(), kFirstSocketTag,
             [this] { eventfd_write(wakeup_.get(), 1); }),
      transmitter_(ports_, answering_, events_, interface_counters_, address_counters_, options.heartbeat.has_value()) {
  if (options.heartbeat) {
    heartbeats_ = std::make_unique<HeartbeatIo>(*options.heartbeat, ports_, events_, interface_counters_,
                                                [this](unsigned slot, const PeerDown& down) { peer_lost(slot, down); });
  }
  watch(wakeup_.get(), kWakeupTag);
  watch(links_.fd(), kLinksTag);
  thread_ = std::thread([this] { run(); });
}

Responder::~Responder() {
  post([](Mail& mail) { mail.stop = true; });
  thread_.join();
}

void Responder::post(const std::function<void(Mail&)>& write) {
  {
    const std::lock_guard<std::mutex> lock(mail_mutex_);
    write(mail_);
  }
  eventfd_write(wakeup_.get(), 1);
}

void Responder::publish(Publication publication, uint32_t lifetime_ms) {
  const std::shared_ptr<const IpTable> table = publication.table;
  for (const IpTableEntry& entry : table->entries()) address_counters_.reserve(entry.counter_slot);
  const bool had_filter = filter_.available();
  filter_.update(*published_, *table);
  published_ = table;
  deadline_ns_.store(monotonic_ns() + lifetime_ms * kNanosecondsPerMillisecond, std::memory_order_release);
  post([&](Mail& mail) {
    // Freed outside the lock and on this thread, where one was not taken yet.
    std::optional<Publication> next(std::move(publication));
    mail.publication.swap(next);
    publication = next ? std::move(*next) : Publication{};
    mail.filter_lost = mail.filter_lost || (had_filter && !filter_.available());
  });
}

void Responder::renew(uint32_t lifetime_ms) {
  deadline_ns_.store(monotonic_ns() + lifetime_ms * kNanosecondsPerMillisecond, std::memory_order_release);
  // If it was over, heartbeats start again.
  if (heartbeats_) eventfd_write(wakeup_.get(), 1);
}

void Responder::announce(std::vector<wire::IpAddress> addresses, unsigned slot, AnnouncementSchedule schedule,
                         bool urgent, uint64_t confirm) {
  post([&](Mail& mail) {
    mail.orders.push_back({false, std::move(addresses), slot, std::move(schedule), {}, urgent, confirm});
  });
}

void Responder::probe(std::vector<wire::IpAddress> addresses, unsigned slot, std::vector<uint32_t> offsets_ms) {
  post([&](Mail& mail) {
    mail.orders.push_back({true, std::move(addresses), slot, {}, std::move(offsets_ms), true, 0});
  });
}

void Responder::advertise(const std::string& interface_name, Advertisement advertisement) {
  if (!heartbeats_) return;
  post([&](Mail& mail) { mail.advertisements[interface_name] = std::move(advertisement); });
}

void Responder::send_message(const std::string& interface_name, std::vector<uint8_t> body) {
  if (!heartbeats_) return;
  post([&](Mail& mail) { mail.messages.emplace_back(interface_name, std::move(body)); });
}

void Responder::set_keys(HeartbeatKeys keys) {
  if (!heartbeats_) return;
  post([&](Mail& mail) { mail.keys = std::move(keys); });
}

void Responder::watch(int fd, uint64_t tag) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = tag;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) throw SystemError("epoll_ctl", errno);
}

}  // namespace arpeggio
