#include "skincheck/image.hpp"

#include "image/decode.hpp"
#include "image/file.hpp"

#include <fmt/format.h>
#include <opencv2/core.hpp>

#include <exception>
#include <new>

namespace skincheck {

namespace {

Decoded decode_as(ImageFormat format, Bytes bytes, const LoadOptions& options) {
    switch (format) {
        case ImageFormat::jpeg:
            return decode_jpeg(bytes, options);
        case ImageFormat::png:
            return decode_png(bytes, options.limits);
        case ImageFormat::bmp:
            return decode_bmp(bytes, options.limits);
        case ImageFormat::tiff:
            return decode_tiff(bytes, options.limits);
        case ImageFormat::webp:
            return decode_webp(bytes, options.limits);
        case ImageFormat::dicom:
            return decode_dicom(bytes, options.limits);
    }
    return tl::make_unexpected(no_image());
}

/// What `load` gives, with exceptions as failures.
template <typename Load>
Decoded guarded(const Load& load) {
    try {
        return load();
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

}  // namespace

Decoded decode_image(Bytes bytes, const LoadOptions& options) {
    return guarded([&]() -> Decoded {
        const auto format = sniff_image_format(bytes);
        if (!format) {
            return tl::make_unexpected(no_image());
        }
        return decode_as(*format, bytes, options);
    });
}

tl::expected<Image, Failure> load_image(const std::string& path, const LoadOptions& options) {
    return guarded([&]() -> Decoded {
        const auto file = read_image_file(path, options.limits.max_bytes);
        if (!file) {
            return tl::make_unexpected(file.error());
        }
        Decoded image = decode_image(file->bytes, options);
        if (image) {
            image->stamp = file->stamp;
        }
        return image;
    });
}

}  // namespace skincheck
