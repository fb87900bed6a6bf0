#include "heartbeater_wrap.h"

#include <cmath>
#include <limits>

#include "js_events.h"
#include "js_heartbeats.h"

namespace arpeggio {

namespace {

constexpr const char* kDownCauseNames[] = {"silent", "left", "restarted", "deaf", "forgotten"};
constexpr double kNsPerMs = 1e6;

int64_t time_from_js(const Napi::Value& value) { return std::llround(value.As<Napi::Number>().DoubleValue() * kNsPerMs); }

unsigned slot_from_js(const Napi::Value& value) {
  const uint32_t slot = value.As<Napi::Number>().Uint32Value();
  if (slot >= kMaxSlots) throw Napi::RangeError::New(value.Env(), "no such slot");
  return slot;
}

}  // namespace

Napi::Function HeartbeaterWrap::define(Napi::Env env) {
  return DefineClass(env, "NativeHeartbeater",
                     {
                         InstanceMethod<&HeartbeaterWrap::open>("open"),
                         InstanceMethod<&HeartbeaterWrap::shut>("shut"),
                         InstanceMethod<&HeartbeaterWrap::forget>("forget"),
                         InstanceMethod<&HeartbeaterWrap::set_keys>("setKeys"),
                         InstanceMethod<&HeartbeaterWrap::advertise>("advertise"),
                         InstanceMethod<&HeartbeaterWrap::send_message>("sendMessage"),
                         InstanceMethod<&HeartbeaterWrap::frame>("frame"),
                         InstanceMethod<&HeartbeaterWrap::tick>("tick"),
                         InstanceMethod<&HeartbeaterWrap::next_due_ms>("nextDueMs"),
                         InstanceMethod<&HeartbeaterWrap::paused>("paused"),
                         InstanceMethod<&HeartbeaterWrap::expire>("expire"),
                         InstanceMethod<&HeartbeaterWrap::renew>("renew"),
                         InstanceMethod<&HeartbeaterWrap::peers>("peers"),
                         InstanceMethod<&HeartbeaterWrap::take_events>("takeEvents"),
                     });
}

HeartbeaterWrap::HeartbeaterWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<HeartbeaterWrap>(info) {
  HeartbeatOptions options = heartbeat_options_from_js(info[0]);
  random_ = info[1].As<Napi::Number>().DoubleValue();
  events_ = Napi::Persistent(Napi::Array::New(info.Env()).As<Napi::Object>());
  with_openssl_errors(info.Env(), [&] {
    heartbeater_ = std::make_unique<Heartbeater>(std::move(options), *this, [this] { return random_; });
  });
}

// (slot, mac as 6 bytes, nowMs)
void HeartbeaterWrap::open(const Napi::CallbackInfo& info) {
  const std::vector<uint8_t> mac = bytes_from_js(info[1]);
  if (mac.size() != 6) throw Napi::RangeError::New(info.Env(), "a MAC address has 6 bytes");
  heartbeater_->open(slot_from_js(info[0]), wire::load_mac(mac.data()), time_from_js(info[2]));
}

void HeartbeaterWrap::shut(const Napi::CallbackInfo& info) {
  heartbeater_->shut(slot_from_js(info[0]), time_from_js(info[1]));
}

void HeartbeaterWrap::forget(const Napi::CallbackInfo& info) { heartbeater_->forget(slot_from_js(info[0])); }

void HeartbeaterWrap::set_keys(const Napi::CallbackInfo& info) {
  with_openssl_errors(info.Env(), [&] { heartbeater_->set_keys(keys_from_js(info[0])); });
}

// (slot, Advertisement of src/responder/types.ts, nowMs)
void HeartbeaterWrap::advertise(const Napi::CallbackInfo& info) {
  heartbeater_->advertise(slot_from_js(info[0]), advertisement_from_js(info[1]), time_from_js(info[2]));
}

// (slot, body, nowMs): whether it was sent
Napi::Value HeartbeaterWrap::send_message(const Napi::CallbackInfo& info) {
  const std::vector<uint8_t> body = bytes_from_js(info[1]);
  return Napi::Boolean::New(info.Env(), heartbeater_->send_message(slot_from_js(info[0]), body.data(), body.size(),
                                                                   time_from_js(info[2])));
}

// (slot, frame, packetType, vlanTci or null, nowMs): drop reason or null
Napi::Value HeartbeaterWrap::frame(const Napi::CallbackInfo& info) {
  // An exact copy on the heap: a read past the frame is then a finding of the sanitizers, not a read of spare room.
  const std::vector<uint8_t> copy = bytes_from_js(info[1]);
  const bool has_vlan = info[3].IsNumber();
  const Frame frame{copy.data(), copy.size(), static_cast<PacketType>(info[2].As<Napi::Number>().Uint32Value()),
                    has_vlan, static_cast<uint16_t>(has_vlan ? info[3].As<Napi::Number>().Uint32Value() : 0)};
  const std::optional<DropReason> drop = heartbeater_->on_frame(frame, slot_from_js(info[0]), time_from_js(info[4]));
  if (!drop) return info.Env().Null();
  return Napi::String::New(info.Env(), kDropReasonNames[static_cast<size_t>(*drop)]);
}

void HeartbeaterWrap::tick(const Napi::CallbackInfo& info) { heartbeater_->tick(time_from_js(info[0])); }

// Infinity for never.
Napi::Value HeartbeaterWrap::next_due_ms(const Napi::CallbackInfo& info) {
  const int64_t due_ns = heartbeater_->next_due_ns();
  const bool never = due_ns == std::numeric_limits<int64_t>::max();
  return Napi::Number::New(info.Env(), never ? std::numeric_limits<double>::infinity()
                                             : static_cast<double>(due_ns) / kNsPerMs);
}

void HeartbeaterWrap::paused(const Napi::CallbackInfo& info) { heartbeater_->paused(time_from_js(info[0])); }

void HeartbeaterWrap::expire(const Napi::CallbackInfo& info) { heartbeater_->expire(time_from_js(info[0])); }

void HeartbeaterWrap::renew(const Napi::CallbackInfo& info) { heartbeater_->renew(time_from_js(info[0])); }

Napi::Value HeartbeaterWrap::peers(const Napi::CallbackInfo& info) {
  Napi::Array array = Napi::Array::New(info.Env());
  for (const PeerReport& report : heartbeater_->peers(slot_from_js(info[0]))) {
    array.Set(array.Length(), peer_report_to_js(info.Env(), report));
  }
  return array;
}

Napi::Value HeartbeaterWrap::take_events(const Napi::CallbackInfo& info) {
  const Napi::Object events = events_.Value();
  events_ = Napi::Persistent(Napi::Array::New(info.Env()).As<Napi::Object>());
  return events;
}

Napi::Object HeartbeaterWrap::add_event(const char* type, unsigned slot) {
  Napi::Object event = Napi::Object::New(Env());
  event.Set("type", type);
  event.Set("slot", slot);
  const auto events = events_.Value().As<Napi::Array>();
  events.Set(events.Length(), event);
  return event;
}

void HeartbeaterWrap::send_frame(unsigned slot, const uint8_t* frame, size_t size) {
  add_event("send", slot).Set("frame", Napi::Buffer<uint8_t>::Copy(Env(), frame, size));
}

void HeartbeaterWrap::peer_down(unsigned slot, const PeerDown& down) {
  Napi::Object event = add_event("down", slot);
  event.Set("node", down.node);
  event.Set("incarnation", incarnation_text(down.incarnation));
  event.Set("wasTwoWay", down.was_two_way);
  event.Set("lastHeardMs", static_cast<double>(down.last_heard_ns) / kNsPerMs);
  event.Set("cause", kDownCauseNames[static_cast<size_t>(down.cause)]);
}

void HeartbeaterWrap::peer_changed(unsigned slot, const PeerReport& report) {
  add_event("peer", slot).Set("peer", peer_report_to_js(Env(), report));
}

void HeartbeaterWrap::peer_message(unsigned slot, const std::string& node, uint64_t incarnation, const uint8_t* body,
                                   size_t size) {
  Napi::Object event = add_event("message", slot);
  event.Set("node", node);
  event.Set("incarnation", incarnation_text(incarnation));
  event.Set("body", Napi::Buffer<uint8_t>::Copy(Env(), body, size));
}

void HeartbeaterWrap::frame_refused(unsigned slot, const wire::Mac& source, DropReason reason, uint32_t count) {
  Napi::Object event = add_event("refused", slot);
  event.Set("mac", mac_to_js(Env(), source));
  event.Set("refusal", kDropReasonNames[static_cast<size_t>(reason)]);
  event.Set("count", count);
}

void HeartbeaterWrap::same_segment(unsigned slot, unsigned other_slot) {
  add_event("same-segment", slot).Set("otherSlot", other_slot);
}

void HeartbeaterWrap::name_in_use(unsigned slot, const wire::Mac& source, const std::string& node) {
  Napi::Object event = add_event("name-in-use", slot);
  event.Set("mac", mac_to_js(Env(), source));
  event.Set("node", node);
}

}  // namespace arpeggio
