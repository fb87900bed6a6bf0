#include "port_worker.h"

#include <pthread.h>
#include <signal.h>

#include <utility>

#include "system_error.h"

namespace arpeggio {

PortWorker::PortWorker(const AddressFilter& filter, bool heartbeats, std::function<void()> wake)
    : filter_(filter), heartbeats_(heartbeats), wake_(std::move(wake)), thread_([this] { run(); }) {}

PortWorker::~PortWorker() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  work_.notify_one();
  thread_.join();
}

void PortWorker::open(unsigned slot, const Link& link) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    jobs_.push_back({slot, link, nullptr});
  }
  work_.notify_one();
}

void PortWorker::close(std::unique_ptr<Port> port) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    jobs_.push_back({0, {}, std::move(port)});
  }
  work_.notify_one();
}

std::vector<OpenedPort> PortWorker::take() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return std::exchange(opened_, {});
}

void PortWorker::run() {
  pthread_setname_np(pthread_self(), "arpeggio-ports");
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    work_.wait(lock, [this] { return stop_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    const bool wanted = !stop_ && job.to_close == nullptr;
    lock.unlock();
    job.to_close.reset();
    if (!wanted) {
      lock.lock();
      continue;
    }
    OpenedPort opened = open_now(job);
    lock.lock();
    opened_.push_back(std::move(opened));
    wake_();
  }
}

OpenedPort PortWorker::open_now(const Job& job) const {
  try {
    return {job.slot, job.link, std::make_unique<Port>(job.slot, job.link, filter_, heartbeats_), {}};
  } catch (const SystemError& error) {
    return {job.slot, job.link, nullptr, error.what()};
  }
}

}  // namespace arpeggio
