#include "skincheck/result.hpp"

#include "result/ascii.hpp"

#include <algorithm>
#include <array>

namespace skincheck {
namespace {

// More than image_extensions(): tables of ground truth name files of other formats too.
constexpr std::array<std::string_view, 18> extensions{".jpg", ".jpeg", ".jpe", ".jfif", ".png",  ".webp",
                                                      ".tif", ".tiff", ".bmp", ".dib",  ".dcm",  ".dicom",
                                                      ".gif", ".jp2",  ".ppm", ".pgm",  ".heic", ".avif"};

}  // namespace

std::string image_id(std::string_view path) {
    while (path.ends_with('/')) {
        path.remove_suffix(1);
    }
    const std::string_view name = path.substr(path.rfind('/') + 1);
    const std::size_t dot = name.rfind('.');
    if (dot == std::string_view::npos || dot == 0) {
        return std::string(name);
    }
    std::string ending(name.substr(dot));
    std::transform(ending.begin(), ending.end(), ending.begin(), lower);
    const bool of_an_image = std::find(extensions.begin(), extensions.end(), ending) != extensions.end();
    return std::string(of_an_image ? name.substr(0, dot) : name);
}

}  // namespace skincheck
