// A failed system call, with what it was about. js_error.cc turns it into the error that users see.
#pragma once

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

namespace arpeggio {

class SystemError : public std::runtime_error {
 public:
  SystemError(std::string syscall, int error, std::string interface_name = {})
      : std::runtime_error(syscall + ": " + std::strerror(error)),
        syscall_(std::move(syscall)),
        error_(error),
        interface_name_(std::move(interface_name)) {}

  const std::string& syscall() const { return syscall_; }
  int error() const { return error_; }
  const std::string& interface_name() const { return interface_name_; }

 private:
  std::string syscall_;
  int error_;
  std::string interface_name_;
};

}  // namespace arpeggio
