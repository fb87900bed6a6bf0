// Opens and closes ports beside the packet thread, and closes beside opening, for which somebody waits. To set up or tear down the rings of a socket the kernel waits for
// grace periods, 19 to 69 ms for a port; in the packet thread all other interfaces would go unanswered meanwhile.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "port.h"

namespace arpeggio {

// What became of open(): a port, or the reason why there is none.
struct OpenedPort {
  unsigned slot;
  Link link;
  std::unique_ptr<Port> port;
  std::string error;
};

class PortWorker {
 public:
  // `wake` is called on the worker when there is something to take. `filter` outlives the worker.
  // `heartbeats`: ports are opened with the third socket.
  PortWorker(const AddressFilter& filter, bool heartbeats, std::function<void()> wake);
  // Finishes what was asked for, and closes what nobody took.
  ~PortWorker();
  PortWorker(const PortWorker&) = delete;
  PortWorker& operator=(const PortWorker&) = delete;

  void open(unsigned slot, const Link& link);
  void close(std::unique_ptr<Port> port);
  std::vector<OpenedPort> take();

 private:
  struct Opening {
    unsigned slot;
    Link link;
  };

  void run_opening();
  void run_closing();
  OpenedPort open_now(const Opening& opening) const;

  const AddressFilter& filter_;
  const bool heartbeats_;
  std::function<void()> wake_;
  std::mutex mutex_;
  std::condition_variable work_;
  std::deque<Opening> to_open_;
  std::deque<std::unique_ptr<Port>> to_close_;
  std::vector<OpenedPort> opened_;
  bool stop_ = false;
  std::thread opener_;  // last: everything they use is set
  std::thread closer_;
};

}  // namespace arpeggio
