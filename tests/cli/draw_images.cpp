// Writes an image for the tests of the command line, which have no encoder of their own:
//   draw_images FILE WIDTH HEIGHT [BLUE GREEN RED]
// FILE's ending is the format; without a colour it is a lesion.
#include "drawn_images.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

int main(int argc, char** argv) {
    if (argc != 4 && argc != 7) {
        std::cerr << "usage: draw_images FILE WIDTH HEIGHT [BLUE GREEN RED]\n";
        return 2;
    }
    const std::string path = argv[1];
    const int width = std::atoi(argv[2]);
    const int height = std::atoi(argv[3]);
    using namespace skincheck::test;
    const cv::Mat pixels =
        argc == 4 ? draw_lesion(width, height)
                  : draw_flat(width, height, {std::atof(argv[4]), std::atof(argv[5]), std::atof(argv[6])});
    const std::string bytes = encode(pixels, std::filesystem::path(path).extension().string());
    std::ofstream file(path, std::ios::binary);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return file.flush() && !bytes.empty() ? 0 : 1;
}
