#include "js_heartbeats.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iterator>

#include "js_events.h"

namespace arpeggio {

namespace {

constexpr const char* kStateNames[] = {"joining", "ready", "draining", "leaving"};
constexpr const char* kLinkNames[] = {"down", "one-way", "two-way"};

wire::NodeState node_state_from_js(const Napi::Value& value) {
  const std::string text = value.As<Napi::String>().Utf8Value();
  for (size_t index = 0; index < std::size(kStateNames); ++index) {
    if (text == kStateNames[index]) return static_cast<wire::NodeState>(index);
  }
  throw Napi::RangeError::New(value.Env(), "no such state of a node");
}

}  // namespace

std::vector<uint8_t> bytes_from_js(const Napi::Value& value) {
  const auto bytes = value.As<Napi::Uint8Array>();
  return {bytes.Data(), bytes.Data() + bytes.ElementLength()};
}

HeartbeatKeys keys_from_js(const Napi::Value& value) {
  const auto array = value.As<Napi::Array>();
  HeartbeatKeys keys;
  for (uint32_t index = 0; index < array.Length(); ++index) keys.push_back(bytes_from_js(array.Get(index)));
  return keys;
}

std::string incarnation_text(uint64_t incarnation) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(incarnation));
  return text;
}

uint64_t incarnation_from_js(const Napi::Value& value) {
  const std::string text = value.As<Napi::String>().Utf8Value();
  if (text.size() != 16 || text.find_first_not_of("0123456789abcdef") != std::string::npos) {
    throw Napi::RangeError::New(value.Env(), "an incarnation has 16 lower-case hexadecimal digits");
  }
  return std::strtoull(text.c_str(), nullptr, 16);
}

const char* node_state_name(wire::NodeState state) { return kStateNames[static_cast<size_t>(state)]; }

Napi::Object peer_report_to_js(Napi::Env env, const PeerReport& report) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("node", report.node);
  object.Set("incarnation", incarnation_text(report.incarnation));
  object.Set("mac", mac_to_js(env, report.mac));
  object.Set("state", node_state_name(report.state));
  object.Set("link", kLinkNames[static_cast<size_t>(report.link)]);
  object.Set("intervalMs", report.interval_us / 1000.0);
  object.Set("multiplier", static_cast<uint32_t>(report.multiplier));
  object.Set("hears", report.hears);
  object.Set("claimsVersion", report.claims_version);
  object.Set("claimsDigest", report.claims_digest);
  object.Set("heldVersion", report.held_version);
  return object;
}

HeartbeatOptions heartbeat_options_from_js(const Napi::Value& value) {
  const auto given = value.As<Napi::Object>();
  HeartbeatOptions options;
  options.node = given.Get("node").As<Napi::String>().Utf8Value();
  options.cluster = given.Get("cluster").As<Napi::String>().Utf8Value();
  options.incarnation = incarnation_from_js(given.Get("incarnation"));
  options.interval_ns = std::llround(given.Get("intervalMs").As<Napi::Number>().DoubleValue() * 1e6);
  options.multiplier = static_cast<uint8_t>(given.Get("multiplier").As<Napi::Number>().Uint32Value());
  options.keys = keys_from_js(given.Get("keys"));
  return options;
}

Advertisement advertisement_from_js(const Napi::Value& value) {
  const auto given = value.As<Napi::Object>();
  Advertisement advertisement;
  advertisement.state = node_state_from_js(given.Get("state"));
  advertisement.claims_version = given.Get("claimsVersion").As<Napi::Number>().Uint32Value();
  advertisement.claims_digest = given.Get("claimsDigest").As<Napi::Number>().Uint32Value();
  const auto held = given.Get("held").As<Napi::Array>();
  for (uint32_t index = 0; index < held.Length(); ++index) {
    const auto pair = held.Get(index).As<Napi::Array>();
    advertisement.held[incarnation_from_js(pair.Get(0u))] = pair.Get(1u).As<Napi::Number>().Uint32Value();
  }
  return advertisement;
}

}  // namespace arpeggio
