#include "port_worker.h"

#include <pthread.h>
#include <signal.h>

#include <utility>

#include "system_error.h"

namespace arpeggio {

namespace {

void begin_thread(const char* name) {
  pthread_setname_np(pthread_self(), name);
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace

PortWorker::PortWorker(const AddressFilter& filter, bool heartbeats, std::function<void()> wake)
    : filter_(filter), heartbeats_(heartbeats), wake_(std::move(wake)),
      opener_([this] { run_opening(); }), closer_([this] { run_closing(); }) {}

PortWorker::~PortWorker() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  work_.notify_all();
  opener_.join();
  closer_.join();
}

void PortWorker::open(unsigned slot, const Link& link) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    to_open_.push_back({slot, link});
  }
  work_.notify_all();
}

void PortWorker::close(std::unique_ptr<Port> port) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    to_close_.push_back(std::move(port));
  }
  work_.notify_all();
}

std::vector<OpenedPort> PortWorker::take() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return std::exchange(opened_, {});
}

void PortWorker::run_opening() {
  begin_thread("arpeggio-open");
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    work_.wait(lock, [this] { return stop_ || !to_open_.empty(); });
    if (stop_) return;
    const Opening opening = std::move(to_open_.front());
    to_open_.pop_front();
    lock.unlock();
    OpenedPort opened = open_now(opening);
    lock.lock();
    opened_.push_back(std::move(opened));
    wake_();
  }
}

void PortWorker::run_closing() {
  begin_thread("arpeggio-close");
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    work_.wait(lock, [this] { return stop_ || !to_close_.empty(); });
    if (to_close_.empty()) return;
    std::unique_ptr<Port> port = std::move(to_close_.front());
    to_close_.pop_front();
    lock.unlock();
    port.reset();
    lock.lock();
  }
}

OpenedPort PortWorker::open_now(const Opening& opening) const {
  try {
    return {opening.slot, opening.link, std::make_unique<Port>(opening.slot, opening.link, filter_, heartbeats_), {}};
  } catch (const SystemError& error) {
    return {opening.slot, opening.link, nullptr, error.what()};
  }
}

}  // namespace arpeggio
