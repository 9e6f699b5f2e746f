#pragma once

#include "skincheck/classify.hpp"

#include <memory>

namespace skincheck::cli {

struct TestedClassifier {
    std::unique_ptr<Classifier> classifier;
    double difference = 0;  ///< the largest, to the golden vectors
};

/// The model's first classifier, loaded under a LoadGuard and through its self-test. Throws Fatal (model).
TestedClassifier make_tested_classifier(const Model& model, const Target& target, int batch_size = 1);

}  // namespace skincheck::cli
