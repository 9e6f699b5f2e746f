# What skincheck is built on; read by its own build and, because a static library hands its needs on, by consumers of the
# installed package. Everything comes from the system; nothing is downloaded.
find_package(OpenCV REQUIRED COMPONENTS core imgproc imgcodecs dnn photo)
find_package(fmt REQUIRED)
find_package(Boost REQUIRED CONFIG COMPONENTS filesystem)
find_package(nlohmann_json REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(JPEG REQUIRED)
find_package(PNG REQUIRED)
find_package(TIFF REQUIRED)
find_package(tl-expected REQUIRED)
find_package(SQLiteCpp REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(webp REQUIRED IMPORTED_TARGET libwebp)
# libcsv and mustache bring neither CMake nor pkg-config files.
find_path(CSV_INCLUDE_DIR csv.h REQUIRED)
find_library(CSV_LIBRARY csv REQUIRED)
find_path(MUSTACHE_INCLUDE_DIR kainjow/mustache.hpp REQUIRED)

function(skincheck_link_dependencies target)
    target_link_libraries(${target}
        PUBLIC opencv_core tl::expected
        PRIVATE opencv_imgproc opencv_imgcodecs opencv_dnn opencv_photo fmt::fmt Boost::filesystem
                nlohmann_json::nlohmann_json OpenSSL::Crypto JPEG::JPEG PNG::PNG TIFF::TIFF PkgConfig::webp SQLiteCpp
                PkgConfig::zstd ${CSV_LIBRARY})
    # OpenCV's headers mix enumerations in arithmetic, which C++20 warns of.
    target_compile_options(${target} PUBLIC -Wno-deprecated-enum-enum-conversion)
    target_include_directories(${target} SYSTEM
        PUBLIC "$<BUILD_INTERFACE:${OpenCV_INCLUDE_DIRS}>" # consumers look for themselves: see skincheck-config.cmake.in
        PRIVATE ${CSV_INCLUDE_DIR} ${MUSTACHE_INCLUDE_DIR})
endfunction()
