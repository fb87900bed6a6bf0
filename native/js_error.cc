#include "js_error.h"

namespace arpeggio {

Napi::Error to_js_error(Napi::Env env, const SystemError& error) {
  Napi::Error js_error = Napi::Error::New(env, error.what());
  Napi::Object object = js_error.Value();
  object.Set("errno", Napi::Number::New(env, error.error()));
  object.Set("syscall", Napi::String::New(env, error.syscall()));
  if (!error.interface_name().empty()) object.Set("interfaceName", Napi::String::New(env, error.interface_name()));
  return js_error;
}

}  // namespace arpeggio
