// Fuzzes the walks over extension headers (RFC 8200 4) and NDP options (RFC 4861 4.6) by themselves, without a checksum
// in the way. The first byte is the next-header value, the rest is walked both ways.
#include "check_reply.h"

namespace {

using namespace arpeggio;

void check_extension_headers(uint8_t next_header, const uint8_t* payload, size_t size) {
  const wire::UpperLayer upper = wire::find_icmpv6(next_header, payload, size);
  if (upper.result != wire::ExtensionResult::kIcmpv6) {
    ARPEGGIO_CHECK(upper.size == 0);
    return;
  }
  // What is found is the rest of the payload, a multiple of 8 bytes further on.
  ARPEGGIO_CHECK(upper.bytes >= payload && upper.bytes + upper.size == payload + size);
  ARPEGGIO_CHECK((upper.bytes - payload) % 8 == 0);
}

// Written anew from the RFC: valid when each option has a length and ends inside, the one asked for being Ethernet's.
void check_options(const uint8_t* bytes, size_t size, uint8_t type) {
  bool valid = true;
  size_t found_at = 0;
  for (size_t at = 0; at < size && valid;) {
    const size_t left = size - at;
    valid = left >= 2 && bytes[at + 1] != 0 && bytes[at + 1] * size_t{8} <= left;
    if (!valid) break;
    if (bytes[at] == type) {
      valid = bytes[at + 1] == 1;
      found_at = at + 2;
    }
    at += bytes[at + 1] * size_t{8};
  }
  const wire::NdpOptions options = wire::parse_ndp_options(bytes, size, type);
  ARPEGGIO_CHECK(options.valid == valid);
  ARPEGGIO_CHECK(options.link_layer_address == (!valid || found_at == 0 ? nullptr : bytes + found_at));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  // An exact copy: a read past the end is found.
  const std::vector<uint8_t> bytes(data + 1, data + size);
  check_extension_headers(data[0], bytes.data(), bytes.size());
  check_options(bytes.data(), bytes.size(), wire::kOptionSourceLinkLayerAddress);
  check_options(bytes.data(), bytes.size(), wire::kOptionTargetLinkLayerAddress);
  return 0;
}
