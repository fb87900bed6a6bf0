// The addon's exports. src/responder/addon.ts describes them to TypeScript.
#include <napi.h>

#include <cstdio>
#include <string>
#include <vector>

#include "counters.h"
#include "drop_reason.h"
#include "heartbeater_wrap.h"
#include "js_error.h"
#include "js_events.h"
#include "link_monitor.h"
#include "reply.h"
#include "responder_wrap.h"
#include "wire/arp.h"
#include "wire/ndp.h"

namespace arpeggio {

namespace {

wire::Mac mac_from_js(const Napi::Value& value) {
  const auto bytes = value.As<Napi::Uint8Array>();
  if (bytes.ElementLength() != 6) throw Napi::RangeError::New(value.Env(), "a MAC address has 6 bytes");
  return wire::load_mac(bytes.Data());
}

wire::IpAddress address_from_js(const Napi::Value& value) {
  const auto bytes = value.As<Napi::Uint8Array>();
  if (bytes.ElementLength() != 16) throw Napi::RangeError::New(value.Env(), "an address has 16 bytes");
  return wire::IpAddress::from_ipv6(bytes.Data());
}

Napi::Buffer<uint8_t> frame_to_js(Napi::Env env, const uint8_t* frame, size_t size) {
  return Napi::Buffer<uint8_t>::Copy(env, frame, size);
}

// (frame, packetType, vlanTci or null, {slot, mac, ownMacs, held}, {entries, expired})
Napi::Value evaluate_frame(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto bytes = info[0].As<Napi::Uint8Array>();
  // An exact copy on the heap: a read past the frame is then a finding of the sanitizers, not a read of spare room.
  const std::vector<uint8_t> copy(bytes.Data(), bytes.Data() + bytes.ElementLength());
  const bool has_vlan = info[2].IsNumber();
  const Frame frame{copy.data(), copy.size(), static_cast<PacketType>(info[1].As<Napi::Number>().Uint32Value()),
                    has_vlan, static_cast<uint16_t>(has_vlan ? info[2].As<Napi::Number>().Uint32Value() : 0)};
  const auto interface_object = info[3].As<Napi::Object>();
  std::vector<wire::Mac> macs;
  const auto mac_array = interface_object.Get("ownMacs").As<Napi::Array>();
  for (uint32_t index = 0; index < mac_array.Length(); ++index) macs.push_back(mac_from_js(mac_array.Get(index)));
  const OwnMacs own_macs(std::move(macs));
  const ReceivingInterface interface{interface_object.Get("slot").As<Napi::Number>().Uint32Value(),
                                     mac_from_js(interface_object.Get("mac")), &own_macs,
                                     interface_object.Get("held").ToBoolean()};
  const auto table_object = info[4].As<Napi::Object>();
  std::vector<IpTableEntry> entries;
  const auto entry_array = table_object.Get("entries").As<Napi::Array>();
  for (uint32_t index = 0; index < entry_array.Length(); ++index) {
    const auto entry = entry_array.Get(index).As<Napi::Object>();
    bool lossless;
    entries.push_back({address_from_js(entry.Get("address")),
                       entry.Get("selected").As<Napi::BigInt>().Uint64Value(&lossless),
                       entry.Get("answer").As<Napi::BigInt>().Uint64Value(&lossless),
                       entry.Get("tentative").As<Napi::BigInt>().Uint64Value(&lossless), index});
  }
  const IpTable table({}, std::move(entries));
  uint8_t out[kMaxReplySize];
  const Verdict verdict = reply(frame, table, table_object.Get("expired").ToBoolean(), interface, out);

  Napi::Object result = Napi::Object::New(env);
  const bool answered = verdict.reply_size != 0;
  result.Set("reply", answered ? Napi::Value(frame_to_js(env, out, verdict.reply_size)) : env.Null());
  result.Set("drop", answered ? env.Null()
                              : Napi::Value(Napi::String::New(
                                    env, kDropReasonNames[static_cast<size_t>(verdict.drop)])));
  result.Set("rival", env.Null());
  if (verdict.has_rival) {
    Napi::Object rival = Napi::Object::New(env);
    rival.Set("kind", rival_kind_name(verdict.rival.kind));
    rival.Set("address", Napi::Buffer<uint8_t>::Copy(env, verdict.entry->address.bytes.data(), 16));
    rival.Set("mac", mac_to_js(env, verdict.rival.mac));
    result.Set("rival", rival);
  }
  result.Set("confirmed", verdict.drop == DropReason::kConfirmation && !answered);
  result.Set("client", env.Null());
  if (verdict.has_client) {
    Napi::Object client = Napi::Object::New(env);
    client.Set("service", Napi::Buffer<uint8_t>::Copy(env, verdict.entry->address.bytes.data(), 16));
    client.Set("address", Napi::Buffer<uint8_t>::Copy(env, verdict.client.address.bytes.data(), 16));
    client.Set("mac", mac_to_js(env, verdict.client.mac));
    result.Set("client", client);
  }
  return result;
}

// (address, mac)
Napi::Value announcement_frames(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const wire::IpAddress address = address_from_js(info[0]);
  const wire::Mac mac = mac_from_js(info[1]);
  uint8_t frame[kMaxReplySize];
  Napi::Array frames = Napi::Array::New(env);
  if (address.is_ipv4()) {
    frames.Set(0u, frame_to_js(env, frame, wire::store_arp_announcement_request(frame, mac.data(), address.ipv4())));
    frames.Set(1u, frame_to_js(env, frame, wire::store_arp_announcement_reply(frame, mac.data(), address.ipv4())));
  } else {
    frames.Set(0u, frame_to_js(env, frame, wire::store_unsolicited_advertisement(frame, mac.data(), address.ipv6())));
  }
  return frames;
}

// (address, mac, client, clientMac)
Napi::Value directed_frames(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const wire::IpAddress address = address_from_js(info[0]);
  const wire::Mac mac = mac_from_js(info[1]);
  const wire::IpAddress client = address_from_js(info[2]);
  const wire::Mac client_mac = mac_from_js(info[3]);
  uint8_t frame[kMaxReplySize];
  Napi::Array frames = Napi::Array::New(env);
  if (address.is_ipv4()) {
    frames.Set(0u, frame_to_js(env, frame,
                               wire::store_directed_arp_request(frame, mac.data(), address.ipv4(), client_mac.data(),
                                                                client.ipv4())));
  } else {
    frames.Set(0u, frame_to_js(env, frame,
                               wire::store_directed_advertisement(frame, mac.data(), address.ipv6(),
                                                                  client_mac.data(), client.ipv6())));
    frames.Set(1u, frame_to_js(env, frame,
                               wire::store_directed_solicitation(frame, mac.data(), address.ipv6(), client_mac.data(),
                                                                 client.ipv6())));
  }
  return frames;
}

// (address, mac, nonce)
Napi::Value probe_frame(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const wire::IpAddress address = address_from_js(info[0]);
  const wire::Mac mac = mac_from_js(info[1]);
  uint8_t frame[kMaxReplySize];
  if (address.is_ipv4()) {
    return frame_to_js(env, frame, wire::store_arp_probe(frame, mac.data(), address.ipv4()));
  }
  const wire::Mac nonce_bytes = mac_from_js(info[2]);
  return frame_to_js(env, frame, wire::store_dad_solicitation(frame, mac.data(), address.ipv6(), nonce_bytes));
}

Napi::Value list_links(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return with_js_errors(env, [&] {
    const LinkMonitor monitor(LinkMonitor::Addresses::kKeep);
    std::vector<Link> links;
    for (const auto& [index, link] : monitor.links()) links.push_back(link);
    return links_to_js(env, links);
  });
}

template <size_t kCount>
Napi::Array names_to_js(Napi::Env env, const char* const (&names)[kCount]) {
  Napi::Array array = Napi::Array::New(env, kCount);
  for (uint32_t index = 0; index < kCount; ++index) array.Set(index, Napi::String::New(env, names[index]));
  return array;
}

}  // namespace

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("NativeResponder", ResponderWrap::define(env));
  exports.Set("NativeHeartbeater", HeartbeaterWrap::define(env));
  exports.Set("evaluateFrame", Napi::Function::New<evaluate_frame>(env, "evaluateFrame"));
  exports.Set("announcementFrames", Napi::Function::New<announcement_frames>(env, "announcementFrames"));
  exports.Set("directedFrames", Napi::Function::New<directed_frames>(env, "directedFrames"));
  exports.Set("probeFrame", Napi::Function::New<probe_frame>(env, "probeFrame"));
  exports.Set("listLinks", Napi::Function::New<list_links>(env, "listLinks"));
  exports.Set("dropReasons", names_to_js(env, kDropReasonNames));
  exports.Set("interfaceCounterNames", names_to_js(env, kInterfaceCounterNames));
  exports.Set("addressCounterNames", names_to_js(env, kAddressCounterNames));
  exports.Set("maxInterfaces", Napi::Number::New(env, kMaxSlots));
  return exports;
}

}  // namespace arpeggio

static Napi::Object init_addon(Napi::Env env, Napi::Object exports) { return arpeggio::init(env, exports); }

NODE_API_MODULE(arpeggio, init_addon)
