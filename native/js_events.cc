#include "js_events.h"

#include <linux/if.h>
#include <linux/if_arp.h>

#include <cstdio>
#include <cstring>

#include "js_heartbeats.h"

namespace arpeggio {

namespace {

constexpr size_t kAddressSize = sizeof(wire::IpAddress);

Napi::Uint8Array address_to_js(Napi::Env env, const wire::IpAddress& address) {
  Napi::Uint8Array bytes = Napi::Uint8Array::New(env, kAddressSize);
  std::memcpy(bytes.Data(), address.bytes.data(), kAddressSize);
  return bytes;
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
    case EventType::kMessage:
      return "message";
    case EventType::kTook:
      return "took";
    case EventType::kHeld:
      return "held";
    case EventType::kConfirmed:
      return "confirmed";
    case EventType::kHeartbeatRefused:
      return "heartbeat-refused";
    case EventType::kSameSegment:
      return "same-segment";
    case EventType::kNameInUse:
      return "name-in-use";
  }
  return "";
}

Napi::Number number_to_js(Napi::Env env, uint64_t number) {
  return Napi::Number::New(env, static_cast<double>(number));
}

void set_details(Napi::Env env, const Event& event, Napi::Object& object) {
  switch (event.type) {
    case EventType::kRival:
      object.Set("address", address_to_js(env, event.address));
      object.Set("kind", rival_kind_name(event.rival_kind));
      break;
    case EventType::kMessage:
      object.Set("incarnation", incarnation_text(event.incarnation));
      object.Set("body", Napi::Buffer<uint8_t>::Copy(env, event.body.data(), event.body.size()));
      break;
    case EventType::kTook: {
      object.Set("number", number_to_js(env, event.number));
      object.Set("incarnation", incarnation_text(event.incarnation));
      object.Set("afterMs", Napi::Number::New(env, static_cast<double>(event.after_ns) / 1e6));
      Napi::Uint8Array addresses = Napi::Uint8Array::New(env, event.addresses.size() * kAddressSize);
      for (size_t at = 0; at < event.addresses.size(); ++at) {
        std::memcpy(addresses.Data() + at * kAddressSize, event.addresses[at].bytes.data(), kAddressSize);
      }
      object.Set("addresses", addresses);
      break;
    }
    case EventType::kHeld:
      object.Set("number", number_to_js(env, event.number));
      break;
    case EventType::kConfirmed:
      object.Set("number", number_to_js(env, event.number));
      object.Set("cause", event.confirmation.of_takeover ? "took" : "announce");
      object.Set("clients", Napi::Number::New(env, event.confirmation.clients));
      object.Set("confirmed", Napi::Number::New(env, event.confirmation.confirmed));
      object.Set("final", Napi::Boolean::New(env, event.confirmation.final));
      break;
    case EventType::kHeartbeatRefused:
      object.Set("refusal", kDropReasonNames[static_cast<size_t>(event.refusal)]);
      object.Set("count", number_to_js(env, event.count));
      break;
    default:
      break;
  }
}

Napi::Object event_to_js(Napi::Env env, const Event& event) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("type", event_type_name(event.type));
  object.Set("interfaceName", event.interface_name);
  object.Set("mac", mac_to_js(env, event.mac));
  object.Set("text", event.text);
  set_details(env, event, object);
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

Napi::Object events_to_js(Napi::Env env, const EventBatch& batch) {
  Napi::Object result = Napi::Object::New(env);
  Napi::Array peers = Napi::Array::New(env, batch.peers.size());
  uint32_t at = 0;
  for (const auto& [key, report] : batch.peers) {
    Napi::Object peer = peer_report_to_js(env, report);
    peer.Set("interfaceName", key.first);
    peers.Set(at++, peer);
  }
  Napi::Array events = Napi::Array::New(env, batch.events.size());
  for (size_t index = 0; index < batch.events.size(); ++index) {
    events.Set(static_cast<uint32_t>(index), event_to_js(env, batch.events[index]));
  }
  result.Set("peers", peers);
  result.Set("events", events);
  result.Set("links", batch.links_changed ? Napi::Value(links_to_js(env, batch.links)) : env.Null());
  result.Set("lost", number_to_js(env, batch.lost));
  return result;
}

}  // namespace arpeggio
