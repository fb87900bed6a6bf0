// Fills the hash map of a loaded BPF program with the service IPs. Bare system calls, so that neither bpftool nor a
// libbpf header need be installed.
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

#include "modes.h"
#include "packet_io.h"

namespace bench {
namespace {

int bpf(bpf_cmd command, bpf_attr* attributes) {
  return static_cast<int>(syscall(SYS_bpf, command, attributes, sizeof(*attributes)));
}

int map_of_program(uint32_t program_id) {
  bpf_attr attributes{};
  attributes.prog_id = program_id;
  const int program = bpf(BPF_PROG_GET_FD_BY_ID, &attributes);
  if (program < 0) fail("BPF_PROG_GET_FD_BY_ID");
  uint32_t map_id = 0;
  bpf_prog_info info{};
  info.nr_map_ids = 1;
  info.map_ids = reinterpret_cast<uint64_t>(&map_id);
  attributes = {};
  attributes.info.bpf_fd = static_cast<uint32_t>(program);
  attributes.info.info_len = sizeof(info);
  attributes.info.info = reinterpret_cast<uint64_t>(&info);
  if (bpf(BPF_OBJ_GET_INFO_BY_FD, &attributes) < 0) fail("BPF_OBJ_GET_INFO_BY_FD");
  attributes = {};
  attributes.map_id = map_id;
  const int map = bpf(BPF_MAP_GET_FD_BY_ID, &attributes);
  if (map < 0) fail("BPF_MAP_GET_FD_BY_ID");
  return map;
}

void put(int map, Family family, uint32_t index) {
  // The request knows the address: as the ARP target, or as the target of the solicitation.
  const Frame frame = request(family, {}, index);
  uint8_t key[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (family == Family::kArp) std::memcpy(key + 12, frame.bytes.data() + 38, 4);
  else std::memcpy(key, frame.bytes.data() + 62, 16);
  const uint32_t value = 1;
  bpf_attr attributes{};
  attributes.map_fd = static_cast<uint32_t>(map);
  attributes.key = reinterpret_cast<uint64_t>(key);
  attributes.value = reinterpret_cast<uint64_t>(&value);
  if (bpf(BPF_MAP_UPDATE_ELEM, &attributes) < 0) fail("BPF_MAP_UPDATE_ELEM");
}

}  // namespace

int run_fill_map(const Options& options) {
  const int map = map_of_program(static_cast<uint32_t>(options.number("program", 0)));
  const auto addresses = static_cast<uint32_t>(options.number("addresses", 1));
  for (uint32_t index = 0; index < addresses; index += 1) put(map, options.family(), index);
  return 0;
}

}  // namespace bench
