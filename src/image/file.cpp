#include "image/file.hpp"

#include "skincheck/image.hpp"

#include "image/decode.hpp"
#include "result/descriptor.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <optional>
#include <system_error>

namespace skincheck {

namespace {

Failure failure_of(int error) {
    const std::string reason = std::generic_category().message(error);
    switch (error) {
        case ENOENT:
        case ENOTDIR:
            return {Status::not_found, "no such file"};
        case ELOOP:
            return {Status::not_found, "no such file: its symbolic links form a loop"};
        case ENAMETOOLONG:
            return {Status::not_found, "no such file: the name is too long"};
        case EACCES:
        case EPERM:
            return {Status::denied, "no permission to read it"};
        case ENXIO:  // a socket, or a device that is not there
        case ENODEV:
            return {Status::not_a_file, "not a regular file but a socket or device"};
        default:
            return {Status::io_error, fmt::format("cannot be read: {}", reason)};
    }
}

std::optional<Failure> refuse_other_than_file(const struct stat& about) {
    if (S_ISDIR(about.st_mode)) {
        return Failure{Status::not_a_file, "a directory, not a file"};
    }
    if (!S_ISREG(about.st_mode)) {
        const char* kind = S_ISFIFO(about.st_mode)   ? "a FIFO"
                           : S_ISSOCK(about.st_mode) ? "a socket"
                                                     : "a device";
        return Failure{Status::not_a_file, fmt::format("{}, not a regular file", kind)};
    }
    return std::nullopt;
}

std::optional<Failure> refuse_size(const struct stat& about, std::uint64_t max_bytes) {
    if (about.st_size == 0) {
        return Failure{Status::empty, "the file is empty"};
    }
    if (static_cast<std::uint64_t>(about.st_size) > max_bytes) {
        return Failure{Status::too_large,
                       fmt::format("{} bytes are over the limit of {}", about.st_size, max_bytes)};
    }
    return std::nullopt;
}

/// Appends up to `count` bytes; fewer only at the end of the file. Gives errno, or 0.
int append(const Descriptor& file, std::vector<std::uint8_t>& bytes, std::size_t count) {
    const std::size_t before = bytes.size();
    bytes.resize(before + count);
    std::size_t got = 0;
    const int error = read_all(file, bytes.data() + before, count, got);
    bytes.resize(before + got);
    return error;
}

tl::unexpected<Failure> was_changed() {
    return image_failure(Status::changed, "written to while it was read; try again when it is whole");
}

}  // namespace

tl::expected<ImageFile, Failure> read_image_file(const std::string& path, std::uint64_t max_bytes) {
    if (path.empty()) {
        return image_failure(Status::not_found, "no such file: the path is empty");
    }
    if (path.find('\0') != std::string::npos) {  // the system would open the file named up to the NUL
        return image_failure(Status::not_found, "no such file: a name cannot hold a NUL byte");
    }
    // Looked at before it is opened, which alone can be felt: a FIFO's writer would go on, a tape would
    // rewind.
    struct stat about {};
    if (::stat(path.c_str(), &about) != 0) {
        return tl::make_unexpected(failure_of(errno));
    }
    if (auto refused = refuse_other_than_file(about)) {
        return tl::make_unexpected(*std::move(refused));
    }
    int opened = -1;
    do {  // O_NONBLOCK: should it be a FIFO by now, this does not wait for its writer
        opened = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    } while (opened < 0 && errno == EINTR);
    if (opened < 0) {
        return tl::make_unexpected(failure_of(errno));
    }
    const Descriptor file(opened);
    if (::fstat(file.get(), &about) != 0) {
        return tl::make_unexpected(failure_of(errno));
    }
    if (auto refused = refuse_other_than_file(about)) {
        return tl::make_unexpected(*std::move(refused));
    }
    if (auto refused = refuse_size(about, max_bytes)) {
        return tl::make_unexpected(*std::move(refused));
    }
    const auto size = static_cast<std::size_t>(about.st_size);
    ImageFile result;
    if (const int error = append(file, result.bytes, std::min(size, sniff_size)); error != 0) {
        return tl::make_unexpected(failure_of(error));
    }
    if (result.bytes.size() < std::min(size, sniff_size)) {
        return was_changed();
    }
    if (!sniff_image_format(result.bytes)) {
        return tl::make_unexpected(no_image());
    }
    if (size > result.bytes.size()) {
        if (const int error = append(file, result.bytes, size - result.bytes.size()); error != 0) {
            return tl::make_unexpected(failure_of(error));
        }
    }
    struct stat afterwards {};
    if (::fstat(file.get(), &afterwards) != 0) {
        return tl::make_unexpected(failure_of(errno));
    }
    result.stamp = stamp_of(about);
    if (result.stamp != stamp_of(afterwards) || result.bytes.size() != size) {
        return was_changed();
    }
    return result;
}

}  // namespace skincheck
