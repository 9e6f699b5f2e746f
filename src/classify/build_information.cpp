#include "classify/build_information.hpp"

#include <opencv2/core/utility.hpp>

#include <string>

namespace skincheck {

bool opencv_built_with(std::string_view part) {
    const std::string& information = cv::getBuildInformation();
    const auto line = information.find(part);
    return line != std::string::npos &&
           information.substr(line, information.find('\n', line) - line).find("YES") != std::string::npos;
}

}  // namespace skincheck
