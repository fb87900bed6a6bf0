// An addon with a heap overflow in it. scripts/sanitize.mjs loads it first: a sanitizer run that would not see this one
// says nothing about the rest.
#include <node_api.h>

#include <vector>

namespace {

napi_value read_past_the_end(napi_env env, napi_callback_info) {
  const std::vector<unsigned char> bytes(60);
  const unsigned char* volatile begin = bytes.data();
  napi_value result;
  napi_create_uint32(env, begin[bytes.size()], &result);
  return result;
}

}  // namespace

NAPI_MODULE_INIT() {
  napi_value function;
  napi_create_function(env, "readPastTheEnd", NAPI_AUTO_LENGTH, read_past_the_end, nullptr, &function);
  napi_set_named_property(env, exports, "readPastTheEnd", function);
  return exports;
}
