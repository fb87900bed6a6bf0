// Native failures as JavaScript errors. src/responder/native_error.ts gives them their class, code and remedy.
#pragma once

#include <napi.h>

#include "system_error.h"

namespace arpeggio {

// An Error with errno, syscall and, where there is one, interfaceName.
Napi::Error to_js_error(Napi::Env env, const SystemError& error);

// Runs `function`; what it throws reaches JavaScript as an error of the above form.
template <typename Function>
auto with_js_errors(Napi::Env env, Function function) {
  try {
    return function();
  } catch (const SystemError& error) {
    throw to_js_error(env, error);
  }
}

}  // namespace arpeggio
