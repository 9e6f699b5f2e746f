// Images for the tests, drawn and written by our own code.
#pragma once

#include <opencv2/core/mat.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

struct jpeg_compress_struct;  // of jpeglib.h

namespace skincheck::test {

/// A lesion-like blot on skin, CV_8UC3, different for each seed; top-left and bottom-right corners are marked
/// so that orientation shows.
cv::Mat draw_lesion(int width, int height, unsigned seed = 1);

/// One colour all over.
cv::Mat draw_flat(int width, int height, const cv::Scalar& bgr);

/// The bytes of a file in the format of `extension` (".jpg", ".png", …), by OpenCV's encoders and with their
/// parameters.
std::string encode(const cv::Mat& pixels, const std::string& extension,
                   const std::vector<int>& parameters = {});

/// A JPEG of the samples as they are: `set` gets the compressor with the size and the number of components in
/// it, and is to set the rest, from the colour space of the samples on.
std::string compress_jpeg(const cv::Mat& samples, const std::function<void(jpeg_compress_struct&)>& set);

/// A JPEG of CV_8UC4 samples stored as they are: C, M, Y, K.
std::string encode_cmyk_jpeg(const cv::Mat& cmyk, bool adobe_marker);

/// A progressive JPEG of grey whose one coefficient is refined in `scans` scans of its own.
std::string encode_many_scans_jpeg(int scans);

enum class Order { little, big };

/// EXIF data (a TIFF structure) that says nothing but an orientation.
std::string exif_data(int orientation, Order order = Order::little);

/// The same image with EXIF data in the place that its format has for it.
std::string add_exif_to_jpeg(const std::string& jpeg, int orientation, Order order = Order::little);
std::string add_exif_to_png(const std::string& png, int orientation);
std::string add_exif_to_webp(const std::string& webp, int width, int height, int orientation);

/// A WebP's header of 64x64 pixels over the start of another file: skincheck takes it, libwebp refuses it,
/// because its chunk is larger than the file.
std::string behind_webp_header(const std::string& other);

struct PngLayout {
    int width = 0, height = 0, bits = 8;
    int colour = 2;            ///< IHDR's colour type: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA
    std::string palette = {};  ///< PLTE's bytes
    std::string clear = {};    ///< tRNS's bytes
};

/// A PNG with the samples as they are given, rows one after the other and each filled up to whole bytes.
std::string write_png(const PngLayout& layout, const std::string& samples);

/// One chunk with its length and check sum.
std::string png_chunk(const std::string& name, const std::string& data);

/// An uncompressed TIFF of CV_8UC3 or CV_16UC1 with that orientation, its directory before the pixels.
std::string write_tiff(const cv::Mat& pixels, int orientation = 1, Order order = Order::little);

/// The same of CV_8UC4 (BGRA) with a fourth sample of a kind: TIFF's ExtraSamples, 0 unspecified, 1 alpha
/// that is multiplied in, 2 alpha that is not.
std::string write_tiff_with_alpha(const cv::Mat& bgra, int kind);

/// The same of one pixel in one tile of that many pixels a side, of which no more than 4 KiB are there.
std::string write_tiled_tiff(const cv::Mat& pixel, int side);

struct DicomLayout {
    bool is_explicit = true;  ///< explicit little endian, else implicit
    std::string photometric = "RGB";
    int bits = 8;
    int planar = 0;
    std::string jpeg = {};  ///< in place of plain samples
};

/// A DICOM file: of CV_8UC1 or CV_8UC3 samples as they are, in the order of the file (RGB).
std::string write_dicom(const cv::Mat& samples, const DicomLayout& layout);

}  // namespace skincheck::test
