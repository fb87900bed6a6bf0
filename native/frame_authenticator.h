// The keyed MAC of the heartbeat protocol: HMAC-SHA256 (RFC 2104, RFC 4868's construction cut to 128 bits) by OpenSSL. In
// the addon its symbols are node's own; programs outside node link libcrypto.
#pragma once

#include <openssl/evp.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "wire/heartbeat.h"

namespace arpeggio {

// First 8 bytes of SHA-256 of the cluster's name. Throws std::runtime_error where OpenSSL refuses.
wire::ClusterId cluster_id(std::string_view name);

// Used by one thread at a time. Without keys it neither signs nor accepts anything.
class FrameAuthenticator {
 public:
  // The first key signs; each is accepted. Keys must not be empty. Throws std::runtime_error where OpenSSL refuses.
  explicit FrameAuthenticator(const std::vector<std::vector<uint8_t>>& keys);

  bool has_keys() const { return !contexts_.empty(); }
  // False where OpenSSL fails, which leaves `mac` undefined.
  bool sign(const uint8_t* bytes, size_t size, wire::HeartbeatMac& mac);
  // Whether `mac` (kHeartbeatMacSize bytes) is that of any key. Compares in constant time.
  bool verify(const uint8_t* bytes, size_t size, const uint8_t* mac);

 private:
  struct FreeContext {
    void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
  };
  using Context = std::unique_ptr<EVP_MAC_CTX, FreeContext>;

  static bool compute(EVP_MAC_CTX* context, const uint8_t* bytes, size_t size, wire::HeartbeatMac& mac);

  // Keyed once: what depends on the key alone is not computed again for each frame.
  std::vector<Context> contexts_;
};

}  // namespace arpeggio
