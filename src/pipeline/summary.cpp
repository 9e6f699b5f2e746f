#include "skincheck/pipeline.hpp"

namespace skincheck {

void Summary::add(const Row& row) {
    ++rows;
    ++by_status.at(static_cast<std::size_t>(row.status));
    if (row.label) {
        ++(*row.label == Label::malignant ? malignant : benign);
    }
}

}  // namespace skincheck
