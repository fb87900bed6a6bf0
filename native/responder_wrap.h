// The Responder as a JavaScript object. Owned by its JavaScript handle: close(), garbage collection, worker
// termination and process exit all stop the thread before anything it uses goes away.
#pragma once

#include <napi.h>

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "responder.h"

namespace arpeggio {

class ResponderWrap : public Napi::ObjectWrap<ResponderWrap> {
 public:
  static Napi::Function define(Napi::Env env);

  // (options, onWake): onWake is called when there are events to take.
  explicit ResponderWrap(const Napi::CallbackInfo& info);
  ~ResponderWrap() override;

 private:
  static void on_env_cleanup(void* self);

  void publish(const Napi::CallbackInfo& info);
  void renew(const Napi::CallbackInfo& info);
  void announce(const Napi::CallbackInfo& info);
  void probe(const Napi::CallbackInfo& info);
  void advertise(const Napi::CallbackInfo& info);
  void send(const Napi::CallbackInfo& info);
  void set_keys(const Napi::CallbackInfo& info);
  Napi::Value max_message_size(const Napi::CallbackInfo& info);
  Napi::Value take_events(const Napi::CallbackInfo& info);
  Napi::Value peers_heard(const Napi::CallbackInfo& info);
  Napi::Value interface_counters(const Napi::CallbackInfo& info);
  Napi::Value address_counters(const Napi::CallbackInfo& info);
  Napi::Value describe(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);

  Responder& open_responder(Napi::Env env) const;
  void remember(const PeerReports& peers);
  void stop();

  napi_env env_;
  size_t max_message_size_ = wire::kMaxMessageSize;
  // Of the peers told so far; what the thread has forgotten expires.
  std::map<std::pair<std::string, uint64_t>, std::weak_ptr<const std::atomic<int64_t>>> heard_;
  Napi::ThreadSafeFunction wake_;
  std::unique_ptr<Responder> responder_;  // last: its thread calls wake_
};

}  // namespace arpeggio
