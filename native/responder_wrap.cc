#include "responder_wrap.h"

#include <linux/if.h>
#include <linux/if_arp.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>

#include "js_error.h"

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

Napi::Uint8Array address_to_js(Napi::Env env, const wire::IpAddress& address) {
  Napi::Uint8Array bytes = Napi::Uint8Array::New(env, kAddressSize);
  std::memcpy(bytes.Data(), address.bytes.data(), kAddressSize);
  return bytes;
}

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

const char* event_type_name(EventType type) {
  switch (type) {
    case EventType::kRival:
      return "rival";
    case EventType::kPortOpened:
      return "port-opened";
    case EventType::kPortClosed:
      return "port-closed";
    case EventType::kPortFailed:
      return "port-failed";
    case EventType::kLinksFailed:
      return "links-failed";
    case EventType::kTableExpired:
      return "table-expired";
    case EventType::kFilterFallback:
      return "filter-fallback";
  }
  return "";
}

Napi::Object event_to_js(Napi::Env env, const Event& event) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("type", event_type_name(event.type));
  object.Set("interfaceName", event.interface_name);
  object.Set("mac", mac_to_js(env, event.mac));
  object.Set("text", event.text);
  if (event.type == EventType::kRival) {
    object.Set("address", address_to_js(env, event.address));
    object.Set("kind", rival_kind_name(event.rival_kind));
  }
  return object;
}

}  // namespace

const char* rival_kind_name(RivalKind kind) {
  switch (kind) {
    case RivalKind::kArp:
      return "arp";
    case RivalKind::kArpProbe:
      return "arp-probe";
    case RivalKind::kNeighborAdvertisement:
      return "na";
    case RivalKind::kNeighborSolicitation:
      return "ns";
    case RivalKind::kDad:
      return "dad";
  }
  return "";
}

Napi::String mac_to_js(Napi::Env env, const wire::Mac& mac) {
  char text[18];
  std::snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
  return Napi::String::New(env, text);
}

Napi::Array links_to_js(Napi::Env env, const std::vector<Link>& links) {
  Napi::Array array = Napi::Array::New(env, links.size());
  for (size_t index = 0; index < links.size(); ++index) {
    const Link& link = links[index];
    Napi::Object object = Napi::Object::New(env);
    object.Set("name", link.name);
    object.Set("index", Napi::Number::New(env, link.index));
    object.Set("mac", link.has_mac ? mac_to_js(env, link.mac) : Napi::String::New(env, ""));
    object.Set("up", Napi::Boolean::New(env, link.up()));
    object.Set("carrier", Napi::Boolean::New(env, link.carrier()));
    object.Set("loopback", Napi::Boolean::New(env, (link.flags & IFF_LOOPBACK) != 0));
    object.Set("noArp", Napi::Boolean::New(env, (link.flags & IFF_NOARP) != 0));
    object.Set("ethernet", Napi::Boolean::New(env, link.type == ARPHRD_ETHER));
    object.Set("enslaved", Napi::Boolean::New(env, link.enslaved));
    object.Set("unusableReason", link.unusable_reason());
    Napi::Uint8Array addresses = Napi::Uint8Array::New(env, link.addresses.size() * kAddressSize);
    Napi::Uint8Array prefixes = Napi::Uint8Array::New(env, link.addresses.size());
    for (size_t at = 0; at < link.addresses.size(); ++at) {
      std::memcpy(addresses.Data() + at * kAddressSize, link.addresses[at].first.bytes.data(), kAddressSize);
      prefixes.Data()[at] = link.addresses[at].second;
    }
    object.Set("addresses", addresses);
    object.Set("prefixLengths", prefixes);
    array.Set(static_cast<uint32_t>(index), object);
  }
  return array;
}

Napi::Function ResponderWrap::define(Napi::Env env) {
  return DefineClass(env, "NativeResponder",
                     {
                         InstanceMethod<&ResponderWrap::publish>("publish"),
                         InstanceMethod<&ResponderWrap::renew>("renew"),
                         InstanceMethod<&ResponderWrap::announce>("announce"),
                         InstanceMethod<&ResponderWrap::probe>("probe"),
                         InstanceMethod<&ResponderWrap::take_events>("takeEvents"),
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
  const auto counter_slots = info[5].As<Napi::Uint32Array>();
  const uint32_t lifetime_ms = info[6].As<Napi::Number>().Uint32Value();
  const size_t count = counter_slots.ElementLength();
  if (name_array.Length() > kMaxSlots || addresses.ElementLength() != count * kAddressSize ||
      selected.ElementLength() != count || answer.ElementLength() != count || tentative.ElementLength() != count) {
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
    entry.counter_slot = counter_slots.Data()[index];
    if (entry.counter_slot >= AddressCounterStore::kChunkSize * AddressCounterStore::kMaxChunks) {
      throw Napi::RangeError::New(env, "counter slot out of range");
    }
  }
  responder.publish(std::make_shared<const IpTable>(std::move(names), std::move(entries)), lifetime_ms);
}

void ResponderWrap::renew(const Napi::CallbackInfo& info) {
  open_responder(info.Env()).renew(info[0].As<Napi::Number>().Uint32Value());
}

void ResponderWrap::announce(const Napi::CallbackInfo& info) {
  open_responder(info.Env())
      .announce(to_addresses(info[0]), to_slot(info.Env(), info[1]), {to_offsets(info[2]), to_offsets(info[3])},
                info[4].ToBoolean());
}

void ResponderWrap::probe(const Napi::CallbackInfo& info) {
  open_responder(info.Env()).probe(to_addresses(info[0]), to_slot(info.Env(), info[1]), to_offsets(info[2]));
}

Napi::Value ResponderWrap::take_events(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const EventBatch batch = open_responder(env).take_events();
  Napi::Object result = Napi::Object::New(env);
  Napi::Array events = Napi::Array::New(env, batch.events.size());
  for (size_t index = 0; index < batch.events.size(); ++index) {
    events.Set(static_cast<uint32_t>(index), event_to_js(env, batch.events[index]));
  }
  result.Set("events", events);
  result.Set("links", batch.links_changed ? Napi::Value(links_to_js(env, batch.links)) : env.Null());
  result.Set("lost", Napi::Number::New(env, static_cast<double>(batch.lost)));
  return result;
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
