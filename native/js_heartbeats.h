// Values of the heartbeat protocol between JavaScript and native code, as src/responder/types.ts describes them.
#pragma once

#include <napi.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "heartbeater.h"

namespace arpeggio {

// These throw a RangeError for text that is none of what they read.
HeartbeatOptions heartbeat_options_from_js(const Napi::Value& value);
Advertisement advertisement_from_js(const Napi::Value& value);
HeartbeatKeys keys_from_js(const Napi::Value& value);
std::vector<uint8_t> bytes_from_js(const Napi::Value& value);
uint64_t incarnation_from_js(const Napi::Value& value);

// Without interfaceName.
Napi::Object peer_report_to_js(Napi::Env env, const PeerReport& report);
// 16 hexadecimal digits.
std::string incarnation_text(uint64_t incarnation);
const char* node_state_name(wire::NodeState state);

template <typename Function>
void with_openssl_errors(Napi::Env env, Function function) {
  try {
    function();
  } catch (const std::runtime_error& error) {
    throw Napi::Error::New(env, error.what());
  }
}

}  // namespace arpeggio
