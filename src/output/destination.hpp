// Destinations that are a file descriptor.
#pragma once

#include "skincheck/output.hpp"

#include <string>
#include <string_view>

namespace skincheck {

/// Writes all of `bytes`; waits for a reader where the descriptor does not block. Returns 0 or errno.
int write_all(int fd, std::string_view bytes);

/// Throws CannotWrite with what errno says, and what to do about it.
[[noreturn]] void fail_to_write(const std::string& path, int error);

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
