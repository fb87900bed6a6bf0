// What the packet thread tells, as src/responder/addon.ts describes it to TypeScript.
#pragma once

#include <napi.h>

#include <vector>

#include "events.h"

namespace arpeggio {

Napi::Object events_to_js(Napi::Env env, const EventBatch& batch);
// Links as src/responder/types.ts describes them.
Napi::Array links_to_js(Napi::Env env, const std::vector<Link>& links);
Napi::String mac_to_js(Napi::Env env, const wire::Mac& mac);
const char* rival_kind_name(RivalKind kind);

}  // namespace arpeggio
