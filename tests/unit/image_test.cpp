#include "skincheck/image.hpp"

#include "drawn_images.hpp"
#include "image/format.hpp"
#include "image/pixels.hpp"
#include "image/tiff_header.hpp"
#include "result/descriptor.hpp"
#include "temporary_folder.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <random>
#include <set>

using namespace skincheck;
using test::Order;
using namespace std::string_literals;

namespace {

/// What is written to file descriptor 2 while it lives.
class CapturedStderr {
  public:
    explicit CapturedStderr(const test::TemporaryFolder& folder) : path_(folder / "stderr") {
        std::fflush(stderr);
        kept_ = ::dup(2);
        const int file = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        ::dup2(file, 2);
        ::close(file);
    }
    ~CapturedStderr() { stop(); }
    std::string stop() {
        if (kept_ >= 0) {
            std::fflush(stderr);
            ::dup2(kept_, 2);
            ::close(kept_);
            kept_ = -1;
        }
        return test::read_file(path_);
    }

  private:
    std::string path_;
    int kept_ = -1;
};

/// Loads `bytes` from a file whose name says nothing. It is a file in memory: the tests below make forty
/// thousand.
tl::expected<Image, Failure> load(const std::string& bytes, const LoadOptions& options = {}) {
    const int file = ::memfd_create("image", MFD_CLOEXEC);
    REQUIRE(file >= 0);
    const bool written = ::write(file, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
    auto image = load_image("/proc/self/fd/" + std::to_string(file), options);
    ::close(file);
    REQUIRE(written);
    return image;
}

Status status_of(const std::string& bytes, const LoadOptions& options = {}) {
    const auto image = load(bytes, options);
    return image ? Status::ok : image.error().status;
}

Status status_of_path(const std::string& path) {
    const auto image = load_image(path, {});
    return image ? Status::ok : image.error().status;
}

cv::Mat pixels_of(const std::string& bytes) {
    const auto image = load(bytes);
    const std::string message = image ? "" : image.error().message;
    REQUIRE_MESSAGE(image.has_value(), message);
    REQUIRE(image->pixels.type() == CV_8UC3);
    CHECK_FALSE(image->truncated);
    return image->pixels;
}

int difference(const cv::Mat& a, const cv::Mat& b) {
    REQUIRE(a.size() == b.size());
    REQUIRE(a.type() == b.type());
    return static_cast<int>(cv::norm(a, b, cv::NORM_INF));
}

cv::Vec3b first_pixel(const std::string& bytes) {
    return pixels_of(bytes).at<cv::Vec3b>(0, 0);
}

std::vector<int> webp_lossless() {
    return {cv::IMWRITE_WEBP_QUALITY, 101};
}

/// 3x2 pixels, stored like this:  a b c
///                                d e f
cv::Mat letters() {
    cv::Mat pixels(2, 3, CV_8UC3);
    for (int i = 0; i < 6; ++i) {
        pixels.at<cv::Vec3b>(i / 3, i % 3) = cv::Vec3b::all(static_cast<unsigned char>('a' + i));
    }
    return pixels;
}

std::string read_letters(const cv::Mat& pixels) {
    std::string text;
    for (int y = 0; y < pixels.rows; ++y) {
        text += y > 0 ? "/" : "";
        for (int x = 0; x < pixels.cols; ++x) {
            text += static_cast<char>(pixels.at<cv::Vec3b>(y, x)[0]);
        }
    }
    return text;
}

/// Where each letter stands once the image is upright, by hand from the EXIF standard: orientation 6, for
/// one, has the first row at the right-hand side and the first column on top.
constexpr std::array<const char*, 8> upright{"abc/def",  "cba/fed",  "fed/cba",  "def/abc",
                                             "ad/be/cf", "da/eb/fc", "fc/eb/da", "cf/be/ad"};

std::string patch(std::string bytes, std::size_t at, const std::string& with) {
    return bytes.replace(at, with.size(), with);
}

/// JPEG's frame header for another size; the rest stays.
std::string jpeg_with_size(std::string jpeg, int width, int height) {
    const std::size_t frame = std::min(jpeg.find("\xFF\xC0"), jpeg.find("\xFF\xC2"));  // or progressive
    REQUIRE(frame != std::string::npos);
    const auto byte = [](int value) { return static_cast<char>(value & 0xFF); };
    return patch(std::move(jpeg), frame + 5,
                 {byte(height >> 8), byte(height), byte(width >> 8), byte(width)});
}

std::string le32(std::uint32_t value) {
    return {static_cast<char>(value & 0xFF), static_cast<char>((value >> 8) & 0xFF),
            static_cast<char>((value >> 16) & 0xFF), static_cast<char>(value >> 24)};
}

std::string le16(std::uint32_t value) {
    return le32(value).substr(0, 2);
}

struct TiffEntry {
    std::uint32_t tag = 0, type = 0, count = 0, value = 0;
};

/// The header and only directory of a little endian TIFF, whatever the order of `entries`.
std::string tiff_directory(std::vector<TiffEntry> entries) {
    std::sort(entries.begin(), entries.end(),
              [](const TiffEntry& a, const TiffEntry& b) { return a.tag < b.tag; });
    std::string bytes = "II*\0"s + le32(8) + le16(static_cast<std::uint32_t>(entries.size()));
    for (const TiffEntry& entry : entries) {
        bytes += le16(entry.tag) + le16(entry.type) + le32(entry.count) + le32(entry.value);
    }
    return bytes + le32(0);
}

/// A little endian TIFF of 8-bit grey, one pixel wide, with a strip a row; `strips` and `sizes` are where
/// their places and sizes stand, or what they are if it is one strip.
std::string grey_tiff(std::uint32_t height, std::uint32_t compression, std::uint32_t strips,
                      std::uint32_t sizes, const std::vector<TiffEntry>& others = {}) {
    constexpr std::uint32_t is_short = 3, is_long = 4;
    std::vector<TiffEntry> entries{{256, is_long, 1, 1},         {257, is_long, 1, height},
                                   {258, is_short, 1, 8},        {259, is_short, 1, compression},
                                   {262, is_short, 1, 1},        {273, is_long, height, strips},
                                   {277, is_short, 1, 1},        {278, is_long, 1, 1},
                                   {279, is_long, height, sizes}};
    entries.insert(entries.end(), others.begin(), others.end());
    return tiff_directory(std::move(entries));
}

/// A little endian TIFF of one row of 16-bit grey, whose pixels have one sample or two each; `others` may say
/// what is white (262) and of what kind the second sample is (338).
std::string grey_16_tiff(const std::vector<std::uint32_t>& stored, std::uint32_t samples,
                         const std::vector<TiffEntry>& others) {
    constexpr std::uint32_t is_short = 3, is_long = 4, bits = 16;
    const auto size = static_cast<std::uint32_t>(stored.size());
    std::vector<TiffEntry> entries{{256, is_long, 1, size / samples},
                                   {257, is_long, 1, 1},
                                   {258, is_short, samples, samples == 2 ? (bits << 16) | bits : bits},
                                   {259, is_short, 1, 1},
                                   {273, is_long, 1, 0},
                                   {277, is_short, 1, samples},
                                   {278, is_long, 1, 1},
                                   {279, is_long, 1, 2 * size}};
    entries.insert(entries.end(), others.begin(), others.end());
    entries[4].value = static_cast<std::uint32_t>(tiff_directory(entries).size());
    std::string bytes = tiff_directory(std::move(entries));
    for (const std::uint32_t sample : stored) {
        bytes += le16(sample);
    }
    return bytes;
}

/// The first channel of a row of pixels.
std::vector<int> row_of(const std::string& bytes) {
    const cv::Mat pixels = pixels_of(bytes);
    std::vector<int> row;
    for (int x = 0; x < pixels.cols; ++x) {
        row.push_back(pixels.at<cv::Vec3b>(0, x)[0]);
    }
    return row;
}

/// Every strip is the same `size` bytes, of which the first two are one pixel (PackBits).
std::string tiff_of_one_place(std::uint32_t strips, std::uint32_t size) {
    constexpr std::uint32_t pack_bits = 32773;
    const auto behind = static_cast<std::uint32_t>(grey_tiff(strips, pack_bits, 0, 0).size());
    std::string bytes = grey_tiff(strips, pack_bits, behind, behind + 4 * strips);
    for (std::uint32_t i = 0; i < strips; ++i) {
        bytes += le32(behind + 8 * strips);
    }
    for (std::uint32_t i = 0; i < strips; ++i) {
        bytes += le32(size);
    }
    return bytes + "\0\7"s + std::string(size, '\0');
}

/// One pixel, and as many tags that nobody knows.
std::string tiff_with_tags(std::uint32_t count) {
    std::vector<TiffEntry> tags;
    for (std::uint32_t i = 0; i < count; ++i) {
        tags.push_back({5000 + i, 1, 1, 0});
    }
    return grey_tiff(1, 1, 8, 1, tags);
}

std::string deflated(const std::string& bytes) {
    uLongf size = compressBound(bytes.size());
    std::string packed(size, '\0');
    REQUIRE(compress(reinterpret_cast<Bytef*>(packed.data()), &size,
                     reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()) == Z_OK);
    packed.resize(size);
    return packed;
}

#if defined(__SANITIZE_ADDRESS__)
constexpr bool reserves_terabytes = true;
#elif defined(__has_feature)
constexpr bool reserves_terabytes = __has_feature(address_sanitizer);
#else
constexpr bool reserves_terabytes = false;
#endif

long peak_in_kib() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/// The word for what becomes of `bytes` in a process of its own, whose memory, even if it is not touched, may
/// grow by no more than 64 MiB; under AddressSanitizer only what is touched is counted.
std::string outcome_in_little_memory(const std::string& bytes) {
    constexpr rlim_t more = rlim_t{64} << 20;
    constexpr int too_much = status_count;
    std::fflush(nullptr);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        if (!reserves_terabytes) {
            const rlim_t pages = std::stoull(test::read_file("/proc/self/statm"));
            const rlim_t size = pages * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE)) + more;
            const rlimit limit{size, size};
            ::setrlimit(RLIMIT_AS, &limit);
        }
        const long before = peak_in_kib();
        const int file = ::open("/dev/null", O_WRONLY | O_CLOEXEC);  // of what doctest would say in here
        ::dup2(file, 1);
        const Status status = status_of(bytes);
        const bool grown = peak_in_kib() - before > static_cast<long>(more >> 10);
        ::_exit(grown ? too_much : static_cast<int>(status));
    }
    int ended = 0;
    REQUIRE(::waitpid(child, &ended, 0) == child);
    if (!WIFEXITED(ended) || WEXITSTATUS(ended) > status_count) {
        return "crashed";
    }
    return WEXITSTATUS(ended) == too_much ? "too much memory"
                                          : std::string(to_string(static_cast<Status>(WEXITSTATUS(ended))));
}

/// A BMP with the header of 40 bytes, or of 108 where there are four masks.
std::string write_bmp(int width, int height, int bits, const std::string& between, const std::string& samples,
                      std::uint32_t compression = 0, std::uint32_t header_size = 40) {
    const auto data = static_cast<std::uint32_t>(14 + 40 + between.size());
    std::string bytes = "BM" + le32(0) + le32(0) + le32(data) + le32(header_size) +
                        le32(static_cast<std::uint32_t>(width)) + le32(static_cast<std::uint32_t>(height));
    bytes += std::string("\1\0", 2) + static_cast<char>(bits) + '\0';
    return bytes + le32(compression) + std::string(20, '\0') + between + samples;
}

struct Sample {
    std::string name;
    std::string bytes;
};

/// One good file of each kind, small enough to be cut and changed thousands of times.
std::vector<Sample> samples() {
    const cv::Mat lesion = test::draw_lesion(48, 36);
    cv::Mat grey;
    cv::cvtColor(lesion, grey, cv::COLOR_BGR2GRAY);
    cv::Mat samples_16;
    lesion.convertTo(samples_16, CV_16U, 257);
    cv::Mat alpha;
    cv::cvtColor(lesion, alpha, cv::COLOR_BGR2BGRA);
    alpha(cv::Rect(0, 0, 24, 36)).setTo(cv::Scalar(10, 20, 30, 100));
    const std::string jpeg = test::encode(lesion, ".jpg");
    const std::string numbers(grey.begin<char>(), grey.end<char>());
    return {
        {"JPEG", jpeg},
        {"JPEG with EXIF", test::add_exif_to_jpeg(jpeg, 6)},
        {"JPEG, progressive", test::encode(lesion, ".jpg", {cv::IMWRITE_JPEG_PROGRESSIVE, 1})},
        {"JPEG, restarts", test::encode(lesion, ".jpg", {cv::IMWRITE_JPEG_RST_INTERVAL, 2})},
        {"JPEG, grey", test::encode(grey, ".jpg")},
        {"JPEG, CMYK", test::encode_cmyk_jpeg(alpha, true)},
        {"PNG", test::encode(lesion, ".png")},
        {"PNG, 16 bits", test::encode(samples_16, ".png")},
        {"PNG, alpha", test::add_exif_to_png(test::encode(alpha, ".png"), 3)},
        {"PNG, palette", test::write_png({48, 36, 8, 3, std::string(3 * 256, 'p')}, numbers)},
        {"BMP", test::encode(lesion, ".bmp")},
        {"BMP, palette", test::encode(grey, ".bmp")},
        {"TIFF", test::write_tiff(lesion, 5, Order::big)},
        {"TIFF, LZW", test::encode(lesion, ".tif", {cv::IMWRITE_TIFF_COMPRESSION, 5})},
        {"TIFF, deflate, 16 bits", test::encode(samples_16, ".tif", {cv::IMWRITE_TIFF_COMPRESSION, 8})},
        {"WebP", test::encode(lesion, ".webp", {cv::IMWRITE_WEBP_QUALITY, 80})},
        {"WebP, alpha, EXIF",
         test::add_exif_to_webp(test::encode(alpha, ".webp", webp_lossless()), 48, 36, 8)},
        {"DICOM", test::write_dicom(lesion, {})},
        {"DICOM, JPEG", test::write_dicom(lesion, {true, "YBR_FULL_422", 8, 0, jpeg})},
    };
}

}  // namespace

TEST_CASE("every orientation puts every pixel in its place") {
    for (int i = 1; i <= 8; ++i) {
        CAPTURE(i);
        CHECK(read_letters(orient_image(letters(), i)) == upright[static_cast<std::size_t>(i - 1)]);
    }
    CHECK(read_letters(orient_image(letters(), 0)) == "abc/def");
    CHECK(read_letters(orient_image(letters(), 9)) == "abc/def");
}

TEST_CASE("orientation is read from PNG, TIFF and WebP, in both byte orders, and applied once") {
    const std::string png = test::encode(letters(), ".png");
    const std::string webp = test::encode(letters(), ".webp", webp_lossless());
    for (int i = 1; i <= 8; ++i) {
        CAPTURE(i);
        const std::string expected = upright[static_cast<std::size_t>(i - 1)];
        CHECK(read_letters(pixels_of(test::add_exif_to_png(png, i))) == expected);
        CHECK(read_letters(pixels_of(test::add_exif_to_webp(webp, 3, 2, i))) == expected);
        CHECK(read_letters(pixels_of(test::write_tiff(letters(), i, Order::little))) == expected);
        CHECK(read_letters(pixels_of(test::write_tiff(letters(), i, Order::big))) == expected);
    }
}

TEST_CASE("orientation is read from JPEG, in both byte orders") {
    const cv::Mat lesion = test::draw_lesion(64, 48);
    const std::string jpeg = test::encode(lesion, ".jpg");
    const cv::Mat stored = pixels_of(jpeg);
    for (int i = 1; i <= 8; ++i) {
        CAPTURE(i);
        for (const Order order : {Order::little, Order::big}) {
            CHECK(difference(pixels_of(test::add_exif_to_jpeg(jpeg, i, order)), orient_image(stored, i)) ==
                  0);
        }
    }
    CHECK(difference(pixels_of(test::add_exif_to_jpeg(jpeg, 77)), stored) == 0);
}

TEST_CASE("EXIF data that is cut or nonsense means upright") {
    const std::string good = test::exif_data(6);
    const auto orientation = [](const std::string& text) {
        return exif_orientation(Bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
    };
    CHECK(orientation(good) == 6);
    CHECK(orientation(std::string("Exif\0\0", 6) + good) == 6);
    for (std::size_t size = 0; size < 22; ++size) {  // up to where the directory's only entry ends
        CAPTURE(size);
        CHECK(orientation(good.substr(0, size)) == 1);
    }
    CHECK(orientation(patch(good, 4, le32(0xFFFFFFFF))) == 1);             // the directory is nowhere
    CHECK(orientation(patch(good, 8, "\xFF\xFF")) == 1);                   // so many entries are not there
    CHECK(orientation(patch(good, 14, le32(0xFFFFFFFF))) == 1);            // so many values neither
    CHECK(orientation(patch(good, 18, std::string("\x09\x00", 2))) == 1);  // there is no ninth
}

TEST_CASE("a JPEG gives the pixels that OpenCV gives") {
    const cv::Mat lesion = test::draw_lesion(101, 67);
    for (const int progressive : {0, 1}) {
        const std::string jpeg = test::encode(
            lesion, ".jpg", {cv::IMWRITE_JPEG_QUALITY, 90, cv::IMWRITE_JPEG_PROGRESSIVE, progressive});
        const cv::Mat data(1, static_cast<int>(jpeg.size()), CV_8UC1, const_cast<char*>(jpeg.data()));
        CHECK(difference(pixels_of(jpeg), cv::imdecode(data, cv::IMREAD_COLOR)) == 0);
    }
}

TEST_CASE("lossless formats give back what was drawn") {
    const cv::Mat lesion = test::draw_lesion(31, 17);
    CHECK(difference(pixels_of(test::encode(lesion, ".png")), lesion) == 0);
    CHECK(difference(pixels_of(test::encode(lesion, ".bmp")), lesion) == 0);
    CHECK(difference(pixels_of(test::encode(lesion, ".webp", webp_lossless())), lesion) == 0);
    for (const int compression : {1, 5, 8, 32773}) {
        CAPTURE(compression);
        CHECK(difference(pixels_of(test::encode(lesion, ".tif", {cv::IMWRITE_TIFF_COMPRESSION, compression})),
                         lesion) == 0);
    }
    const cv::Mat rgb = [&] {
        cv::Mat swapped;
        cv::cvtColor(lesion, swapped, cv::COLOR_BGR2RGB);
        return swapped;
    }();
    CHECK(difference(pixels_of(test::write_dicom(rgb, {})), lesion) == 0);
    CHECK(difference(pixels_of(test::write_dicom(rgb, {false})), lesion) == 0);
}

TEST_CASE("an image of one pixel is an image") {
    const cv::Mat one = test::draw_flat(1, 1, {10, 200, 90});
    for (const char* extension : {".png", ".bmp", ".tif"}) {
        CAPTURE(extension);
        CHECK(difference(pixels_of(test::encode(one, extension)), one) == 0);
    }
    CHECK(difference(pixels_of(test::encode(one, ".webp", webp_lossless())), one) == 0);
    CHECK(difference(pixels_of(test::encode(one, ".jpg", {cv::IMWRITE_JPEG_QUALITY, 100})), one) <= 4);
}

TEST_CASE("grey becomes BGR of three equal channels") {
    cv::Mat grey(9, 7, CV_8UC1);
    cv::randu(grey, 0, 256);
    cv::Mat expected;
    cv::cvtColor(grey, expected, cv::COLOR_GRAY2BGR);
    for (const char* extension : {".png", ".bmp", ".tif"}) {
        CAPTURE(extension);
        CHECK(difference(pixels_of(test::encode(grey, extension)), expected) == 0);
    }
    CHECK(first_pixel(test::encode(cv::Mat(8, 8, CV_8UC1, cv::Scalar(77)), ".jpg")) == cv::Vec3b(77, 77, 77));
    test::DicomLayout dicom;
    dicom.photometric = "MONOCHROME2";
    CHECK(difference(pixels_of(test::write_dicom(grey, dicom)), expected) == 0);
    dicom.photometric = "MONOCHROME1";
    CHECK(difference(pixels_of(test::write_dicom(255 - grey, dicom)), expected) == 0);
}

TEST_CASE("PNG: palette, with and without transparency, and few bits") {
    // Two pixels of two bits each: the third colour and the second.
    const std::string palette("\x01\x02\x03\x0A\x14\x1E\xFF\x80\x00", 9);
    test::PngLayout layout{2, 1, 2, 3, palette, ""};
    const std::string pixels(1, '\x90');
    cv::Mat opaque = pixels_of(test::write_png(layout, pixels));
    CHECK(opaque.at<cv::Vec3b>(0, 0) == cv::Vec3b(0, 0x80, 0xFF));
    CHECK(opaque.at<cv::Vec3b>(0, 1) == cv::Vec3b(0x1E, 0x14, 0x0A));
    layout.clear = std::string("\xFF\x80", 2);  // the second colour is half clear
    cv::Mat half = pixels_of(test::write_png(layout, pixels));
    CHECK(half.at<cv::Vec3b>(0, 0) == cv::Vec3b(0, 0x80, 0xFF));
    CHECK(half.at<cv::Vec3b>(0, 1) == cv::Vec3b(142, 137, 132));  // (30 * 128 + 255 * 127) / 255 and so on
    CHECK(first_pixel(test::write_png({1, 1, 1, 0}, std::string(1, '\x80'))) == cv::Vec3b(255, 255, 255));
    CHECK(first_pixel(test::write_png({1, 1, 4, 0}, std::string(1, '\x30'))) == cv::Vec3b(51, 51, 51));
    // A colour that is not there, which libpng takes for black; what fills up the byte does not count.
    CHECK(status_of(test::write_png({2, 1, 2, 3, palette}, std::string(1, '\x9F'))) == Status::ok);
    CHECK(status_of(test::write_png({2, 1, 2, 3, palette}, std::string(1, '\x70'))) == Status::corrupt);
    CHECK(status_of(test::write_png({1, 1, 8, 3, palette}, "\2")) == Status::ok);
    CHECK(status_of(test::write_png({1, 1, 8, 3, palette}, "\3")) == Status::corrupt);
    // A colour that is named as the clear one, whatever stands beside it.
    CHECK(first_pixel(test::write_png({1, 1, 8, 2, "", std::string("\0\1\0\2\0\3", 6)}, "\1\2\3")) ==
          cv::Vec3b(3, 2, 1));  // all of it, so that it is ignored
}

TEST_CASE("alpha is laid over white") {
    cv::Mat pixels(1, 3, CV_8UC4);
    pixels.at<cv::Vec4b>(0, 0) = {10, 20, 30, 255};
    pixels.at<cv::Vec4b>(0, 1) = {10, 20, 30, 0};
    pixels.at<cv::Vec4b>(0, 2) = {10, 20, 30, 51};  // a fifth
    const std::vector<cv::Vec3b> expected{{10, 20, 30}, {255, 255, 255}, {206, 208, 210}};
    const std::vector<int> exact{cv::IMWRITE_WEBP_QUALITY, 101};
    for (const std::string& bytes : {test::encode(pixels, ".png"), test::encode(pixels, ".webp", exact)}) {
        const cv::Mat got = pixels_of(bytes);
        for (int x = 0; x < 3; ++x) {
            CAPTURE(x);
            // libwebp's encoder clears the colour under clear pixels, which white hides.
            CHECK(got.at<cv::Vec3b>(0, x) == expected[static_cast<std::size_t>(x)]);
        }
    }
    // Grey with alpha, 8 and 16 bits.
    CHECK(first_pixel(test::write_png({1, 1, 8, 4}, std::string("\x0A\x33", 2))) == cv::Vec3b(206, 206, 206));
    CHECK(first_pixel(test::write_png({1, 1, 16, 4}, std::string("\x0A\x0A\x33\x33", 4))) ==
          cv::Vec3b(206, 206, 206));
}

TEST_CASE("alpha that is zero all over is ignored") {
    const cv::Vec3b colour(10, 20, 30);
    const cv::Mat clear(2, 2, CV_8UC4, cv::Scalar(10, 20, 30, 0));
    CHECK(first_pixel(test::encode(clear, ".png")) == colour);
    const std::string masks = le32(0xFF0000) + le32(0xFF00) + le32(0xFF) + le32(0xFF000000);
    const std::string long_header = masks + std::string(108 - 40 - 16, '\0');
    CHECK(first_pixel(write_bmp(1, 1, 32, long_header, std::string("\x0A\x14\x1E\0", 4), 3, 108)) == colour);
    for (const int kind : {0, 1, 2}) {  // unspecified, multiplied, straight
        CAPTURE(kind);
        CHECK(first_pixel(test::write_tiff_with_alpha(clear, kind)) == colour);
    }
}

TEST_CASE("TIFF: alpha multiplied in or not, or a sample that is none") {
    cv::Mat pixels(1, 2, CV_8UC4);
    pixels.at<cv::Vec4b>(0, 0) = {10, 20, 30, 51};  // a fifth
    pixels.at<cv::Vec4b>(0, 1) = {10, 20, 30, 255};
    const cv::Mat straight = pixels_of(test::write_tiff_with_alpha(pixels, 2));
    CHECK(straight.at<cv::Vec3b>(0, 0) == cv::Vec3b(206, 208, 210));
    CHECK(straight.at<cv::Vec3b>(0, 1) == cv::Vec3b(10, 20, 30));
    const cv::Mat multiplied = pixels_of(test::write_tiff_with_alpha(pixels, 1));
    CHECK(multiplied.at<cv::Vec3b>(0, 0) == cv::Vec3b(214, 224, 234));
    CHECK(multiplied.at<cv::Vec3b>(0, 1) == cv::Vec3b(10, 20, 30));
    for (const int kind : {-1, 0}) {  // not said, unspecified
        CAPTURE(kind);
        const cv::Mat none = pixels_of(test::write_tiff_with_alpha(pixels, kind));
        CHECK(none.at<cv::Vec3b>(0, 0) == cv::Vec3b(10, 20, 30));
        CHECK(none.at<cv::Vec3b>(0, 1) == cv::Vec3b(10, 20, 30));
    }
}

TEST_CASE("TIFF: 16-bit grey with alpha") {
    constexpr std::uint32_t kind_of_extra = 338, is_short = 3;
    const TiffEntry black_is_zero{262, is_short, 1, 1};
    const auto row = [&](std::uint32_t kind) {
        const std::vector<std::uint32_t> grey_and_alpha{257 * 10, 257 * 51, 257 * 100 + 129, 65535};
        return row_of(grey_16_tiff(grey_and_alpha, 2, {black_is_zero, {kind_of_extra, is_short, 1, kind}}));
    };
    CHECK(row(2) == std::vector<int>{206, 101});  // straight: (10 * 51 + 255 * 204) / 255
    CHECK(row(1) == std::vector<int>{214, 101});  // multiplied: 10 + 204
    CHECK(row(0) == std::vector<int>{10, 101});   // no alpha
}

TEST_CASE("TIFF: black is zero if there is no word") {
    constexpr std::uint32_t photometric = 262, is_short = 3;
    const std::vector<std::uint32_t> grey{0, 257 * 10, 65535};
    CHECK(row_of(grey_16_tiff(grey, 1, {})) == std::vector<int>{0, 10, 255});
    CHECK(row_of(grey_16_tiff(grey, 1, {{photometric, is_short, 1, 1}})) == std::vector<int>{0, 10, 255});
    CHECK(row_of(grey_16_tiff(grey, 1, {{photometric, is_short, 1, 0}})) == std::vector<int>{255, 245, 0});
}

TEST_CASE("16-bit samples are divided by 257 and rounded") {
    cv::Mat grey(1, 6, CV_16UC1);
    const std::array<unsigned short, 6> stored{0, 128, 129, 257 * 100 + 128, 257 * 100 + 129, 65535};
    const std::array<int, 6> expected{0, 0, 1, 100, 101, 255};
    cv::Mat colour(1, 6, CV_16UC3);
    for (int x = 0; x < 6; ++x) {
        const auto value = stored[static_cast<std::size_t>(x)];
        grey.at<unsigned short>(0, x) = value;
        colour.at<cv::Vec3w>(0, x) = {value, 0, 65535};
    }
    const std::vector<int> lzw{cv::IMWRITE_TIFF_COMPRESSION, 5};
    for (const std::string& bytes : {test::encode(grey, ".png"), test::encode(grey, ".tif", lzw),
                                     test::write_tiff(grey), test::write_tiff(grey, 1, Order::big)}) {
        const cv::Mat got = pixels_of(bytes);
        for (int x = 0; x < 6; ++x) {
            CAPTURE(x);
            CHECK(int{got.at<cv::Vec3b>(0, x)[1]} == expected[static_cast<std::size_t>(x)]);
        }
    }
    for (const std::string& bytes : {test::encode(colour, ".png"), test::encode(colour, ".tif", lzw)}) {
        const cv::Mat got = pixels_of(bytes);
        for (int x = 0; x < 6; ++x) {
            CAPTURE(x);
            const auto one = got.at<cv::Vec3b>(0, x);
            CHECK(one ==
                  cv::Vec3b(static_cast<unsigned char>(expected[static_cast<std::size_t>(x)]), 0, 255));
        }
    }
}

TEST_CASE("CMYK JPEG: inverted if Adobe says so, not otherwise") {
    const cv::Mat cmyk(8, 8, CV_8UC4, cv::Scalar(200, 100, 50, 128));
    const cv::Vec3b adobe = first_pixel(test::encode_cmyk_jpeg(cmyk, true));
    CHECK(adobe == cv::Vec3b(25, 50, 100));  // 50 * 128 / 255, 100 * 128 / 255, 200 * 128 / 255
    const cv::Vec3b plain = first_pixel(test::encode_cmyk_jpeg(cmyk, false));
    CHECK(plain == cv::Vec3b(102, 77, 27));  // 205 * 127 / 255, 155 * 127 / 255, 55 * 127 / 255
}

TEST_CASE("BMP: rows in both directions, palettes, masks and alpha") {
    const std::string two_rows("\1\2\3\0\4\5\6\0", 8);
    CHECK(first_pixel(write_bmp(1, 2, 24, "", two_rows)) == cv::Vec3b(4, 5, 6));
    CHECK(first_pixel(write_bmp(1, -2, 24, "", two_rows)) == cv::Vec3b(1, 2, 3));
    const std::string palette("\1\2\3\0\x0A\x14\x1E\0", 8);
    CHECK(first_pixel(write_bmp(1, 1, 1, palette, std::string("\x80\0\0\0", 4))) == cv::Vec3b(10, 20, 30));
    CHECK(first_pixel(write_bmp(1, 1, 4, palette, std::string("\x10\0\0\0", 4))) == cv::Vec3b(10, 20, 30));
    CHECK(first_pixel(write_bmp(1, 1, 8, palette, std::string("\x09\0\0\0", 4))) == cv::Vec3b(0, 0, 0));
    CHECK(first_pixel(write_bmp(1, 1, 16, "", std::string("\x1F\x7C\0\0", 4))) == cv::Vec3b(255, 0, 255));
    const std::string masks_565 = le32(0xF800) + le32(0x07E0) + le32(0x001F);
    CHECK(first_pixel(write_bmp(1, 1, 16, masks_565, std::string("\xE0\x07\0\0", 4), 3)) ==
          cv::Vec3b(0, 255, 0));
    // The fourth byte is nothing, or alpha where a mask says so.
    const std::string clear("\1\2\3\0", 4);
    CHECK(first_pixel(write_bmp(1, 1, 32, "", clear)) == cv::Vec3b(1, 2, 3));
    const std::string masks = le32(0xFF0000) + le32(0xFF00) + le32(0xFF) + le32(0xFF000000);
    const std::string long_header = masks + std::string(108 - 40 - 16, '\0');
    const std::string clear_and_not = clear + std::string("\1\2\3\xFF", 4);
    CHECK(first_pixel(write_bmp(2, 1, 32, long_header, clear_and_not, 3, 108)) == cv::Vec3b(255, 255, 255));
    CHECK(status_of(write_bmp(4, 1, 8, palette, std::string("\4\1\0\1", 4), 1)) == Status::unsupported);
    CHECK(status_of(write_bmp(1, 1, 7, "", clear)) == Status::corrupt);
}

TEST_CASE("DICOM: planes, YBR, JPEG, and what is not read") {
    cv::Mat rgb(1, 2, CV_8UC3);
    std::memcpy(rgb.data, "\1\2\3\4\5\6", 6);  // by plane: red 1 2, green 3 4, blue 5 6
    test::DicomLayout layout;
    layout.planar = 1;
    CHECK(first_pixel(test::write_dicom(rgb, layout)) == cv::Vec3b(5, 3, 1));
    layout = {};
    layout.photometric = "YBR_FULL";
    const cv::Mat red(2, 2, CV_8UC3, cv::Scalar(76, 85, 255));
    CHECK(cv::norm(first_pixel(test::write_dicom(red, layout)), cv::Vec3b(0, 0, 254), cv::NORM_INF) <= 1);
    const cv::Mat lesion = test::draw_lesion(40, 24);
    const std::string jpeg = test::encode(lesion, ".jpg");
    layout.photometric = "YBR_FULL_422";
    layout.jpeg = jpeg;
    CHECK(difference(pixels_of(test::write_dicom(lesion, layout)), pixels_of(jpeg)) == 0);
    CHECK(status_of(test::write_dicom(test::draw_lesion(41, 24), layout)) == Status::corrupt);
}

TEST_CASE("DICOM: what is not read is named") {
    test::DicomLayout layout;
    layout.photometric = "MONOCHROME2";
    const cv::Mat grey(2, 4, CV_8UC1, cv::Scalar(0));
    const std::string plain = test::write_dicom(grey, layout);
    const auto message_of = [](const std::string& bytes) {
        const auto image = load(bytes);
        REQUIRE_FALSE(image.has_value());
        CHECK(image.error().status == Status::unsupported);
        return image.error().message;
    };
    const std::size_t allocated = plain.find("\x28\0\0\1US\2\0"s) + 8;
    CHECK(message_of(patch(plain, allocated, "\x10")) ==
          "a DICOM of 16 bits allocated and 8 stored a sample; only 8 and 8 are read");
    const std::size_t is_signed = plain.find("\x28\0\3\1US\2\0"s) + 8;
    CHECK(message_of(patch(plain, is_signed, "\1")) ==
          "a DICOM of signed samples; only unsigned ones are read");
    const std::size_t syntax = plain.find("1.2.840.10008.1.2.1"s);
    CHECK(message_of(patch(plain, syntax, "1.2.840.10008.1.2.5")) ==
          "a DICOM of transfer syntax 1.2.840.10008.1.2.5; only plain and 8-bit JPEG pixels are read");
    layout.bits = 16;
    CHECK(message_of(test::write_dicom(grey, layout)) ==
          "a DICOM of 16 bits allocated and 16 stored a sample; only 8 and 8 are read");
    const cv::Mat lesion = test::draw_lesion(40, 24);
    layout = {true, "PALETTE COLOR", 8, 0, test::encode(lesion, ".jpg")};
    CHECK(message_of(test::write_dicom(lesion, layout)) == "a DICOM whose JPEG is of kind \"PALETTE COLOR\"");
}

TEST_CASE("DICOM: a JPEG within it stands as it is stored, whatever its EXIF data say") {
    const cv::Mat lesion = test::draw_lesion(40, 24);
    const std::string jpeg = test::encode(lesion, ".jpg");
    for (const int orientation : {3, 6}) {
        CAPTURE(orientation);
        const test::DicomLayout layout{true, "YBR_FULL_422", 8, 0, test::add_exif_to_jpeg(jpeg, orientation)};
        CHECK(difference(pixels_of(test::write_dicom(lesion, layout)), pixels_of(jpeg)) == 0);
    }
}

TEST_CASE("files that are none") {
    const test::TemporaryFolder folder;
    CHECK(status_of_path(folder / "missing.jpg") == Status::not_found);
    CHECK(status_of_path("") == Status::not_found);
    CHECK(status_of_path(folder.write("file.txt", "x") + "/under.jpg") == Status::not_found);
    CHECK(status_of_path(folder / std::string(300, 'n')) == Status::not_found);
    CHECK(status_of_path(folder.write("a.png", test::encode(letters(), ".png")) + std::string("\0x", 2)) ==
          Status::not_found);
    std::filesystem::create_symlink("loop.jpg", folder / "loop.jpg");
    CHECK(status_of_path(folder / "loop.jpg") == Status::not_found);
    CHECK(status_of_path(folder.path()) == Status::not_a_file);
    CHECK(status_of_path("/dev/null") == Status::not_a_file);
    CHECK(status_of_path("/dev/zero") == Status::not_a_file);
    const std::string fifo = folder / "fifo.jpg";
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    CHECK(status_of_path(fifo) == Status::not_a_file);
    const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string name = folder / "socket.jpg";
    REQUIRE(name.size() < sizeof address.sun_path);
    std::copy(name.begin(), name.end(), address.sun_path);
    REQUIRE(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    CHECK(status_of_path(name) == Status::not_a_file);
    ::close(socket);
}

TEST_CASE("a FIFO is not even opened") {
    const test::TemporaryFolder folder;
    const std::string fifo = folder / "fifo.jpg";
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    const int watch = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    REQUIRE(watch >= 0);
    REQUIRE(::inotify_add_watch(watch, fifo.c_str(), IN_OPEN) >= 0);
    std::array<char, 4096> events{};
    CHECK(status_of_path(fifo) == Status::not_a_file);
    CHECK(::read(watch, events.data(), events.size()) < 0);
    const int opened = ::open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);  // that it would be seen
    CHECK(::read(watch, events.data(), events.size()) > 0);
    ::close(opened);
    ::close(watch);
}

TEST_CASE("a file without permission") {
    if (::geteuid() == 0) {
        MESSAGE("skipped: root may read every file");
        return;
    }
    const test::TemporaryFolder folder;
    const std::string path = folder.write("secret.png", test::encode(letters(), ".png"));
    REQUIRE(::chmod(path.c_str(), 0) == 0);
    CHECK(status_of_path(path) == Status::denied);
}

TEST_CASE("files without an image") {
    CHECK(status_of("") == Status::empty);
    const auto text = load("BMI and other measures of a patient, in a file that is named like a picture\n");
    REQUIRE_FALSE(text.has_value());
    CHECK(text.error().status == Status::unsupported);
    CHECK(text.error().message.find("JPEG, PNG, BMP, TIFF") != std::string::npos);
    CHECK(status_of("x") == Status::unsupported);
    CHECK(status_of(std::string(5000, '\0')) == Status::unsupported);
    CHECK(status_of("GIF89a and more") == Status::unsupported);
    CHECK(status_of(std::string("\xFF\xD8\xFF\xD9", 4)) == Status::corrupt);  // an end without a picture
    CHECK(status_of("RIFF\x30\0\0\0WEBPnonsense and more of it, to the size"s) == Status::corrupt);
}

TEST_CASE("the limits: bytes, and pixels as the header says them") {
    const std::string png = test::encode(test::draw_lesion(20, 10), ".png");
    LoadOptions options;
    options.limits.max_bytes = png.size();
    CHECK(status_of(png, options) == Status::ok);
    options.limits.max_bytes = png.size() - 1;
    CHECK(status_of(png, options) == Status::too_large);
    options = {};
    for (const Sample& sample : samples()) {
        CAPTURE(sample.name);
        options.limits.max_pixels = 48 * 36;
        CHECK(status_of(sample.bytes, options) == Status::ok);
        options.limits.max_pixels = 48 * 36 - 1;
        const auto image = load(sample.bytes, options);
        REQUIRE_FALSE(image.has_value());
        CHECK(image.error().status == Status::too_large);
        CHECK(image.error().message == "48x36 pixels are over the limit of 1727 pixels");
    }
}

TEST_CASE("headers of 30000x30000 pixels allocate nothing") {
    const cv::Mat small = test::draw_lesion(16, 16);
    const std::string side = le32(30000);
    const std::string side_big{side[3], side[2], side[1], side[0]};
    const std::string tiff = test::write_tiff(small);  // values of the first two entries: 18 and 30
    const std::string lzw = test::encode(small, ".tif", {cv::IMWRITE_TIFF_COMPRESSION, 5});
    const std::string webp = test::encode(small, ".webp", {cv::IMWRITE_WEBP_QUALITY, 80});
    const std::string lossless = test::encode(small, ".webp", webp_lossless());
    const std::string jpeg = test::encode(small, ".jpg");
    const std::string progressive = test::encode(small, ".jpg", {cv::IMWRITE_JPEG_PROGRESSIVE, 1});
    const auto sides_in_dicom = [&](std::string dicom) {  // rows, then columns
        dicom = patch(dicom, dicom.find("\x28\0\x10\0US\2\0"s) + 8, "\x30\x75");
        return patch(dicom, dicom.find("\x28\0\x11\0US\2\0"s) + 8, "\x30\x75");
    };
    const test::DicomLayout with_jpeg{true, "YBR_FULL_422", 8, 0, jpeg};
    const test::DicomLayout with_huge_jpeg{true, "YBR_FULL_422", 8, 0, jpeg_with_size(jpeg, 30000, 30000)};
    const std::vector<Sample> huge{
        {"JPEG", jpeg_with_size(jpeg, 30000, 30000)},
        {"JPEG, progressive", jpeg_with_size(progressive, 30000, 30000)},
        {"JPEG, cut behind the frame header", jpeg_with_size(jpeg, 30000, 30000).substr(0, 200)},
        {"PNG", patch(test::encode(small, ".png"), 16, side_big + side_big)},
        {"BMP", patch(test::encode(small, ".bmp"), 18, side + side)},
        {"BMP, most negative height", patch(test::encode(small, ".bmp"), 18, side + le32(0x80000000))},
        {"TIFF", patch(patch(tiff, 18, side), 30, side)},
        {"TIFF, as large as can be", patch(patch(tiff, 18, le32(~0U)), 30, le32(~0U))},
        {"TIFF, LZW",
         patch(patch(lzw, lzw.find("\0\1\3\0\1\0\0\0"s) + 8, side), lzw.find("\1\1\3\0\1\0\0\0"s) + 8, side)},
        {"WebP", patch(webp, 26, "\xFF\x3F\xFF\x3F")},  // 16383x16383, the most that there is
        {"WebP, canvas", patch(test::add_exif_to_webp(webp, 16, 16, 1), 24, "\x2F\x75\0\x2F\x75\0"s)},
        {"WebP, lossless", patch(lossless, 21, "\xFF\xFF\xFF\x0F")},
        {"DICOM", sides_in_dicom(test::write_dicom(small, {}))},
        {"DICOM, JPEG", sides_in_dicom(test::write_dicom(small, with_jpeg))},
        {"DICOM, JPEG that alone is huge", test::write_dicom(small, with_huge_jpeg)},
    };
    for (const Sample& sample : huge) {
        CAPTURE(sample.name);
        CHECK(outcome_in_little_memory(sample.bytes) == "too_large");  // one such image has 2.5 GiB
    }
}

TEST_CASE("what is packed small is not unpacked beyond the picture") {
    const std::string zeros(std::size_t{128} << 20, '\0');
    const std::string packed = deflated(zeros);
    const std::string png = test::encode(test::draw_lesion(16, 16), ".png");
    const auto with = [&](const std::string& name, const std::string& data) {
        constexpr std::size_t header_end = 33;
        return png.substr(0, header_end) + test::png_chunk(name, data) + png.substr(header_end);
    };
    const std::string header = png.substr(0, 33);
    const std::vector<Sample> bombs{
        {"text", with("zTXt", "Comment\0\0"s + packed)},
        {"international text", with("iTXt", "Comment\0\1\0\0\0"s + packed)},
        {"profile", with("iCCP", "profile\0\0"s + packed)},
        {"unknown chunk", with("abCd", zeros.substr(0, std::size_t{16} << 20))},
        {"pixels", header + test::png_chunk("IDAT", packed) + test::png_chunk("IEND", "")},
    };
    for (const Sample& sample : bombs) {
        CAPTURE(sample.name);
        CHECK(outcome_in_little_memory(sample.bytes) == "ok");
    }
}

TEST_CASE("the first picture of many is read, and nothing of the others") {
    const cv::Mat lesion = test::draw_lesion(16, 16);
    SUBCASE("TIFF: the directory that comes after the first is the first") {
        constexpr std::size_t next = 8 + 2 + 12 * 10;
        const std::string tiff = patch(test::write_tiff(lesion), next, le32(8));
        CHECK(difference(pixels_of(tiff), lesion) == 0);
        CHECK(outcome_in_little_memory(tiff) == "ok");
    }
    SUBCASE("DICOM: ten thousand frames in one row") {
        cv::Mat frames;
        cv::repeat(lesion, 10000, 1, frames);
        std::string dicom = test::write_dicom(frames, {});
        dicom = patch(dicom, dicom.find("\x28\0\x10\0US\2\0"s) + 8, "\x10\0"s);
        CHECK(pixels_of(dicom).size() == lesion.size());
        CHECK(outcome_in_little_memory(dicom) == "ok");
    }
}

TEST_CASE("a TIFF of LZMA, which may reserve 4 GiB, is not begun") {
    constexpr std::uint32_t lzma = 34925;
    CHECK(outcome_in_little_memory(grey_tiff(1, lzma, 8, 1)) == "unsupported");
}

TEST_CASE("a TIFF of JBIG, whose decoder ends the process, is not begun") {
    constexpr std::uint32_t jbig = 34661;
    // ITU-T T.82, 6.2: one layer of one plane, 0xFFFFFFFE x 0xFFFFFFFE pixels in stripes of one row.
    const std::string huge =
        "\0\0\1\0"s + "\xFF\xFF\xFF\xFE\xFF\xFF\xFF\xFE"s + "\0\0\0\1\x08\0\0\0"s + std::string(40, '\0');
    const auto behind = static_cast<std::uint32_t>(grey_tiff(1, jbig, 0, 0).size());
    const auto size = static_cast<std::uint32_t>(huge.size());
    CHECK(outcome_in_little_memory(grey_tiff(1, jbig, behind, size) + huge) == "unsupported");
}

TEST_CASE("a TIFF that libtiff does not convert is unsupported, for the reason that it gives") {
    // 16-bit YCbCr: photometric interpretation 6 in place of RGB's 2.
    const std::string rgb =
        test::encode(cv::Mat(4, 4, CV_16UC3, cv::Scalar::all(7)), ".tif", {cv::IMWRITE_TIFF_COMPRESSION, 1});
    const auto image = load(patch(rgb, rgb.find("\6\1\3\0\1\0\0\0\2"s) + 8, "\6"));
    REQUIRE_FALSE(image.has_value());
    CHECK(image.error().status == Status::unsupported);
    CHECK(image.error().message == "a kind of TIFF that is not read: Sorry, can not handle image");
}

TEST_CASE("TIFF: strips that all stand in one place") {
    constexpr std::uint32_t blank = 16;
    CHECK(status_of(tiff_of_one_place(1000, blank)) == Status::ok);  // as some write what is blank
    const auto image = load(tiff_of_one_place(4000, 1U << 20));      // of 1 MiB each, in a picture of 4 KB
    REQUIRE_FALSE(image.has_value());
    CHECK(image.error().status == Status::corrupt);
    CHECK(image.error().message.find("strips") != std::string::npos);
    CHECK(status_of(tiff_with_tags(3000)) == Status::ok);
    for (const std::uint32_t unknown_type : {0U, 129U}) {
        CHECK(status_of(grey_tiff(1, 1, 8, 1, {{65000, unknown_type, 1, 0}})) == Status::ok);
    }
    CHECK(status_of(tiff_with_tags(60000)) == Status::corrupt);
}

TEST_CASE("tiles far larger than their picture allocate nothing") {
    rusage before{};
    ::getrusage(RUSAGE_SELF, &before);
    for (const int type : {CV_16UC1, CV_8UC3}) {
        CAPTURE(type);
        const cv::Mat pixel(1, 1, type, cv::Scalar::all(7));
        for (const int side : {16, 32}) {
            CHECK(first_pixel(test::write_tiled_tiff(pixel, side)) ==
                  pixels_of(test::write_tiff(pixel)).at<cv::Vec3b>(0, 0));
        }
        CHECK(status_of(test::write_tiled_tiff(pixel, 60000)) == Status::corrupt);
    }
    rusage after{};
    ::getrusage(RUSAGE_SELF, &after);
    CHECK(after.ru_maxrss - before.ru_maxrss < 100 * 1024);  // KiB; one such tile has 7 GiB
}

TEST_CASE("no width or no height is corrupt") {
    const cv::Mat small = test::draw_lesion(16, 16);
    CHECK(status_of(patch(test::encode(small, ".png"), 16, std::string(4, '\0'))) == Status::corrupt);
    CHECK(status_of(patch(test::encode(small, ".bmp"), 22, std::string(4, '\0'))) == Status::corrupt);
    CHECK(status_of(patch(test::write_tiff(small), 18, std::string(4, '\0'))) == Status::corrupt);
    CHECK(status_of(jpeg_with_size(test::encode(small, ".jpg"), 16, 0)) == Status::corrupt);
}

TEST_CASE("a file that is cut anywhere is truncated") {
    for (const Sample& sample : samples()) {
        CAPTURE(sample.name);
        const bool jpeg = sample.name.rfind("JPEG", 0) == 0;
        // From where on the format can be told: JPEG after two bytes, the others after their signatures.
        const std::size_t least = jpeg                                 ? 3
                                  : sample.name.rfind("DICOM", 0) == 0 ? 132
                                  : sample.name.rfind("BMP", 0) == 0   ? 18
                                  : sample.name.rfind("WebP", 0) == 0  ? 12
                                                                       : 4;
        std::set<std::string> wrong;
        for (std::size_t size = least; size < sample.bytes.size(); ++size) {
            const Status status = status_of(sample.bytes.substr(0, size));
            if (status != Status::truncated) {
                wrong.insert(std::to_string(size) + " " + std::string(to_string(status)));
            }
        }
        const std::string first = wrong.empty() ? "" : *wrong.begin();
        CHECK_MESSAGE(wrong.empty(), first, " and so on, ", wrong.size(), " of ", sample.bytes.size());
    }
}

TEST_CASE("a JPEG that is cut within an EXIF segment") {
    const std::string jpeg = test::add_exif_to_jpeg(test::encode(test::draw_lesion(40, 40), ".jpg"), 6);
    for (std::size_t size = 3; size < 40; ++size) {
        CAPTURE(size);
        CHECK(status_of(jpeg.substr(0, size)) == Status::truncated);
    }
}

TEST_CASE("allow_truncated gives what is there of a JPEG, and grey") {
    LoadOptions options;
    options.allow_truncated = true;
    const cv::Mat white = test::draw_flat(64, 256, {255, 255, 255});
    for (const int restart : {0, 4}) {
        CAPTURE(restart);
        cv::Mat noisy = white.clone();
        cv::randu(noisy, 200, 256);
        const std::string jpeg = test::encode(noisy, ".jpg", {cv::IMWRITE_JPEG_RST_INTERVAL, restart});
        const auto image = load(jpeg.substr(0, jpeg.size() / 2), options);
        REQUIRE(image.has_value());
        CHECK(image->truncated);
        REQUIRE(image->pixels.size() == white.size());
        CHECK(image->pixels.type() == CV_8UC3);
        CHECK(cv::mean(image->pixels.rowRange(0, 64))[0] > 200);
        CHECK(image->pixels.at<cv::Vec3b>(255, 63) == cv::Vec3b(128, 128, 128));
        // All is there but the mark of the end.
        const auto nearly = load(jpeg.substr(0, jpeg.size() - 2), options);
        REQUIRE(nearly.has_value());
        CHECK(nearly->truncated);
        CHECK(difference(nearly->pixels, pixels_of(jpeg)) == 0);
        // A header alone is no picture.
        const std::size_t scan = jpeg.find("\xFF\xDA");
        CHECK(status_of(jpeg.substr(0, scan), options) == Status::truncated);
        CHECK(status_of(jpeg.substr(0, scan + 16), options) == Status::truncated);
        CHECK_FALSE(load(jpeg, options)->truncated);
    }
    const std::string png = test::encode(white, ".png");
    CHECK(status_of(png.substr(0, png.size() - 20), options) == Status::truncated);
}

TEST_CASE("a JPEG of which something is missing before its end marker is corrupt, and never used") {
    LoadOptions options;
    options.allow_truncated = true;
    cv::Mat noisy(128, 128, CV_8UC3);
    cv::randu(noisy, 0, 256);
    for (const int restart : {0, 4}) {
        CAPTURE(restart);
        const std::string jpeg = test::encode(noisy, ".jpg", {cv::IMWRITE_JPEG_RST_INTERVAL, restart});
        const std::size_t half = jpeg.size() / 2;
        const std::string closed = jpeg.substr(0, half) + "\xFF\xD9";
        const std::string zeroed = patch(jpeg, half, std::string(jpeg.size() / 4, '\0'));
        const std::string without_a_part = jpeg.substr(0, half) + jpeg.substr(half + jpeg.size() / 4);
        for (const std::string& damaged : {closed, zeroed, without_a_part}) {
            CHECK(status_of(damaged) == Status::corrupt);
            CHECK(status_of(damaged, options) == Status::corrupt);
        }
    }
}

TEST_CASE("damage within a file is corrupt") {
    const cv::Mat lesion = test::draw_lesion(64, 64);
    const std::string png = test::encode(lesion, ".png");
    const std::size_t data = png.find("IDAT") + 20;
    CHECK(status_of(patch(png, data, {static_cast<char>(png[data] ^ 1)})) == Status::corrupt);
    // A JPEG with a marker in its data that nobody can have meant, and one without its tables.
    const std::string jpeg = test::encode(lesion, ".jpg");
    CHECK(status_of(patch(jpeg, jpeg.size() / 2, "\xFF\xC4")) == Status::corrupt);
    const std::size_t tables = jpeg.find("\xFF\xDB");
    CHECK(status_of(patch(jpeg, tables, "\xFF\xE5")) == Status::corrupt);
    // A TIFF has no check sums of its own, but its deflated strips break: OpenCV takes every one of these for
    // a picture.
    const std::string tiff = test::encode(lesion, ".tif", {cv::IMWRITE_TIFF_COMPRESSION, 8});
    int accepted = 0;
    for (std::size_t at = 20; at < 220; at += 10) {
        accepted += status_of(patch(tiff, at, {static_cast<char>(~tiff[at])})) == Status::ok ? 1 : 0;
    }
    CHECK(accepted < 10);
}

TEST_CASE("a JPEG whose data run out of step is corrupt") {
    const std::string jpeg =
        test::encode(test::draw_lesion(256, 256), ".jpg", {cv::IMWRITE_JPEG_QUALITY, 97});
    const std::size_t scan = jpeg.find("\xFF\xDA") + 20;
    const std::size_t middle = scan + (jpeg.size() - scan) / 2;
    CHECK(status_of(jpeg.substr(0, middle) + jpeg.substr(scan, 512) + jpeg.substr(middle)) ==
          Status::corrupt);
    CHECK(status_of(jpeg) == Status::ok);
}

TEST_CASE("TIFFs that would come out as another picture") {
    const cv::Mat lesion = test::draw_lesion(64, 64);
    const auto tag = [](int number) { return le16(number) + le16(3) + le32(1); };
    const auto with = [&](std::string tiff, int number, const std::string& entry) {
        const std::size_t at = tiff.find(tag(number));
        REQUIRE(at != std::string::npos);
        return tiff.replace(at, entry.size(), entry);
    };
    const std::string rgb = test::write_tiff(lesion);
    CHECK(status_of(rgb) == Status::ok);
    CHECK(status_of(with(rgb, 262, tag(263))) == Status::unsupported);  // says nothing of its three samples
    CHECK(status_of(with(test::write_tiff(cv::Mat(8, 8, CV_16UC1, cv::Scalar(7))), 262, tag(263))) ==
          Status::ok);
    const std::string inverted = with(test::write_tiff(lesion, 2), 262, tag(262) + le32(0));
    CHECK(status_of(with(inverted, 274, tag(284))) == Status::unsupported);  // planes of their own
    cv::Mat bgra;
    cv::cvtColor(lesion, bgra, cv::COLOR_BGR2BGRA);
    CHECK(status_of(with(test::write_tiff_with_alpha(bgra, 2), 262, tag(262) + le32(5))) ==
          Status::unsupported);
    const auto big = load(std::string("II+\0\x08\0\0\0", 8) + std::string(100, '\0'));
    REQUIRE_FALSE(big.has_value());
    CHECK(big.error().status == Status::unsupported);
    CHECK(big.error().message.find("BigTIFF") != std::string::npos);
}

TEST_CASE("what is wrong beside the picture is nobody's loss") {
    const cv::Mat lesion = test::draw_lesion(64, 64);
    const std::string png = test::encode(lesion, ".png");
    std::string comment = test::png_chunk("tEXt", std::string("Comment\0text", 12));
    comment.back() = static_cast<char>(~comment.back());
    CHECK(difference(pixels_of(png.substr(0, 33) + comment + png.substr(33)), lesion) == 0);
    CHECK(difference(pixels_of(png + "more"), lesion) == 0);
    const std::string jpeg = test::encode(lesion, ".jpg");
    CHECK(difference(pixels_of(jpeg + "more"), pixels_of(jpeg)) == 0);
    const std::string padded =
        jpeg.substr(0, jpeg.size() - 2) + std::string(5, '\0') + jpeg.substr(jpeg.size() - 2);
    CHECK(difference(pixels_of(padded), pixels_of(jpeg)) == 0);
    const std::string blank =
        jpeg.substr(0, jpeg.size() - 2) + std::string(64, ' ') + jpeg.substr(jpeg.size() - 2);
    CHECK(difference(pixels_of(blank), pixels_of(jpeg)) == 0);
    const std::size_t tables = jpeg.find("\xFF\xDB");
    const std::string text = "What stands between two segments before any data begin is no pixel.";
    const std::string odd = jpeg.substr(0, tables) + text + jpeg.substr(tables);
    CHECK(difference(pixels_of(odd), pixels_of(jpeg)) == 0);
    for (const int orientation : {0, 9, 65535}) {
        CHECK(difference(pixels_of(test::write_tiff(lesion, orientation)), lesion) == 0);
    }
}

TEST_CASE("a progressive JPEG without end") {
    CHECK(status_of(test::encode_many_scans_jpeg(1)) == Status::ok);
    const auto image = load(test::encode_many_scans_jpeg(600));
    REQUIRE_FALSE(image.has_value());
    CHECK(image.error().status == Status::corrupt);
    CHECK(image.error().message == "the JPEG has more than 100 scans");
}

TEST_CASE("floating-point TIFF and animated WebP are said to be unsupported") {
    CHECK(status_of(test::encode(cv::Mat(4, 4, CV_32FC1, cv::Scalar(0.5)), ".tif")) == Status::unsupported);
    const std::string webp =
        test::add_exif_to_webp(test::encode(letters(), ".webp", webp_lossless()), 3, 2, 1);
    CHECK(status_of(patch(webp, 20, "\x02")) == Status::unsupported);
}

TEST_CASE("TIFF: a run of pixels that goes beyond its strip is damage, and pages of a fax are not read") {
    constexpr std::uint32_t pack_bits = 32773;
    const auto behind = static_cast<std::uint32_t>(grey_tiff(1, pack_bits, 0, 0).size());
    CHECK(status_of(grey_tiff(1, pack_bits, behind, 2) + "\0\7"s) == Status::ok);
    const auto image = load(grey_tiff(1, pack_bits, behind, 2) + "\xFD\7"s);  // four times 7, where one fits
    REQUIRE_FALSE(image.has_value());
    CHECK(image.error().status == Status::corrupt);
    CHECK(image.error().message.starts_with("the TIFF is damaged: Discarding 3 bytes"));
    for (const std::uint32_t fax : {2U, 3U, 4U, 32771U}) {
        CHECK(status_of(grey_tiff(1, fax, 8, 1)) == Status::unsupported);
    }
}

// OpenCV's decoders, which are asked one after the other, would give it to GDCM: lines on stderr, and memory
// as the file says.
TEST_CASE("a damaged WebP is one, also when it could be a DICOM") {
    const test::TemporaryFolder folder;
    CapturedStderr captured(folder);
    const auto image = load(test::behind_webp_header(test::write_dicom(letters(), {})));
    CHECK(captured.stop() == "");
    REQUIRE_FALSE(image.has_value());
    CHECK(image.error().status == Status::corrupt);
    CHECK(image.error().message == "the WebP is damaged");
}

TEST_CASE("a file that was changed centuries from now, or ago") {
    const auto modified = [](std::int64_t year) {
        struct stat status {};
        status.st_mtim.tv_sec = (year - 1970) * 365 * 24 * 3600;
        return stamp_of(status).modified;
    };
    CHECK(modified(2300) > modified(2200));
    CHECK(modified(1600) < modified(1700));
    CHECK(modified(1971) == 365LL * 24 * 3600 * 1'000'000'000);
}

TEST_CASE("the extensions that a directory is searched for") {
    const auto all = image_extensions();
    for (const char* extension : {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".dcm", ".webp"}) {
        CHECK(std::count(all.begin(), all.end(), extension) == 1);
    }
}

TEST_CASE("a JPEG that is larger than needed comes at a half, a quarter or an eighth") {
    const cv::Mat lesion = test::draw_lesion(403, 301);
    const std::string jpeg = test::encode(lesion, ".jpg");
    const auto size_of = [&](const std::string& bytes, int sufficient) {
        LoadOptions options;
        options.sufficient_side = sufficient;
        const auto image = load(bytes, options);
        REQUIRE(image.has_value());
        return image->pixels.size();
    };
    CHECK(size_of(jpeg, 0) == lesion.size());
    CHECK(size_of(jpeg, 151) == lesion.size());
    CHECK(size_of(jpeg, 150) == cv::Size(202, 151));
    CHECK(size_of(jpeg, 75) == cv::Size(101, 76));
    CHECK(size_of(jpeg, 37) == cv::Size(51, 38));
    CHECK(size_of(jpeg, 1) == cv::Size(51, 38));
    CHECK(size_of(test::add_exif_to_jpeg(jpeg, 6), 150) == cv::Size(151, 202));
    for (const Sample& sample : samples()) {
        CAPTURE(sample.name);
        const bool shrinks = sample.name.rfind("JPEG", 0) == 0;
        const cv::Size size = size_of(sample.bytes, 9);
        CHECK(std::min(size.width, size.height) == (shrinks ? 9 : 36));
    }
}

TEST_CASE("a shrunk JPEG shows what the whole one shows, a cut one too") {
    const cv::Mat lesion = test::draw_lesion(640, 480);
    const std::string jpeg = test::encode(lesion, ".jpg");
    LoadOptions options;
    options.allow_truncated = true;
    options.sufficient_side = 120;
    cv::Mat expected;
    cv::resize(pixels_of(jpeg), expected, {160, 120}, 0, 0, cv::INTER_AREA);
    const auto shrunk = load(jpeg, options);
    REQUIRE(shrunk.has_value());
    REQUIRE(shrunk->pixels.size() == expected.size());
    CHECK(cv::norm(shrunk->pixels, expected, cv::NORM_L1) / static_cast<double>(expected.total() * 3) < 1);
    const auto cut = load(jpeg.substr(0, jpeg.size() / 2), options);
    REQUIRE(cut.has_value());
    CHECK(cut->truncated);
    const cv::Rect upper(0, 0, 160, 30);
    CHECK(cv::norm(cut->pixels(upper), shrunk->pixels(upper), cv::NORM_L1) == 0);
    CHECK(cut->pixels.at<cv::Vec3b>(119, 159) == cv::Vec3b(128, 128, 128));
    options.allow_truncated = false;
    CHECK(status_of(jpeg.substr(0, jpeg.size() / 2), options) == Status::truncated);
}

TEST_CASE("thousands of damaged files: always a result, and nothing on stderr") {
    const test::TemporaryFolder folder;
    CapturedStderr captured(folder);
    std::mt19937 random(20240607);
    int malformed = 0;
    int decoded = 0;
    int tried = 0;
    LoadOptions options;
    options.limits.max_pixels = 1'000'000;
    for (const Sample& sample : samples()) {
        for (int i = 0; i < 1000; ++i) {
            std::string bytes = sample.bytes;
            const unsigned changes = 1 + random() % 8;
            // Half of the changes go where the headers are.
            for (unsigned j = 0; j < changes; ++j) {
                const std::size_t reach =
                    random() % 2 == 0 ? std::min<std::size_t>(bytes.size(), 256) : bytes.size();
                bytes[random() % reach] = static_cast<char>(random() % 3 == 0 ? 0xFF : random());
            }
            if (random() % 4 == 0) {
                bytes.resize(random() % bytes.size());
            }
            options.allow_truncated = i % 2 == 0;
            const auto image = load(bytes, options);
            ++tried;
            if (image) {
                ++decoded;
                malformed += image->pixels.type() != CV_8UC3 || image->pixels.empty() ? 1 : 0;
                malformed += image->truncated && !options.allow_truncated ? 1 : 0;
            } else {
                const auto& failure = image.error();
                const bool one_line =
                    failure.message.find('\n') == std::string::npos && !failure.message.empty();
                malformed += failure.status == Status::ok || !one_line ? 1 : 0;
            }
        }
    }
    CHECK(captured.stop() == "");
    CHECK(malformed == 0);
    CHECK(decoded > tried / 20);
}

TEST_CASE("real dermoscopic images: OpenCV's pixels, and truncated wherever they are cut") {
    for (const char* name : {"isic2018_test_600x450", "isic2018_test"}) {  // JPEG and WebP
        const std::filesystem::path folder = std::filesystem::path(SKINCHECK_SHARED_DATA) / name;
        if (!std::filesystem::is_directory(folder)) {
            MESSAGE("skipped: no ", folder.string());
            continue;
        }
        int count = 0;
        for (const auto& entry : std::filesystem::directory_iterator(folder)) {
            if (++count > 10) {
                break;
            }
            const std::string bytes = test::read_file(entry.path());
            CHECK(difference(pixels_of(bytes), cv::imread(entry.path(), cv::IMREAD_COLOR)) == 0);
            for (std::size_t i = 1; i <= 12; ++i) {
                CHECK(status_of(bytes.substr(0, bytes.size() * i / 13)) == Status::truncated);
            }
        }
    }
}
