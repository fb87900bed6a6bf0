// The journal of clients and the follower, on a clock of the test's own. Run by follower.test.ts; each case prints its
// name.
#include "follower.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <string>

#include "client_journal.h"
#include "wire/arp.h"
#include "wire/ndp.h"

#define CHECK(condition)                                                              \
  do {                                                                                \
    if (!(condition)) {                                                               \
      std::printf("%s:%d: broken: %s\n", __FILE__, __LINE__, #condition);             \
      std::exit(1);                                                                   \
    }                                                                                 \
  } while (false)

namespace {

using namespace arpeggio;

constexpr int64_t kMs = 1'000'000;
constexpr int64_t kSecond = 1000 * kMs;
constexpr wire::Mac kNodeMac = {0x02, 0, 0, 0, 0, 0x10};

wire::IpAddress ipv4(uint32_t number) {
  const uint8_t bytes[4] = {10, static_cast<uint8_t>(number >> 16), static_cast<uint8_t>(number >> 8),
                            static_cast<uint8_t>(number)};
  return wire::IpAddress::from_ipv4(bytes);
}

wire::IpAddress ipv6(uint32_t number) {
  uint8_t bytes[16] = {0x20, 0x01, 0x0d, 0xb8};
  wire::store32(bytes + 12, number);
  return wire::IpAddress::from_ipv6(bytes);
}

Client client(const wire::IpAddress& address) {
  return {address, {0x02, 1, address.bytes[12], address.bytes[13], address.bytes[14], address.bytes[15]}};
}

Client client4(uint32_t number) { return client(ipv4(0x10000 + number)); }
Client client6(uint32_t number) { return client(ipv6(0x10000 + number)); }

std::vector<wire::IpAddress> names(const std::vector<ClientJournal::Entry>& entries) {
  std::vector<wire::IpAddress> result;
  for (const auto& entry : entries) result.push_back(entry.client.address);
  return result;
}

class Wire final : public TransmitTarget {
 public:
  uint8_t* begin_frame(unsigned slot, const wire::IpAddress& address, FrameForm form, wire::Mac& mac) override {
    if (closed.count(slot) != 0 || withdrawn.count(address) != 0) return nullptr;
    mac = kNodeMac;
    announced.push_back(form == FrameForm::kDirected ? wire::IpAddress{} : address);
    return buffer_;
  }
  void end_frame(size_t size) override {
    ++frames;
    sizes.push_back(size);
    wire::IpAddress to{};
    if (wire::load16(buffer_ + 12) == wire::kEtherTypeArp) {
      to = wire::IpAddress::from_ipv4(wire::ArpView{buffer_ + 14}.tpa());
    } else {
      to = wire::IpAddress::from_ipv6(wire::Ipv6View{buffer_ + 14}.destination());
      types.push_back(buffer_[54]);
    }
    asked.push_back(to);
  }

  size_t frames = 0;
  std::vector<size_t> sizes;
  std::vector<uint8_t> types;
  std::vector<wire::IpAddress> asked;
  std::vector<wire::IpAddress> announced;  // :: for each directed frame
  std::set<unsigned> closed;
  std::set<wire::IpAddress> withdrawn;

 private:
  uint8_t buffer_[kMaxReplySize] = {};
};

void journal_orders_by_recency() {
  ClientJournal journal;
  for (uint32_t number = 0; number < 5; ++number) journal.note(ipv4(1), 0, client4(number), number * kSecond);
  journal.note(ipv4(2), 0, client4(9), 10 * kSecond);
  journal.note(ipv4(1), 0, client4(1), 20 * kSecond);
  journal.note(ipv4(1), 1, client4(7), 30 * kSecond);
  const auto found = journal.clients_of({ipv4(1), ipv4(2), ipv4(3)}, 0, 40 * kSecond);
  CHECK((names(found) == std::vector<wire::IpAddress>{client4(1).address, client4(9).address, client4(4).address,
                                                      client4(3).address, client4(2).address, client4(0).address}));
  CHECK(found[0].address_index == 0 && found[1].address_index == 1);
  CHECK(journal.size() == 7);
}

void journal_keeps_the_latest_mac() {
  ClientJournal journal;
  Client moved = client4(1);
  journal.note(ipv4(1), 0, moved, 0);
  moved.mac = kNodeMac;
  journal.note(ipv4(1), 0, moved, 1);
  const auto found = journal.clients_of({ipv4(1)}, 0, 2);
  CHECK(found.size() == 1 && found[0].client.mac == kNodeMac);
}

void journal_is_bounded_per_address() {
  ClientJournal journal;
  for (uint32_t number = 0; number < 200; ++number) journal.note(ipv4(1), 0, client4(number), number * kSecond);
  const auto found = journal.clients_of({ipv4(1)}, 0, 200 * kSecond);
  CHECK(found.size() == ClientJournal::kMaxPairsPerAddress);
  CHECK(found.front().client.address == client4(199).address);
  CHECK(found.back().client.address == client4(136).address);
}

void journal_is_bounded_overall_and_forgets_the_oldest() {
  ClientJournal journal;
  for (uint32_t number = 0; number < 3 * ClientJournal::kMaxPairs; ++number) {
    journal.note(ipv4(number), 0, client4(1), number * kMs);
    CHECK(journal.size() <= ClientJournal::kMaxPairs);
  }
  CHECK(journal.size() == ClientJournal::kMaxPairs);
  CHECK(journal.clients_of({ipv4(2 * ClientJournal::kMaxPairs - 1)}, 0, 60 * kSecond).empty());
  CHECK(journal.clients_of({ipv4(2 * ClientJournal::kMaxPairs)}, 0, 60 * kSecond).size() == 1);
}

void journal_forgets_slots_and_age() {
  ClientJournal journal;
  for (uint32_t number = 0; number < 100; ++number) journal.note(ipv6(number / 3), number % 2, client6(number), kSecond);
  CHECK(journal.size() == 100);
  journal.forget(slot_bit(1));
  CHECK(journal.size() == 50 && journal.clients_of({ipv6(0)}, 1, kSecond).empty());
  CHECK(journal.clients_of({ipv6(0)}, 0, kSecond).size() == 2);
  CHECK(journal.clients_of({ipv6(0)}, 0, kSecond + ClientJournal::kMaxAgeNs).size() == 2);
  CHECK(journal.clients_of({ipv6(0)}, 0, kSecond + ClientJournal::kMaxAgeNs + 1).empty());
  journal.forget(~SlotMask{0});
  CHECK(journal.size() == 0);
}

// Against a plain model, with few enough names that all of it happens: collisions, bounds, removal, return.
void journal_agrees_with_a_model() {
  ClientJournal journal;
  std::map<std::pair<std::pair<wire::IpAddress, unsigned>, wire::IpAddress>, int64_t> model;
  std::mt19937 random(7);
  int64_t now_ns = 0;
  for (int step = 0; step < 200'000; ++step) {
    now_ns += kSecond;
    const unsigned slot = random() % 2;
    if (random() % 20'000 == 0) {
      journal.forget(slot_bit(slot));
      for (auto it = model.begin(); it != model.end();) it = it->first.first.second == slot ? model.erase(it) : ++it;
      continue;
    }
    const wire::IpAddress service = ipv4(random() % 40);
    const Client who = client4(random() % 60);
    journal.note(service, slot, who, now_ns);
    model[{{service, slot}, who.address}] = now_ns;
  }
  CHECK(journal.size() == model.size());
  for (unsigned slot = 0; slot < 2; ++slot) {
    for (uint32_t number = 0; number < 40; ++number) {
      for (const auto& entry : journal.clients_of({ipv4(number)}, slot, now_ns)) {
        CHECK((model.at({{ipv4(number), slot}, entry.client.address}) == entry.heard_ns));
      }
    }
  }
}

Follower::Plan plan_of(const std::vector<wire::IpAddress>& addresses, const ClientJournal& journal) {
  return Follower::plan(addresses, 0, journal, kSecond);
}

std::vector<FollowReport> run_until(Follower& follower, int64_t from_ns, int64_t to_ns, Wire& wire) {
  std::vector<FollowReport> all;
  int64_t now_ns = from_ns;
  for (int step = 0; step < 100'000 && now_ns <= to_ns; ++step) {
    follower.run(now_ns, 64, wire);
    for (const FollowReport& report : follower.take_reports()) all.push_back(report);
    now_ns = std::max(now_ns, follower.next_due_ns());
  }
  return all;
}

void plan_puts_addresses_with_recent_clients_first() {
  ClientJournal journal;
  journal.note(ipv4(7), 0, client4(1), 0);
  journal.note(ipv6(5), 0, client6(1), 2 * kSecond);
  journal.note(ipv4(3), 0, client4(2), 4 * kSecond);
  journal.note(ipv4(7), 0, client4(3), 6 * kSecond);
  const auto plan = Follower::plan({ipv4(1), ipv4(3), ipv6(5), ipv4(7)}, 0, journal, 7 * kSecond);
  CHECK((plan.addresses == std::vector<wire::IpAddress>{ipv4(7), ipv4(3), ipv6(5), ipv4(1)}));
  CHECK(plan.targets.size() == 4);
  CHECK(plan.targets[0].client.address == client4(3).address && plan.targets[0].position == 0);
  CHECK(plan.targets[1].client.address == client4(2).address && plan.targets[1].position == 1);
  CHECK(plan.targets[2].client.address == client6(1).address && plan.targets[2].position == 0);
  CHECK(plan.targets[3].client.address == client4(1).address && plan.targets[3].position == 0);
}

void asks_at_0_50_200_and_1000_ms_until_confirmed() {
  ClientJournal journal;
  journal.note(ipv4(1), 0, client4(1), 0);
  journal.note(ipv6(1), 0, client6(1), 0);
  Follower follower;
  Wire wire;
  const int64_t start_ns = 5 * kSecond;
  follower.follow(FollowCause::kTook, 7, 0, plan_of({ipv4(1), ipv6(1)}, journal).targets, {}, start_ns);
  CHECK(follower.next_due_ns() == start_ns);
  follower.run(start_ns, 64, wire);
  CHECK(wire.frames == 3);  // ARP; NA and NS
  CHECK((wire.sizes == std::vector<size_t>{wire::kArpFrameSize, wire::kNdpFrameSize, wire::kNdpFrameSize}));
  CHECK((wire.types == std::vector<uint8_t>{wire::kNeighborAdvertisement, wire::kNeighborSolicitation}));
  follower.run(start_ns + 49 * kMs, 64, wire);
  CHECK(wire.frames == 3 && follower.next_due_ns() == start_ns + 50 * kMs);
  follower.confirm(ipv4(1), 0, client4(1).address);
  follower.run(start_ns + 50 * kMs, 64, wire);
  CHECK(wire.frames == 5);
  CHECK(follower.take_reports().empty() && follower.next_due_ns() == start_ns + 100 * kMs);
  follower.run(start_ns + 100 * kMs, 64, wire);
  const auto first = follower.take_reports();
  CHECK(first.size() == 1 && first[0].cause == FollowCause::kTook && first[0].number == 7 && first[0].slot == 0);
  CHECK(first[0].clients == 2 && first[0].confirmed == 1 && !first[0].final);
  follower.run(start_ns + 200 * kMs, 64, wire);
  CHECK(wire.frames == 7 && follower.next_due_ns() == start_ns + 1000 * kMs);
  follower.run(start_ns + 1000 * kMs, 64, wire);
  CHECK(wire.frames == 9 && follower.next_due_ns() == start_ns + 1500 * kMs);
  follower.run(start_ns + 1500 * kMs, 64, wire);
  const auto last = follower.take_reports();
  CHECK(last.size() == 1 && last[0].clients == 2 && last[0].confirmed == 1 && last[0].final);
  CHECK(follower.next_due_ns() == INT64_MAX);
}

void is_final_as_soon_as_all_have_confirmed() {
  ClientJournal journal;
  journal.note(ipv4(1), 0, client4(1), 0);
  Follower follower;
  Wire wire;
  follower.follow(FollowCause::kAnnounce, 3, 0, plan_of({ipv4(1)}, journal).targets, {}, 0);
  follower.run(0, 64, wire);
  follower.confirm(ipv4(1), 1, client4(1).address);  // another slot
  follower.confirm(ipv4(1), 0, client4(2).address);  // somebody else
  follower.confirm(ipv4(2), 0, client4(1).address);  // another address
  follower.run(10 * kMs, 64, wire);
  CHECK(follower.take_reports().empty());
  follower.confirm(ipv4(1), 0, client4(1).address);
  follower.confirm(ipv4(1), 0, client4(1).address);
  CHECK(follower.next_due_ns() <= 11 * kMs);
  follower.run(11 * kMs, 64, wire);
  const auto reports = follower.take_reports();
  CHECK(reports.size() == 1 && reports[0].final && reports[0].clients == 1 && reports[0].confirmed == 1);
  CHECK(wire.frames == 1 && follower.next_due_ns() == INT64_MAX);
}

void without_clients_it_is_final_at_once() {
  Follower follower;
  follower.follow(FollowCause::kAnnounce, 4, 2, {}, {}, 0);
  const auto reports = follower.take_reports();
  CHECK(reports.size() == 1 && reports[0].final && reports[0].clients == 0 && reports[0].slot == 2);
  CHECK(follower.next_due_ns() == INT64_MAX);
}

void waits_for_the_announcement_of_each_address() {
  ClientJournal journal;
  for (uint32_t number = 0; number < 4; ++number) journal.note(ipv4(number), 0, client4(number), -int64_t{number} * kSecond);
  Follower follower;
  Wire wire;
  auto announced = std::make_shared<uint32_t>(0);
  auto plan = plan_of({ipv4(0), ipv4(1), ipv4(2), ipv4(3)}, journal);
  follower.follow(FollowCause::kTook, 1, 0, plan.targets, {announced, nullptr}, 0);
  CHECK(!follower.run(0, 64, wire) && wire.frames == 0);
  CHECK(follower.next_due_ns() == 100 * kMs);  // the report; the announcer wakes us for the rest
  *announced = 2;
  CHECK(follower.next_due_ns() == 0);
  CHECK(!follower.run(kMs, 64, wire) && wire.frames == 2);
  announced.reset();  // the announcer has dropped the rest
  follower.run(2 * kMs, 64, wire);
  CHECK((wire.asked == std::vector<wire::IpAddress>{client4(0).address, client4(1).address, client4(2).address,
                                                    client4(3).address}));
}

// With the announcer itself: in turns of two frames, and when its interface is gone in the middle.
void follows_the_announcer() {
  ClientJournal journal;
  journal.note(ipv4(2), 0, client4(2), 0);
  journal.note(ipv6(1), 0, client6(1), 0);
  Announcer announcer;
  Follower follower;
  Wire wire;
  const std::vector<wire::IpAddress> all{ipv4(0), ipv4(1), ipv4(2), ipv6(0), ipv6(1)};
  auto plan = Follower::plan(all, 0, journal, 0);
  CHECK(plan.addresses[0] == ipv4(2) && plan.addresses[1] == ipv6(1));
  auto progress = announcer.announce(plan.addresses, 0, {{0, 20}, {0, 1000}}, true, 0);
  follower.follow(FollowCause::kTook, 1, 0, plan.targets, std::move(progress), 0);
  for (int turn = 0; turn < 6; ++turn) {
    announcer.run(1, 2, wire);
    follower.run(1, 2, wire);
  }
  const std::vector<wire::IpAddress>& order = wire.announced;
  CHECK(order.size() == 8 + 3);
  const auto at = [&](const wire::IpAddress& address) {
    return std::find(order.begin(), order.end(), address) - order.begin();
  };
  const auto first_directed = at({});
  CHECK(at(ipv4(2)) < first_directed || at(ipv6(1)) < first_directed);
  CHECK(at(ipv4(2)) < at(ipv4(0)) && at(ipv4(0)) < at(ipv4(1)) && at(ipv6(1)) < at(ipv6(0)));

  for (const bool begun : {false, true}) {
    auto dropped = announcer.announce({ipv4(0), ipv4(1)}, 3, {{0}, {}}, true, kMs);
    CHECK(!AnnouncementProgress::has_passed(dropped.ipv4, 0) && AnnouncementProgress::has_passed(dropped.ipv6, 0));
    if (begun) announcer.run(kMs, 1, wire);
    CHECK(AnnouncementProgress::has_passed(dropped.ipv4, 0) == begun);
    CHECK(!AnnouncementProgress::has_passed(dropped.ipv4, 1));
    announcer.cancel_announcements(3);
    CHECK(AnnouncementProgress::has_passed(dropped.ipv4, 1));
  }
}

void sends_no_more_than_the_budget() {
  ClientJournal journal;
  std::vector<wire::IpAddress> addresses;
  for (uint32_t number = 0; number < 1000; ++number) {
    addresses.push_back(ipv4(number));
    journal.note(ipv4(number), 0, client4(number % 100), 0);
  }
  Follower follower;
  Wire wire;
  follower.follow(FollowCause::kTook, 1, 0, plan_of(addresses, journal).targets, {}, 0);
  for (size_t turn = 1; turn <= 15; ++turn) {
    CHECK(follower.run(0, 64, wire));
    CHECK(wire.frames == turn * 64);
  }
  CHECK(!follower.run(0, 64, wire) && wire.frames == 1000);
  std::set<wire::IpAddress> distinct(wire.asked.begin(), wire.asked.end());
  CHECK(distinct.size() == 100);
}

void counts_but_does_not_ask_where_nothing_is_answered() {
  ClientJournal journal;
  journal.note(ipv4(1), 0, client4(1), 0);
  journal.note(ipv6(2), 0, client6(2), 0);
  Follower follower;
  Wire wire;
  wire.withdrawn = {ipv4(1), ipv6(2)};
  follower.follow(FollowCause::kTook, 1, 0, plan_of({ipv4(1), ipv6(2)}, journal).targets, {}, 0);
  const auto reports = run_until(follower, 0, 2 * kSecond, wire);
  CHECK(wire.frames == 0 && reports.size() == 2 && reports[1].final && reports[1].clients == 2);
}

void ends_with_its_interface() {
  ClientJournal journal;
  journal.note(ipv4(1), 0, client4(1), 0);
  Follower follower;
  Wire wire;
  const auto targets = plan_of({ipv4(1)}, journal).targets;
  follower.follow(FollowCause::kTook, 1, 0, targets, {}, 0);
  follower.follow(FollowCause::kTook, 2, 5, targets, {}, 0);
  follower.cancel(0);
  const auto reports = follower.take_reports();
  CHECK(reports.size() == 1 && reports[0].final && reports[0].number == 1);
  follower.confirm(ipv4(1), 0, client4(1).address);
  follower.confirm(ipv4(1), 5, client4(1).address);
  follower.run(0, 64, wire);
  const auto later = follower.take_reports();
  CHECK(later.size() == 1 && later[0].number == 2 && later[0].confirmed == 1);
}

void is_bounded_and_uses_its_room_again() {
  ClientJournal journal;
  std::vector<wire::IpAddress> addresses;
  for (uint32_t number = 0; number < ClientJournal::kMaxPairs; ++number) {
    addresses.push_back(ipv4(number));
    journal.note(ipv4(number), 0, client4(number), 0);
  }
  const auto targets = plan_of(addresses, journal).targets;
  CHECK(targets.size() == ClientJournal::kMaxPairs);
  Follower follower;
  Wire wire;
  for (uint64_t round = 0; round < 3; ++round) {
    const int64_t start_ns = static_cast<int64_t>(round) * 10 * kSecond;
    uint32_t clients = 0;
    for (uint64_t number = 0; number < 3; ++number) {
      follower.follow(FollowCause::kAnnounce, number, 0, targets, {}, start_ns);
    }
    // One answer counts for all who wait for it.
    follower.confirm(ipv4(5), 0, client4(5).address);
    for (const FollowReport& report : run_until(follower, start_ns, start_ns + 2 * kSecond, wire)) {
      if (!report.final) continue;
      clients += report.clients;
      CHECK(report.confirmed == (report.clients == 0 ? 0 : 1));
    }
    CHECK(clients == Follower::kMaxTargets);
  }
}

}  // namespace

int main() {
#define RUN(name) \
  name();         \
  std::printf("ok %s\n", #name)
  RUN(journal_orders_by_recency);
  RUN(journal_keeps_the_latest_mac);
  RUN(journal_is_bounded_per_address);
  RUN(journal_is_bounded_overall_and_forgets_the_oldest);
  RUN(journal_forgets_slots_and_age);
  RUN(journal_agrees_with_a_model);
  RUN(plan_puts_addresses_with_recent_clients_first);
  RUN(asks_at_0_50_200_and_1000_ms_until_confirmed);
  RUN(is_final_as_soon_as_all_have_confirmed);
  RUN(without_clients_it_is_final_at_once);
  RUN(waits_for_the_announcement_of_each_address);
  RUN(follows_the_announcer);
  RUN(sends_no_more_than_the_budget);
  RUN(counts_but_does_not_ask_where_nothing_is_answered);
  RUN(ends_with_its_interface);
  RUN(is_bounded_and_uses_its_room_again);
  return 0;
}
