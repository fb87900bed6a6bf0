#include "frame_authenticator.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>

#include <cstring>
#include <stdexcept>

namespace arpeggio {

namespace {

constexpr size_t kSha256Size = 32;

struct FreeMac {
  void operator()(EVP_MAC* mac) const { EVP_MAC_free(mac); }
};

}  // namespace

wire::ClusterId cluster_id(std::string_view name) {
  uint8_t digest[kSha256Size];
  if (EVP_Digest(name.data(), name.size(), digest, nullptr, EVP_sha256(), nullptr) != 1) {
    throw std::runtime_error("OpenSSL cannot compute SHA-256");
  }
  wire::ClusterId id;
  std::memcpy(id.data(), digest, id.size());
  return id;
}

FrameAuthenticator::FrameAuthenticator(const std::vector<std::vector<uint8_t>>& keys) {
  if (keys.empty()) return;
  const std::unique_ptr<EVP_MAC, FreeMac> hmac(EVP_MAC_fetch(nullptr, OSSL_MAC_NAME_HMAC, nullptr));
  char digest[] = "SHA256";
  const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                               OSSL_PARAM_construct_end()};
  for (const std::vector<uint8_t>& key : keys) {
    Context context(hmac ? EVP_MAC_CTX_new(hmac.get()) : nullptr);
    if (!context || key.empty() || EVP_MAC_init(context.get(), key.data(), key.size(), params) != 1) {
      throw std::runtime_error("OpenSSL cannot compute HMAC-SHA256 with the heartbeat key");
    }
    contexts_.push_back(std::move(context));
  }
}

bool FrameAuthenticator::compute(EVP_MAC_CTX* context, const uint8_t* bytes, size_t size, wire::HeartbeatMac& mac) {
  uint8_t digest[kSha256Size];
  size_t written = 0;
  // Without a key the context starts anew with the one it has.
  if (EVP_MAC_init(context, nullptr, 0, nullptr) != 1 || EVP_MAC_update(context, bytes, size) != 1 ||
      EVP_MAC_final(context, digest, &written, sizeof digest) != 1 || written != sizeof digest) {
    return false;
  }
  std::memcpy(mac.data(), digest, mac.size());
  return true;
}

bool FrameAuthenticator::sign(const uint8_t* bytes, size_t size, wire::HeartbeatMac& mac) {
  return has_keys() && compute(contexts_.front().get(), bytes, size, mac);
}

bool FrameAuthenticator::verify(const uint8_t* bytes, size_t size, const uint8_t* mac) {
  for (const Context& context : contexts_) {
    wire::HeartbeatMac expected;
    if (compute(context.get(), bytes, size, expected) && CRYPTO_memcmp(expected.data(), mac, expected.size()) == 0) {
      return true;
    }
  }
  return false;
}

}  // namespace arpeggio
