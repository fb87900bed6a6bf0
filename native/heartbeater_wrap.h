// The Heartbeater as a JavaScript object with frames and times as arguments: what src/responder/addon.ts calls
// NativeHeartbeater. For tests; on the wire the packet thread drives a Heartbeater of its own.
#pragma once

#include <napi.h>

#include <string>

#include "heartbeater.h"

namespace arpeggio {

class HeartbeaterWrap : public Napi::ObjectWrap<HeartbeaterWrap>, public HeartbeatSink {
 public:
  static Napi::Function define(Napi::Env env);

  // ({node, cluster, incarnation, intervalMs, multiplier, keys}, random number that all jitter comes from)
  explicit HeartbeaterWrap(const Napi::CallbackInfo& info);

 private:
  void open(const Napi::CallbackInfo& info);
  void shut(const Napi::CallbackInfo& info);
  void forget(const Napi::CallbackInfo& info);
  void set_keys(const Napi::CallbackInfo& info);
  void advertise(const Napi::CallbackInfo& info);
  Napi::Value send_message(const Napi::CallbackInfo& info);
  Napi::Value frame(const Napi::CallbackInfo& info);
  void tick(const Napi::CallbackInfo& info);
  Napi::Value next_due_ms(const Napi::CallbackInfo& info);
  void paused(const Napi::CallbackInfo& info);
  void expire(const Napi::CallbackInfo& info);
  void renew(const Napi::CallbackInfo& info);
  Napi::Value peers(const Napi::CallbackInfo& info);
  Napi::Value take_events(const Napi::CallbackInfo& info);

  void send_frame(unsigned slot, const uint8_t* frame, size_t size) override;
  void peer_down(unsigned slot, const PeerDown& down) override;
  void peer_changed(unsigned slot, const PeerReport& report) override;
  void peer_message(unsigned slot, const std::string& node, uint64_t incarnation, const uint8_t* body,
                    size_t size) override;
  void frame_refused(unsigned slot, const wire::Mac& source, DropReason reason, uint32_t count) override;
  void same_segment(unsigned slot, unsigned other_slot) override;
  void name_in_use(unsigned slot, const wire::Mac& source, const std::string& node) override;

  Napi::Object add_event(const char* type, unsigned slot);

  double random_ = 0;
  std::unique_ptr<Heartbeater> heartbeater_;
  Napi::ObjectReference events_;  // an array; the sink is called only from within calls of JavaScript
};

}  // namespace arpeggio
