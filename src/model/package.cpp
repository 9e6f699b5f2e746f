#include "skincheck/model.hpp"

#include "network.hpp"
#include "result/descriptor.hpp"
#include "result/sha256.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <zstd.h>

#include <cerrno>
#include <optional>
#include <string>
#include <system_error>

namespace skincheck {
namespace {

constexpr std::uint64_t largest_spec = 16ULL << 20;
constexpr std::uint64_t largest_network = 2ULL << 30;  // protobuf's own limit, and so ONNX's
constexpr std::uint64_t largest_ratio = 100;           // of unpacked to packed; weights reach two or three
constexpr std::uint64_t unpacked_at_once = 1ULL << 20;

[[noreturn]] void fail(const std::string& path, const std::string& reason) {
    throw Fatal(ExitCode::model, path + ": " + reason);
}

[[noreturn]] void fail_to_read(const std::string& path, int error) {
    fail(path, "cannot be read: " + std::generic_category().message(error));
}

// The whole of a file, nothing when there is none.
std::optional<std::string> read_file(const std::string& path, std::uint64_t limit) {
    const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (file.get() < 0) {
        if (errno == ENOENT) {
            return std::nullopt;
        }
        fail_to_read(path, errno);
    }
    struct stat about {};
    if (fstat(file.get(), &about) != 0) {
        fail_to_read(path, errno);
    }
    if (!S_ISREG(about.st_mode)) {
        fail(path, "is not a file");
    }
    if (static_cast<std::uint64_t>(about.st_size) > limit) {
        fail(path, fmt::format("has {} bytes, more than the {} that it may have", about.st_size, limit));
    }
    std::string bytes(static_cast<std::size_t>(about.st_size), '\0');
    std::size_t got = 0;
    if (const int error = read_all(file, bytes.data(), bytes.size(), got); error != 0) {
        fail_to_read(path, error);
    }
    if (got < bytes.size()) {
        fail(path, "became shorter while it was read");
    }
    return bytes;
}

std::string unpack(const std::string& packed, const std::string& path) {
    const auto size = ZSTD_getFrameContentSize(packed.data(), packed.size());
    if (size == ZSTD_CONTENTSIZE_ERROR) {
        fail(path, "is not packed with zstd; the package is damaged: install it again");
    }
    if (size == ZSTD_CONTENTSIZE_UNKNOWN) {
        fail(path, "does not say how large its content is; pack it with `zstd FILE`, not through a pipe");
    }
    if (size > largest_network) {
        fail(path,
             fmt::format("unpacks to {} bytes, more than the {} that it may have", size, largest_network));
    }
    // Memory is taken for what the file says: a few bytes must not say gigabytes.
    if (size > unpacked_at_once && size / largest_ratio > packed.size()) {
        fail(path,
             fmt::format("says that its {} bytes unpack to {}, more than weights do", packed.size(), size));
    }
    std::string bytes(static_cast<std::size_t>(size), '\0');
    const std::size_t got = ZSTD_decompress(bytes.data(), bytes.size(), packed.data(), packed.size());
    if (ZSTD_isError(got) != 0U || got != bytes.size()) {
        fail(path, fmt::format("cannot be unpacked ({}); the package is damaged: install it again",
                               ZSTD_isError(got) != 0U ? ZSTD_getErrorName(got) : "it ends too early"));
    }
    return bytes;
}

}  // namespace

ModelSpec load_model_spec(const std::string& directory) {
    const std::string path = directory + "/model.json";
    const std::optional<std::string> text = read_file(path, largest_spec);
    if (!text) {
        fail(path, "no such file; the folder is not a model package");
    }
    return parse_model_spec(*text, path);
}

Model load_model(const std::string& directory) {
    Model model{load_model_spec(directory), {}, directory, directory + "/model.onnx"};
    if (auto bytes = read_file(model.network, largest_network)) {
        model.onnx = std::move(*bytes);
    } else if (auto packed = read_file(model.network + ".zst", largest_network)) {
        model.network += ".zst";
        model.onnx = unpack(*packed, model.network);
    } else {
        fail(directory,
             "has neither model.onnx nor model.onnx.zst; the package is damaged: install it again");
    }
    const std::string actual = hexadecimal(sha256(model.onnx));
    if (actual != model.spec.sha256) {
        fail(model.network,
             fmt::format("its SHA-256 begins with {}, and model.json wants {}; the package is damaged or was "
                         "changed: install it again",
                         actual.substr(0, 12), model.spec.sha256.substr(0, 12)));
    }
    check_network(model.onnx, model.network);  // whoever made the network may have made the hash too
    return model;
}

}  // namespace skincheck
