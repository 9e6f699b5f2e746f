#include "evaluate/thumbnails.hpp"

#include "skincheck/image.hpp"

#include "evaluate/fields.hpp"
#include "result/base64.hpp"

#include <boost/filesystem.hpp>
#include <fmt/format.h>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace skincheck {
namespace {

namespace fs = boost::filesystem;

bool is_image_name(const fs::path& path) {
    static const std::vector<std::string> extensions = image_extensions();
    const std::string extension = lower_case(path.extension().string());
    return std::find(extensions.begin(), extensions.end(), extension) != extensions.end();
}

cv::Mat shrink(const cv::Mat& pixels) {
    const int longer = std::max(pixels.cols, pixels.rows);
    if (longer <= thumbnail_size) {
        return pixels;
    }
    const auto side = [longer](int length) {
        return std::max(1, (length * thumbnail_size + longer / 2) / longer);
    };
    cv::Mat small;
    cv::resize(pixels, small, {side(pixels.cols), side(pixels.rows)}, 0, 0, cv::INTER_AREA);
    return small;
}

// The first entry of the folder and all below it.
fs::recursive_directory_iterator open_folder(const std::string& folder) {
    boost::system::error_code error;
    constexpr auto lenient =
        fs::directory_options::skip_permission_denied | fs::directory_options::pop_on_error;
    const fs::directory_iterator strict(folder,
                                        error);  // the lenient one takes a closed folder for an empty one
    fs::recursive_directory_iterator entry;
    if (!error) {
        entry = fs::recursive_directory_iterator(folder, lenient, error);
    }
    if (error) {
        throw Fatal(ExitCode::usage,
                    fmt::format("the images' folder {} cannot be read: {}", folder, error.message()));
    }
    return entry;
}

}  // namespace

void check_images(const std::string& folder) {
    if (!folder.empty()) {
        open_folder(folder);
    }
}

Thumbnails::Thumbnails(std::string folder, const std::set<std::string>& ids) : folder_(std::move(folder)) {
    if (folder_.empty()) {
        return;
    }
    // What goes away or cannot be read during the walk is as if it were not there.
    boost::system::error_code error;
    for (auto entry = open_folder(folder_); entry != fs::recursive_directory_iterator();
         entry.increment(error)) {
        const fs::path& path = entry->path();
        const std::string id = image_id(path.native());
        if (!ids.contains(id) || !is_image_name(path)) {
            continue;
        }
        const auto [known, is_new] = paths_.emplace(id, path.string());
        if (!is_new && path.string() < known->second) {
            known->second = path.string();
        }
    }
}

tl::expected<std::string, std::string> Thumbnails::of(const Miss& miss) const {
    std::string path = miss.path;
    if (!folder_.empty()) {
        const auto found = paths_.find(miss.id);
        if (found == paths_.end()) {
            return tl::unexpected<std::string>("no image of this name");
        }
        path = found->second;
    }
    LoadOptions options;
    options.allow_truncated = true;  // to look at, a part is better than nothing
    const auto image = load_image(path, options);
    if (!image) {
        return tl::unexpected(image.error().message);
    }
    std::vector<std::uint8_t> bytes;
    bool encoded = false;
    try {
        encoded = cv::imencode(".jpg", shrink(image->pixels), bytes, {cv::IMWRITE_JPEG_QUALITY, 85});
    } catch (const std::bad_alloc&) {
        return tl::unexpected(out_of_memory().message);
    } catch (const cv::Exception&) {  // not encoded
    }
    if (!encoded) {
        return tl::unexpected<std::string>("no small picture of it can be made");
    }
    return "data:image/jpeg;base64," + base64({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

}  // namespace skincheck
