#pragma once

#include <string>
#include <string_view>

namespace skincheck {

/// Throws Fatal (model), with `origin` and a sentence, for the bytes of an ONNX file that OpenCV's reader
/// must not see: it believes what a file says of its tensors and attributes, and reads past their end or
/// divides by zero. Refused are what is no ONNX; tensors whose data is not what their dimensions say, or lies
/// in another file; nodes without inputs, or whose inputs nothing gives; graphs within nodes; sizes of
/// kernels, strides, pads and groups out of range; more than 5000 nodes. What passes may still be no network
/// that OpenCV can run.
void check_network(std::string_view onnx, const std::string& origin);

}  // namespace skincheck
