// Destinations that are a file descriptor.
#pragma once

#include "skincheck/output.hpp"

#include <string>
#include <string_view>

namespace skincheck {

/// Something that is written to as it is and cannot be taken back: standard output, a FIFO, a device.
class DirectDestination final : public Destination {
  public:
    /// An `owned` descriptor is closed by the destructor. `name` follows "cannot write" in messages.
    DirectDestination(int fd, bool owned, std::string name);
    ~DirectDestination() override;
    DirectDestination(const DirectDestination&) = delete;
    DirectDestination& operator=(const DirectDestination&) = delete;

    void write(std::string_view bytes) override;
    void commit() override;

  private:
    [[noreturn]] void fail(int error) const;

    int fd_;
    bool owned_;
    std::string name_;
};

}  // namespace skincheck
