// clang-format off
#include <cstdio>  // jpeglib.h needs FILE
#include <jpeglib.h>
// clang-format on
#include "cli/version.hpp"

#include "skincheck/classify.hpp"
#include "skincheck/model.hpp"

#include "cli/resources.hpp"

#include <fmt/format.h>
#include <gnu/libc-version.h>
#include <opencv2/core/utility.hpp>
#include <png.h>
#include <sys/utsname.h>
#include <tiffio.h>
#include <webp/decode.h>

#include <cstdlib>
#include <exception>
#include <fstream>
#include <sstream>
#include <string_view>
#include <utility>

#define SKINCHECK_TEXT_OF(macro) SKINCHECK_TEXT(macro)
#define SKINCHECK_TEXT(macro) #macro

namespace skincheck::cli {
namespace {

std::string trimmed(const std::string& text) {
    constexpr const char* blanks = " \t\r";
    const auto first = text.find_first_not_of(blanks);
    return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

// What stands behind the first `key` at the start of a line, without blanks and quotes; "" where there is
// none.
std::string value_of(std::istream& lines, std::string_view key) {
    for (std::string line; std::getline(lines, line);) {
        const std::string text = trimmed(line);
        if (text.starts_with(key)) {
            const std::string value = trimmed(text.substr(key.size()));
            return value.starts_with('"') && value.size() > 1 ? value.substr(1, value.size() - 2) : value;
        }
    }
    return "";
}

std::string value_in_file(const char* path, std::string_view key) {
    std::ifstream file(path);
    return value_of(file, key);
}

// OpenCV tells how it was built in lines such as "  Parallel framework:            TBB (ver 2021.8 interface
// 12080)".
std::string opencv_built_with(std::string_view key) {
    std::istringstream lines(cv::getBuildInformation());
    return value_of(lines, key);
}

std::string opencv() {
    std::string text = cv::getVersionString();
    for (const char* part : {"NVIDIA CUDA:", "cuDNN:", "Parallel framework:"}) {
        if (const std::string value = opencv_built_with(part); !value.empty()) {
            text += fmt::format("; {} {}", part, value);
        }
    }
    return text;
}

std::string decoders() {
#ifdef LIBJPEG_TURBO_VERSION
    const std::string jpeg = "libjpeg-turbo " SKINCHECK_TEXT_OF(LIBJPEG_TURBO_VERSION);
#else
    const std::string jpeg = "libjpeg " SKINCHECK_TEXT_OF(JPEG_LIB_VERSION);
#endif
    std::string tiff = TIFFGetVersion();  // "LIBTIFF, Version 4.5.0", and a copyright below
    tiff = tiff.substr(0, tiff.find('\n'));
    const auto webp = static_cast<unsigned>(WebPGetDecoderVersion());  // a byte for each of its three numbers
    return fmt::format("{}, libpng {}, {}, libwebp {}.{}.{}", jpeg, png_get_libpng_ver(nullptr), tiff,
                       webp >> 16U, webp >> 8U & 0xFFU, webp & 0xFFU);
}

// The library's own choice and its own reasons, so that nothing else is told here than a run would tell.
std::string devices() {
    std::string text;
    for (const TargetState& state : list_targets()) {
        text += text.empty() ? "" : "; ";
        text += state.obstacle.empty() ? state.target.name()
                                       : fmt::format("not {} ({})", state.target.name(), state.obstacle);
    }
    return text;
}

std::string processor() {
    std::string name = value_in_file("/proc/cpuinfo", "model name");
    name = trimmed(name.substr(name.find(':') == std::string::npos ? 0 : name.find(':') + 1));
    return fmt::format("{}; {} cores for this process; OpenCV uses {}", name.empty() ? "?" : name,
                       usable_cores(), cv::getCPUFeaturesLine());
}

std::string system() {
    utsname kernel{};
    uname(&kernel);
    return fmt::format("{}; {} {} {}; glibc {}", value_in_file("/etc/os-release", "PRETTY_NAME="),
                       kernel.sysname, kernel.release, kernel.machine, gnu_get_libc_version());
}

// With the places that were searched where it is not found.
std::string default_model() {
    try {
        const std::string folder = find_model("");
        return fmt::format("{} in {}", load_model_spec(folder).id(), folder);
    } catch (const std::exception& error) {
        return error.what();
    }
}

}  // namespace

std::string version_text() {
    const char* model_path = std::getenv("SKINCHECK_MODEL_PATH");
    const std::pair<const char*, std::string> parts[] = {
        {"build", SKINCHECK_BUILD},  // of CMake
        {"OpenCV", opencv()},
        {"devices", devices()},
        {"decoders", decoders()},
        {"processor", processor()},
        {"system", system()},
        {"model path", model_path == nullptr ? "SKINCHECK_MODEL_PATH is not set" : model_path},
        {"model", default_model()},
    };
    std::string text = fmt::format("skincheck {}\n", SKINCHECK_VERSION);
    for (const auto& [name, value] : parts) {
        text += fmt::format("{:<10}  {}\n", name, value);
    }
    return text;
}

}  // namespace skincheck::cli
