#include "evaluate/json_row.hpp"
#include "evaluate/results_formats.hpp"
#include "table/json_input.hpp"

namespace skincheck {
namespace {

/// Rows are the objects in a top-level array or in the "results" of a top-level object; other top-level
/// objects are rows themselves.
class ResultsDocument final : public JsonEvents {
  public:
    ResultsDocument(TextInput& text, const ResultsOptions& options)
        : JsonEvents(text), rows_(text.name(), options) {}
    Results finish() { return rows_.finish(); }

  private:
    void on_number(double value, const std::string& digits) override { scalar({value, digits}); }
    void on_text(const std::string& text) override { scalar({std::nullopt, text}); }
    void on_null() override { scalar({undefined, {}}); }
    void on_key(const std::string& name) override;
    void on_open(bool object) override;
    void on_close(bool object) override;

    void scalar(const JsonScalar& scalar);
    void end_container();
    /// The row whose keys have this depth; null in anything else.
    JsonRow* row_at(int depth);
    [[noreturn]] void refuse_element() const { rows_.refuse("is no object; a row has path and malignancy"); }

    JsonRows rows_;
    JsonRow top_;             ///< a top-level object: a row, unless it is a container
    JsonRow element_;         ///< of a list
    int list_depth_ = 0;      ///< of the elements of the list of rows that is open; 0: none is
    bool container_ = false;  ///< the top-level object has a list of rows
    std::string top_key_;     ///< the last one, in a top-level object
    bool in_model_ = false;   ///< in the top-level object's "model"
    std::string* model_part_ = nullptr;
    std::string model_name_, model_sha256_;
};

JsonRow* ResultsDocument::row_at(int depth) {
    if (list_depth_ != 0) {
        return depth == list_depth_ + 1 ? &element_ : nullptr;
    }
    return depth == 1 ? &top_ : nullptr;
}

void ResultsDocument::on_key(const std::string& name) {
    if (JsonRow* row = row_at(depth())) {
        rows_.key(name, *row);
    }
    if (list_depth_ == 0 && depth() == 1) {
        top_key_ = name;
    } else if (in_model_ && depth() == 2) {
        model_part_ = name == "name" ? &model_name_ : name == "sha256" ? &model_sha256_ : nullptr;
    }
}

void ResultsDocument::scalar(const JsonScalar& scalar) {
    if (depth() == list_depth_) {  // also outside of everything
        refuse_element();
    }
    if (JsonRow* row = row_at(depth())) {
        rows_.value(scalar, *row);
    } else if (in_model_ && depth() == 2 && model_part_ != nullptr) {
        *model_part_ = scalar.text;
    }
}

void ResultsDocument::on_open(bool object) {
    const int outside = depth() - 1;
    if (row_at(outside) != nullptr) {
        rows_.nested();
    }
    if (list_depth_ != 0 && outside == list_depth_ && !object) {
        refuse_element();
    }
    if (list_depth_ != 0) {
        if (outside == list_depth_) {
            element_.clear();
        }
    } else if (outside == 0 && object) {
        top_.clear();
        top_key_.clear();
        container_ = false;
    } else if (outside == 0 || (outside == 1 && !object && top_key_ == "results")) {
        list_depth_ = depth();
        container_ = outside == 1;
    } else if (outside == 1 && object && top_key_ == "model") {
        in_model_ = true;
        model_part_ = nullptr;
    }
}

void ResultsDocument::on_close(bool object) {
    if (list_depth_ != 0) {
        if (depth() == list_depth_) {
            list_depth_ = 0;
        } else if (depth() == list_depth_ + 1) {
            rows_.add(element_);
        }
    } else if (depth() == 2) {
        in_model_ = false;
    } else if (depth() == 1 && object) {
        if (container_) {
            end_container();
        } else {
            rows_.add(top_);
        }
    }
}

/// What the rows did not say.
void ResultsDocument::end_container() {
    ResultsCollector& collector = rows_.collector();
    if (!collector.has_threshold() && rows_.malignancy_is_score() && top_.threshold && *top_.threshold >= 0 &&
        *top_.threshold <= 1) {
        collector.add_threshold(*top_.threshold);
    }
    if (!collector.has_model() && !model_name_.empty()) {
        collector.add_model(model_sha256_.empty() ? model_name_
                                                  : model_name_ + '@' + model_sha256_.substr(0, 12));
    }
}

}  // namespace

Results read_results_json(TextInput& text, const ResultsOptions& options) {
    ResultsDocument document(text, options);
    document.parse();
    return document.finish();
}

}  // namespace skincheck
