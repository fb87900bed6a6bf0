#include "responder_wrap.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <stdexcept>
#include <string>
#include <utility>

#include "clock.h"
#include "js_error.h"
#include "js_events.h"
#include "js_heartbeats.h"

namespace arpeggio {

namespace {

constexpr size_t kAddressSize = sizeof(wire::IpAddress);

std::vector<uint32_t> to_offsets(const Napi::Value& value) {
  const auto array = value.As<Napi::Uint32Array>();
  return {array.Data(), array.Data() + array.ElementLength()};
}

std::vector<wire::IpAddress> to_addresses(const Napi::Value& value) {
  const auto array = value.As<Napi::Uint8Array>();
  std::vector<wire::IpAddress> addresses(array.ElementLength() / kAddressSize);
  std::memcpy(addresses.data(), array.Data(), addresses.size() * kAddressSize);
  return addresses;
}

unsigned to_slot(Napi::Env env, const Napi::Value& value) {
  const uint32_t slot = value.As<Napi::Number>().Uint32Value();
  if (slot >= kMaxSlots) throw Napi::RangeError::New(env, "interface slot out of range");
  return slot;
}

// NativePlans of src/responder/addon.ts.
std::vector<TakeoverPlan> to_plans(Napi::Env env, const Napi::Object& object) {
  const auto slots = object.Get("slots").As<Napi::Uint32Array>();
  const auto incarnations = object.Get("incarnations").As<Napi::BigUint64Array>();
  const auto sizes = object.Get("sizes").As<Napi::Uint32Array>();
  const auto entries = object.Get("entries").As<Napi::Uint32Array>();
  std::vector<TakeoverPlan> plans;
  const uint32_t* next = entries.Data();
  size_t left = entries.ElementLength();
  for (size_t index = 0; index < sizes.ElementLength(); ++index) {
    const uint32_t size = sizes.Data()[index];
    if (index >= slots.ElementLength() || index >= incarnations.ElementLength() || size > left ||
        slots.Data()[index] >= kMaxSlots) {
      throw Napi::RangeError::New(env, "the arrays of the plans do not fit together");
    }
    plans.push_back({slots.Data()[index], incarnations.Data()[index], {next, next + size}});
    next += size;
    left -= size;
  }
  return plans;
}

std::vector<uint64_t> to_counts(const Napi::Value& value) {
  const auto counts = value.As<Napi::Float64Array>();
  return {counts.Data(), counts.Data() + counts.ElementLength()};
}

uint64_t to_count(const Napi::Value& value) { return static_cast<uint64_t>(value.As<Napi::Number>().Int64Value()); }

// By the C interface: when a worker is terminated no JavaScript can run any more, and what napi_call_function leaves
// behind then is no exception that Napi::Error could hold.
void call_on_wake(napi_env env, napi_value on_wake) {
  napi_value undefined;
  if (napi_get_undefined(env, &undefined) != napi_ok) return;
  if (napi_call_function(env, undefined, on_wake, 0, nullptr, nullptr) != napi_pending_exception) return;
  // What a handler throws ends as an uncaught exception, as from any other callback.
  napi_value error;
  if (napi_get_and_clear_last_exception(env, &error) == napi_ok) napi_fatal_exception(env, error);
}

}  // namespace

Napi::Function ResponderWrap::define(Napi::Env env) {
  return DefineClass(env, "NativeResponder",
                     {
                         InstanceMethod<&ResponderWrap::publish>("publish"),
                         InstanceMethod<&ResponderWrap::renew>("renew"),
                         InstanceMethod<&ResponderWrap::announce>("announce"),
                         InstanceMethod<&ResponderWrap::probe>("probe"),
                         InstanceMethod<&ResponderWrap::advertise>("advertise"),
                         InstanceMethod<&ResponderWrap::send>("send"),
                         InstanceMethod<&ResponderWrap::set_keys>("setKeys"),
                         InstanceMethod<&ResponderWrap::max_message_size>("maxMessageSize"),
                         InstanceMethod<&ResponderWrap::take_events>("takeEvents"),
                         InstanceMethod<&ResponderWrap::peers_heard>("peersHeard"),
                         InstanceMethod<&ResponderWrap::interface_counters>("interfaceCounters"),
                         InstanceMethod<&ResponderWrap::address_counters>("addressCounters"),
                         InstanceMethod<&ResponderWrap::describe>("describe"),
                         InstanceMethod<&ResponderWrap::close>("close"),
                     });
}

ResponderWrap::ResponderWrap(const Napi::CallbackInfo& info) : ObjectWrap(info), env_(info.Env()) {
  const Napi::Env env = info.Env();
  const auto options = info[0].As<Napi::Object>();
  ResponderOptions native_options;
  native_options.ebpf_filter = options.Get("ebpfFilter").ToBoolean();
  native_options.raise_priority = options.Get("raisePriority").ToBoolean();
  native_options.link_schedule = {to_offsets(options.Get("linkScheduleIpv4Ms")),
                                  to_offsets(options.Get("linkScheduleIpv6Ms"))};
  if (options.Get("heartbeat").IsObject()) {
    native_options.heartbeat = heartbeat_options_from_js(options.Get("heartbeat"));
    max_message_size_ = arpeggio::max_message_size(native_options.heartbeat->node.size());
  }
  wake_ = Napi::ThreadSafeFunction::New(env, info[1].As<Napi::Function>(), "arpeggio", 0, 1);
  // A responder alone does not keep the process alive.
  wake_.Unref(env);
  try {
    // The function is copied: the thread needs nothing of this object.
    responder_ = std::make_unique<Responder>(native_options, [wake = wake_] {
      wake.NonBlockingCall([](Napi::Env callback_env, Napi::Function on_wake) {
        // Empty at the end of the process.
        if (static_cast<napi_env>(callback_env) != nullptr && !on_wake.IsEmpty()) call_on_wake(callback_env, on_wake);
      });
    });
  } catch (const SystemError& error) {
    wake_.Release();
    throw to_js_error(env, error);
  } catch (const std::runtime_error& error) {
    wake_.Release();
    throw Napi::Error::New(env, error.what());
  }
  // After the thread-safe function's own hook, so before it in the reverse order of cleanup: the thread stops first.
  napi_add_env_cleanup_hook(env, on_env_cleanup, this);
}

ResponderWrap::~ResponderWrap() { stop(); }

void ResponderWrap::on_env_cleanup(void* self) {
  auto* wrap = static_cast<ResponderWrap*>(self);
  wrap->responder_.reset();
}

void ResponderWrap::stop() {
  if (!responder_) return;
  napi_remove_env_cleanup_hook(env_, on_env_cleanup, this);
  responder_.reset();
  wake_.Release();
}

Responder& ResponderWrap::open_responder(Napi::Env env) const {
  if (!responder_) throw Napi::Error::New(env, "the responder is closed");
  return *responder_;
}

void ResponderWrap::publish(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Responder& responder = open_responder(env);
  const auto name_array = info[0].As<Napi::Array>();
  const auto addresses = info[1].As<Napi::Uint8Array>();
  const auto selected = info[2].As<Napi::BigUint64Array>();
  const auto answer = info[3].As<Napi::BigUint64Array>();
  const auto tentative = info[4].As<Napi::BigUint64Array>();
  const auto quiet = info[5].As<Napi::BigUint64Array>();
  const auto counter_slots = info[6].As<Napi::Uint32Array>();
  const uint32_t lifetime_ms = info[7].As<Napi::Number>().Uint32Value();
  const size_t count = counter_slots.ElementLength();
  if (name_array.Length() > kMaxSlots || addresses.ElementLength() != count * kAddressSize ||
      selected.ElementLength() != count || answer.ElementLength() != count || tentative.ElementLength() != count ||
      quiet.ElementLength() != count) {
    throw Napi::RangeError::New(env, "the arrays of a table do not fit together");
  }
  std::vector<std::string> names;
  for (uint32_t index = 0; index < name_array.Length(); ++index) {
    names.push_back(name_array.Get(index).As<Napi::String>().Utf8Value());
  }
  std::vector<IpTableEntry> entries(count);
  for (size_t index = 0; index < count; ++index) {
    IpTableEntry& entry = entries[index];
    std::memcpy(entry.address.bytes.data(), addresses.Data() + index * kAddressSize, kAddressSize);
    entry.selected = selected.Data()[index];
    entry.answer = answer.Data()[index] & entry.selected;
    entry.tentative = tentative.Data()[index] & entry.answer;
    entry.quiet = quiet.Data()[index] & entry.answer;
    entry.counter_slot = counter_slots.Data()[index];
    if (entry.counter_slot >= AddressCounterStore::kChunkSize * AddressCounterStore::kMaxChunks) {
      throw Napi::RangeError::New(env, "counter slot out of range");
    }
  }
  Publication publication{std::make_shared<IpTable>(std::move(names), std::move(entries)),
                          to_plans(env, info[8].As<Napi::Object>()), to_count(info[9]), to_counts(info[10])};
  responder.publish(std::move(publication), lifetime_ms);
}

void ResponderWrap::renew(const Napi::CallbackInfo& info) {
  open_responder(info.Env()).renew(info[0].As<Napi::Number>().Uint32Value());
}

void ResponderWrap::announce(const Napi::CallbackInfo& info) {
  open_responder(info.Env())
      .announce(to_addresses(info[0]), to_slot(info.Env(), info[1]), {to_offsets(info[2]), to_offsets(info[3])},
                info[4].ToBoolean(), to_count(info[5]));
}

void ResponderWrap::probe(const Napi::CallbackInfo& info) {
  open_responder(info.Env()).probe(to_addresses(info[0]), to_slot(info.Env(), info[1]), to_offsets(info[2]));
}

void ResponderWrap::advertise(const Napi::CallbackInfo& info) {
  open_responder(info.Env()).advertise(info[0].As<Napi::String>().Utf8Value(), advertisement_from_js(info[1]));
}

void ResponderWrap::send(const Napi::CallbackInfo& info) {
  open_responder(info.Env()).send_message(info[0].As<Napi::String>().Utf8Value(), bytes_from_js(info[1]));
}

void ResponderWrap::set_keys(const Napi::CallbackInfo& info) {
  HeartbeatKeys keys = keys_from_js(info[0]);
  // What OpenSSL refuses is refused here, with the caller listening.
  with_openssl_errors(info.Env(), [&] { FrameAuthenticator check(keys); });
  open_responder(info.Env()).set_keys(std::move(keys));
}

Napi::Value ResponderWrap::max_message_size(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(max_message_size_));
}

Napi::Value ResponderWrap::take_events(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const EventBatch batch = open_responder(env).take_events();
  remember(batch.peers);
  return events_to_js(env, batch);
}

void ResponderWrap::remember(const PeerReports& peers) {
  bool is_new = false;
  for (const auto& [key, report] : peers) {
    std::weak_ptr<const std::atomic<int64_t>>& heard = heard_[key];
    is_new = is_new || heard.expired();
    heard = report.heard_ns;
  }
  // Nodes come, and their processes are started anew: what is gone makes room.
  for (auto at = heard_.begin(); is_new && at != heard_.end();) {
    at = at->second.expired() ? heard_.erase(at) : std::next(at);
  }
}

// PeerHeard[] of src/responder/types.ts.
Napi::Value ResponderWrap::peers_heard(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  open_responder(env);
  const int64_t now_ns = monotonic_ns();
  Napi::Array array = Napi::Array::New(env);
  for (const auto& [key, heard] : heard_) {
    const auto heard_ns = heard.lock();
    if (!heard_ns) continue;
    Napi::Object peer = Napi::Object::New(env);
    peer.Set("interfaceName", key.first);
    peer.Set("incarnation", incarnation_text(key.second));
    // It may be heard again between the two looks.
    const int64_t ago_ns = std::max<int64_t>(0, now_ns - heard_ns->load(std::memory_order_relaxed));
    peer.Set("agoMs", Napi::Number::New(env, static_cast<double>(ago_ns) / 1e6));
    array.Set(array.Length(), peer);
  }
  return array;
}

Napi::Value ResponderWrap::interface_counters(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const InterfaceCounters& counters = open_responder(env).interface_counters(to_slot(env, info[0]));
  constexpr size_t kOwnCount = sizeof kInterfaceCounterNames / sizeof kInterfaceCounterNames[0];
  Napi::Float64Array values = Napi::Float64Array::New(env, kOwnCount + kDropReasonCount);
  size_t at = 0;
#define X(member, name) values.Data()[at++] = static_cast<double>(counters.member.read());
  ARPEGGIO_INTERFACE_COUNTERS(X)
#undef X
  for (const Counter& drop : counters.drops) values.Data()[at++] = static_cast<double>(drop.read());
  return values;
}

Napi::Value ResponderWrap::address_counters(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  AddressCounterStore& store = open_responder(env).address_counters();
  const auto slots = info[0].As<Napi::Uint32Array>();
  Napi::Float64Array values = Napi::Float64Array::New(env, slots.ElementLength() * 3);
  for (size_t index = 0; index < slots.ElementLength(); ++index) {
    const uint32_t slot = slots.Data()[index];
    if (!store.reserve(slot)) throw Napi::RangeError::New(env, "counter slot out of range");
    const AddressCounters& counters = store.at(slot);
    values.Data()[index * 3] = static_cast<double>(counters.requests.read());
    values.Data()[index * 3 + 1] = static_cast<double>(counters.replies.read());
    values.Data()[index * 3 + 2] = static_cast<double>(counters.announcements.read());
  }
  return values;
}

Napi::Value ResponderWrap::describe(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Responder& responder = open_responder(env);
  Napi::Object object = Napi::Object::New(env);
  object.Set("ebpf", Napi::Boolean::New(env, responder.ebpf_in_use()));
  object.Set("ebpfReason", responder.ebpf_reason());
  object.Set("fifo", Napi::Boolean::New(env, responder.fifo()));
  object.Set("nice", Napi::Number::New(env, responder.nice()));
  return object;
}

void ResponderWrap::close(const Napi::CallbackInfo&) { stop(); }

}  // namespace arpeggio
