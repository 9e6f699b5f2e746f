// Writes the seeds of tests/fuzz/corpus/image into a folder: a small file of each kind that the loader reads,
// and some that are cut. Built and run by hand, after which the seeds are committed, beside those that were
// found:
//     bin/draw_image_seeds tests/fuzz/corpus/image
#include "drawn_images.hpp"

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <tiffio.h>

#include <cstdio>
// Behind cstdio, whose FILE they need.
#include <jpeglib.h>
#include <png.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

using namespace skincheck;

namespace {

constexpr int width = 18, height = 10;

cv::Mat grey_of(const cv::Mat& pixels) {
    cv::Mat grey;
    cv::cvtColor(pixels, grey, cv::COLOR_BGR2GRAY);
    return grey;
}

cv::Mat with_alpha(const cv::Mat& pixels) {
    cv::Mat alpha;
    cv::cvtColor(pixels, alpha, cv::COLOR_BGR2BGRA);
    alpha(cv::Rect(0, 0, width / 2, height)).setTo(cv::Scalar(10, 20, 30, 100));
    return alpha;
}

cv::Mat in_16_bits(const cv::Mat& pixels) {
    cv::Mat wide;
    pixels.convertTo(wide, CV_16U, 257);
    return wide;
}

std::string jpeg_of(const cv::Mat& pixels, J_COLOR_SPACE from, J_COLOR_SPACE to, bool arithmetic,
                    bool progressive) {
    return test::compress_jpeg(pixels, [&](jpeg_compress_struct& info) {
        info.in_color_space = from;
        jpeg_set_defaults(&info);
        jpeg_set_colorspace(&info, to);
        jpeg_set_quality(&info, 40, TRUE);
        info.arith_code = arithmetic ? TRUE : FALSE;
        info.optimize_coding = arithmetic ? FALSE : TRUE;  // small tables
        if (progressive) {
            jpeg_simple_progression(&info);
        }
    });
}

std::string interlaced_png(const cv::Mat& pixels) {
    std::string bytes;
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
    png_infop info = png_create_info_struct(png);
    png_set_write_fn(
        png, &bytes,
        [](png_structp writer, png_bytep data, std::size_t size) {
            static_cast<std::string*>(png_get_io_ptr(writer))->append(reinterpret_cast<char*>(data), size);
        },
        [](png_structp) {});
    png_set_IHDR(png, info, width, height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_ADAM7,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    std::vector<png_bytep> rows;
    for (int y = 0; y < pixels.rows; ++y) {
        rows.push_back(const_cast<png_bytep>(pixels.ptr(y)));
    }
    png_set_rows(png, info, rows.data());
    png_write_png(png, info, PNG_TRANSFORM_IDENTITY, nullptr);
    png_destroy_write_struct(&png, &info);
    return bytes;
}

struct TiffKind {
    std::uint16_t compression = COMPRESSION_NONE, photometric = PHOTOMETRIC_RGB, planar = PLANARCONFIG_CONTIG;
    std::uint32_t tile = 0;  ///< its side; 0 for strips
    std::uint16_t bits = 8;
};

std::uint32_t rows_of_strip(const TiffKind& kind) {
    return kind.compression == COMPRESSION_JPEG ? 16 : 4;
}

void set_tags(TIFF* tiff, const cv::Mat& pixels, const TiffKind& kind) {
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, pixels.cols);
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, pixels.rows);
    TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, pixels.channels());
    TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, kind.bits);
    TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, kind.photometric);
    TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, kind.planar);
    TIFFSetField(tiff, TIFFTAG_COMPRESSION, kind.compression);
    if (kind.photometric == PHOTOMETRIC_YCBCR && kind.compression == COMPRESSION_JPEG) {
        TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    }
    if (kind.photometric == PHOTOMETRIC_PALETTE) {
        std::vector<std::uint16_t> ramp(std::size_t{1} << kind.bits);
        for (std::size_t i = 0; i < ramp.size(); ++i) {
            ramp[i] = static_cast<std::uint16_t>(i * 65535 / (ramp.size() - 1));
        }
        TIFFSetField(tiff, TIFFTAG_COLORMAP, ramp.data(), ramp.data(), ramp.data());
    }
    if (kind.tile > 0) {
        TIFFSetField(tiff, TIFFTAG_TILEWIDTH, kind.tile);
        TIFFSetField(tiff, TIFFTAG_TILELENGTH, kind.tile);
    } else {
        TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, rows_of_strip(kind));
    }
}

/// The samples are the matrix's bytes as they are, repeated where planes, tiles or bits ask for others: what
/// is in the picture makes no difference here.
std::string tiff_of(const cv::Mat& pixels, const TiffKind& kind) {
    const std::filesystem::path path = std::filesystem::temp_directory_path() / "draw_image_seeds.tif";
    TIFF* tiff = TIFFOpen(path.c_str(), "w");
    set_tags(tiff, pixels, kind);
    const auto size = static_cast<std::size_t>(kind.tile > 0 ? TIFFTileSize(tiff) : TIFFStripSize(tiff));
    std::vector<unsigned char> block(size);
    for (std::size_t i = 0; i < size; ++i) {
        block[i] = pixels.data[i % (pixels.total() * pixels.elemSize())];
    }
    const std::uint32_t blocks = kind.tile > 0 ? TIFFNumberOfTiles(tiff) : TIFFNumberOfStrips(tiff);
    for (std::uint32_t i = 0; i < blocks; ++i) {
        if (kind.tile > 0) {
            TIFFWriteEncodedTile(tiff, i, block.data(), static_cast<tmsize_t>(size));
        } else {
            const std::uint32_t strips =
                TIFFComputeStrip(tiff, static_cast<std::uint32_t>(pixels.rows) - 1, 0) + 1;
            const std::uint32_t top = i % strips * rows_of_strip(kind);
            const std::uint32_t rows =
                std::min(rows_of_strip(kind), static_cast<std::uint32_t>(pixels.rows) - top);
            TIFFWriteEncodedStrip(tiff, i, block.data(), TIFFVStripSize(tiff, rows));
        }
    }
    TIFFClose(tiff);
    std::ifstream in(path, std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    std::filesystem::remove(path);
    return bytes;
}

class Seeds {
  public:
    explicit Seeds(std::filesystem::path folder) : folder_(std::move(folder)) {}
    void write(const std::string& name, const std::string& bytes) const {
        std::ofstream(folder_ / name, std::ios::binary) << bytes;
    }

  private:
    std::filesystem::path folder_;
};

void write_jpegs(const Seeds& seeds, const cv::Mat& lesion) {
    const auto plain = jpeg_of(lesion, JCS_EXT_BGR, JCS_YCbCr, false, false);
    const cv::Mat inks = with_alpha(lesion);
    seeds.write("plain.jpg", plain);
    seeds.write("exif.jpg", test::add_exif_to_jpeg(plain, 6, test::Order::big));
    seeds.write("cut.jpg", plain.substr(0, plain.size() - 20));
    seeds.write("cut_in_header.jpg", plain.substr(0, 100));
    seeds.write("progressive.jpg", jpeg_of(lesion, JCS_EXT_BGR, JCS_YCbCr, false, true));
    seeds.write("arithmetic.jpg", jpeg_of(lesion, JCS_EXT_BGR, JCS_YCbCr, true, false));
    seeds.write("arithmetic_progressive.jpg", jpeg_of(lesion, JCS_EXT_BGR, JCS_YCbCr, true, true));
    seeds.write("grey.jpg", jpeg_of(grey_of(lesion), JCS_GRAYSCALE, JCS_GRAYSCALE, false, false));
    seeds.write("rgb.jpg", jpeg_of(lesion, JCS_EXT_BGR, JCS_RGB, false, false));
    seeds.write("cmyk.jpg", jpeg_of(inks, JCS_CMYK, JCS_CMYK, false, false));
    seeds.write("ycck.jpg", jpeg_of(inks, JCS_CMYK, JCS_YCCK, false, false));
    seeds.write("restarts.jpg",
                test::encode(grey_of(lesion), ".jpg",
                             {cv::IMWRITE_JPEG_RST_INTERVAL, 1, cv::IMWRITE_JPEG_OPTIMIZE, 1}));
    seeds.write("five_scans.jpg", test::encode_many_scans_jpeg(5));
}

void write_pngs(const Seeds& seeds, const cv::Mat& lesion) {
    const auto plain = test::encode(lesion, ".png");
    seeds.write("rgb.png", plain);
    seeds.write("cut.png", plain.substr(0, plain.size() / 2));
    seeds.write("alpha_exif.png", test::add_exif_to_png(test::encode(with_alpha(lesion), ".png"), 3));
    seeds.write("16_bits.png", test::encode(in_16_bits(grey_of(lesion)), ".png"));
    seeds.write("interlaced.png", interlaced_png(lesion));
    test::PngLayout palette{4, 2, 2, 3};
    palette.palette = std::string("\0\0\0\xFF\0\0\0\xFF\0\0\0\xFF", 12);
    palette.clear = "\x80\x40";
    seeds.write("palette.png", test::write_png(palette, "\x1B\xE4"));
    const std::string text = test::png_chunk("tEXt", std::string("Comment\0none", 12)) +
                             test::png_chunk("iCCP", std::string("p\0\0x", 4)) +
                             test::png_chunk("gAMA", std::string("\0\0\xB1\x8F", 4));
    test::PngLayout grey{4, 1, 8, 4};
    auto with_chunks = test::write_png(grey, "\x01\x7F\x40\xFF\x80\x10\xFF\x01");
    seeds.write("chunks.png", with_chunks.insert(33, text));
    test::PngLayout one_bit{8, 2, 1, 0};
    one_bit.clear = std::string("\0\1", 2);
    seeds.write("one_bit.png", test::write_png(one_bit, "\xAA\x55"));
}

void write_tiffs(const Seeds& seeds, const cv::Mat& lesion) {
    const cv::Mat grey = grey_of(lesion);
    const auto plain = test::write_tiff(lesion, 5, test::Order::big);
    seeds.write("big_endian.tif", plain);
    seeds.write("cut.tif", plain.substr(0, plain.size() - 9));
    seeds.write("alpha.tif", test::write_tiff_with_alpha(with_alpha(lesion), 2));
    seeds.write("grey_16.tif", test::write_tiff(in_16_bits(grey), 8));
    seeds.write("tile_16.tif", test::write_tiled_tiff(in_16_bits(grey)(cv::Rect(0, 0, 1, 1)).clone(), 32));
    seeds.write("lzw.tif", tiff_of(lesion, {COMPRESSION_LZW}));
    seeds.write("deflate_tiles.tif",
                tiff_of(lesion, {COMPRESSION_ADOBE_DEFLATE, PHOTOMETRIC_RGB, PLANARCONFIG_CONTIG, 16}));
    seeds.write("planes.tif",
                tiff_of(lesion, {COMPRESSION_PACKBITS, PHOTOMETRIC_RGB, PLANARCONFIG_SEPARATE}));
    seeds.write("jpeg.tif", tiff_of(lesion, {COMPRESSION_JPEG, PHOTOMETRIC_YCBCR}));
    seeds.write("jpeg_tile.tif", tiff_of(grey, {COMPRESSION_JPEG, PHOTOMETRIC_MINISBLACK, 1, 16}));
    seeds.write("fax3.tif", tiff_of(grey, {COMPRESSION_CCITTFAX3, PHOTOMETRIC_MINISWHITE, 1, 0, 1}));
    seeds.write("fax4.tif", tiff_of(grey, {COMPRESSION_CCITTFAX4, PHOTOMETRIC_MINISWHITE, 1, 0, 1}));
    seeds.write("palette_4.tif", tiff_of(grey, {COMPRESSION_NONE, PHOTOMETRIC_PALETTE, 1, 0, 4}));
    seeds.write("cmyk.tif", tiff_of(with_alpha(lesion), {COMPRESSION_LZW, PHOTOMETRIC_SEPARATED}));
    seeds.write("lab.tif", tiff_of(lesion, {COMPRESSION_ADOBE_DEFLATE, PHOTOMETRIC_CIELAB}));
    for (const auto& [name, codec] : {std::pair{"zstd.tif", COMPRESSION_ZSTD},
                                      {"webp.tif", COMPRESSION_WEBP},
                                      {"lerc.tif", COMPRESSION_LERC}}) {
        if (TIFFIsCODECConfigured(static_cast<std::uint16_t>(codec)) != 0) {
            seeds.write(name, tiff_of(lesion, {static_cast<std::uint16_t>(codec)}));
        }
    }
}

void write_others(const Seeds& seeds, const cv::Mat& lesion) {
    const cv::Mat alpha = with_alpha(lesion);
    seeds.write("rgb.bmp", test::encode(lesion, ".bmp"));
    seeds.write("cut.bmp", test::encode(lesion, ".bmp").substr(0, 100));
    seeds.write("palette.bmp", test::encode(grey_of(lesion)(cv::Rect(0, 0, 4, 4)), ".bmp"));
    seeds.write("masks.bmp", test::encode(alpha, ".bmp"));
    const auto lossy = test::encode(lesion, ".webp", {cv::IMWRITE_WEBP_QUALITY, 50});
    seeds.write("lossy.webp", lossy);
    seeds.write("cut.webp", lossy.substr(0, lossy.size() - 10));
    seeds.write("lossless.webp", test::encode(lesion, ".webp", {cv::IMWRITE_WEBP_QUALITY, 101}));
    seeds.write("alpha_lossy.webp", test::encode(alpha, ".webp", {cv::IMWRITE_WEBP_QUALITY, 50}));
    seeds.write("alpha_exif.webp",
                test::add_exif_to_webp(test::encode(alpha, ".webp", {cv::IMWRITE_WEBP_QUALITY, 101}), width,
                                       height, 8));
    const auto jpeg = jpeg_of(lesion, JCS_EXT_BGR, JCS_YCbCr, false, false);
    const auto plain = test::write_dicom(lesion, {});
    seeds.write("explicit.dcm", plain);
    seeds.write("cut.dcm", plain.substr(0, 300));
    seeds.write("implicit_ybr.dcm", test::write_dicom(lesion, {false, "YBR_FULL", 8, 1}));
    seeds.write("grey.dcm", test::write_dicom(grey_of(lesion), {true, "MONOCHROME1"}));
    seeds.write("webp_and.dcm", test::behind_webp_header(plain));
    seeds.write("jpeg.dcm", test::write_dicom(lesion, {true, "YBR_FULL_422", 8, 0, jpeg}));
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: draw_image_seeds FOLDER\n";
        return 2;
    }
    std::filesystem::create_directories(argv[1]);
    const Seeds seeds(argv[1]);
    const cv::Mat lesion = test::draw_lesion(width, height);
    write_jpegs(seeds, lesion);
    write_pngs(seeds, lesion);
    write_tiffs(seeds, lesion);
    write_others(seeds, lesion);
    return 0;
}
