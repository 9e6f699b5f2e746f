#include "skincheck/output.hpp"

#include "writers.hpp"

#include <boost/algorithm/string/case_conv.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <locale>
#include <utility>

namespace skincheck {
namespace {

// The columns of ISIC 2018's task 3, in the order that its scorer's table has.
constexpr std::array<std::string_view, 7> classes_of_2018 = {"MEL", "NV", "BCC", "AKIEC",
                                                             "BKL", "DF", "VASC"};

// A submission: as in 2018 for a model of those seven classes, as in 2024 for any other.
class IsicWriter final : public Writer {
  public:
    IsicWriter(const Provenance& provenance, Destination& destination)
        : places_(places(provenance.model.output)), destination_(destination) {}

    void begin() override {
        destination_.write(places_.empty() ? "isic_id,target\n"
                                           : fmt::format("image,{}\n", fmt::join(classes_of_2018, ",")));
    }

    void row(const Row& row) override {
        std::string line = csv_field(image_id(row.path));
        if (places_.empty()) {
            line += row.score ? fmt::format(",{:.6f}", row.score->malignancy) : ",";
        }
        for (const std::size_t place : places_) {
            const bool known = row.score && place < row.score->probabilities.size();
            line += known ? fmt::format(",{:.6f}", row.score->probabilities[place]) : ",";
        }
        destination_.write(line + '\n');
    }

    void end(const Summary&) override {}

  private:
    // Where the seven classes stand in the model's output; nothing unless it has exactly them.
    static std::vector<std::size_t> places(const OutputSpec& output) {
        std::vector<std::size_t> places;
        for (const std::string_view name : classes_of_2018) {
            const auto found =
                std::find_if(output.classes.begin(), output.classes.end(), [&](const std::string& other) {
                    return boost::algorithm::to_upper_copy(other, std::locale::classic()) == name;
                });
            if (found != output.classes.end()) {
                places.push_back(static_cast<std::size_t>(found - output.classes.begin()));
            }
        }
        return places.size() == classes_of_2018.size() && output.classes.size() == places.size()
                   ? places
                   : std::vector<std::size_t>{};
    }

    const std::vector<std::size_t> places_;
    Destination& destination_;
};

}  // namespace

std::unique_ptr<Writer> isic_writer(const Provenance& provenance, Destination& destination) {
    return std::make_unique<IsicWriter>(provenance, destination);
}

}  // namespace skincheck
