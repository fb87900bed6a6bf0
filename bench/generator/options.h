// --name value pairs of the command line.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "frames.h"

namespace bench {

class Options {
 public:
  Options(int count, char** arguments) {
    for (int i = 0; i + 1 < count; i += 2) values_[arguments[i]] = arguments[i + 1];
  }
  std::string text(const std::string& name) const {
    const auto found = values_.find("--" + name);
    if (found != values_.end()) return found->second;
    std::fprintf(stderr, "generator: --%s is missing\n", name.c_str());
    std::exit(2);
  }
  bool has(const std::string& name) const { return values_.count("--" + name) > 0; }
  double number(const std::string& name, double fallback) const {
    const auto found = values_.find("--" + name);
    return found == values_.end() ? fallback : std::strtod(found->second.c_str(), nullptr);
  }
  std::vector<int> ids(const std::string& name) const {
    const auto found = values_.find("--" + name);
    std::vector<int> ids;
    if (found == values_.end()) return ids;
    std::istringstream list(found->second);
    for (std::string id; std::getline(list, id, ',');)
      if (!id.empty()) ids.push_back(std::atoi(id.c_str()));
    return ids;
  }
  Family family() const { return text("family") == "ndp" ? Family::kNdp : Family::kArp; }
  Mac mac(const std::string& name) const {
    Mac mac{};
    unsigned bytes[6] = {};
    if (std::sscanf(text(name).c_str(), "%x:%x:%x:%x:%x:%x", &bytes[0], &bytes[1], &bytes[2], &bytes[3], &bytes[4],
                    &bytes[5]) != 6) {
      std::fprintf(stderr, "generator: --%s is not a MAC address\n", name.c_str());
      std::exit(2);
    }
    for (size_t i = 0; i < 6; i += 1) mac[i] = static_cast<uint8_t>(bytes[i]);
    return mac;
  }

 private:
  std::map<std::string, std::string> values_;
};

}  // namespace bench
