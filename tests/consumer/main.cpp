// Scores one image through the installed library, room by room:
//   consumer MODEL_DIRECTORY IMAGE
#include <skincheck/classify.hpp>
#include <skincheck/image.hpp>
#include <skincheck/model.hpp>
#include <skincheck/prepare.hpp>
#include <skincheck/result.hpp>

#include <cstdio>

int main(int argc, char** argv) {
    if (argc != 3) {
        return 2;
    }
    try {
        const skincheck::Model model = skincheck::load_model(argv[1]);
        const auto image = skincheck::load_image(argv[2], {});
        if (!image) {
            std::printf("%s\n", std::string(skincheck::to_string(image.error().status)).c_str());
            return 1;
        }
        const auto classifier = skincheck::make_dnn_classifier(
            model, skincheck::choose_targets({"cpu", "opencv", "fp32"}).front());
        const cv::Mat prepared = skincheck::apply_steps(image->pixels, model.spec);
        const cv::Mat outputs = classifier->classify(skincheck::to_blob({prepared}, model.spec));
        const auto score = skincheck::to_score({outputs.ptr<float>(), outputs.total()}, model.spec);
        std::printf("%.6f\n", score.value().malignancy);
        return 0;
    } catch (const skincheck::Fatal& fatal) {
        std::fprintf(stderr, "%s\n", fatal.what());
        return static_cast<int>(fatal.code());
    }
}
