#include "skincheck/image.hpp"

#include "image/decode.hpp"
#include "image/file.hpp"

#include <fmt/format.h>
#include <opencv2/core.hpp>

#include <exception>
#include <new>

namespace skincheck {

namespace {

Decoded decode(const ImageFile& file, const LoadOptions& options) {
    switch (file.format) {
        case ImageFormat::jpeg:
            return decode_jpeg(file.bytes, options);
        case ImageFormat::png:
            return decode_png(file.bytes, options.limits);
        case ImageFormat::bmp:
            return decode_bmp(file.bytes, options.limits);
        case ImageFormat::tiff:
            return decode_tiff(file.bytes, options.limits);
        case ImageFormat::webp:
            return decode_webp(file.bytes, options.limits);
        case ImageFormat::dicom:
            return decode_dicom(file.bytes, options.limits);
    }
    return image_failure(Status::unsupported, "not an image that this build reads");
}

}  // namespace

tl::expected<Image, Failure> load_image(const std::string& path, const LoadOptions& options) {
    try {
        const auto file = read_image_file(path, options.limits.max_bytes);
        if (!file) {
            return tl::make_unexpected(file.error());
        }
        Decoded image = decode(*file, options);
        if (image) {
            image->stamp = file->stamp;
        }
        return image;
    } catch (const std::bad_alloc&) {
        return tl::make_unexpected(out_of_memory());
    } catch (const cv::Exception& error) {
        if (error.code == cv::Error::StsNoMem) {
            return tl::make_unexpected(out_of_memory());
        }
        return image_failure(Status::corrupt, fmt::format("cannot be decoded: {}", one_line(error.err)));
    } catch (const std::exception& error) {
        return image_failure(Status::corrupt, fmt::format("cannot be decoded: {}", one_line(error.what())));
    }
}

}  // namespace skincheck
