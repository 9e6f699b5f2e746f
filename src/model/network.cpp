#include "network.hpp"

#include "skincheck/result.hpp"

#include "protobuf.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <set>
#include <vector>

namespace skincheck {
namespace {

using protobuf::Reader;
using Kind = protobuf::Field::Kind;

constexpr int most_nodes = 5000;  // OpenCV goes through them recursively; ResNet-152 has about 500
constexpr std::int64_t largest_dimension = std::numeric_limits<int>::max();
constexpr std::int64_t largest_size = 32767;  // of a kernel, a stride, a border
constexpr std::size_t longest_name = 60;

// TensorProto's data types, the bytes of one value in raw_data, and the field that else holds the values.
struct DataType {
    std::uint64_t number;
    std::size_t bytes;
    std::uint64_t values_key;
};
constexpr std::uint64_t float_data = 4;
constexpr std::uint64_t int32_data = 5;
constexpr std::uint64_t string_data = 6;
constexpr std::uint64_t int64_data = 7;
constexpr std::uint64_t raw_data = 9;
constexpr std::uint64_t double_data = 10;
constexpr std::uint64_t uint64_data = 11;
constexpr std::array<DataType, 12> data_types{{{1, 4, float_data},
                                               {2, 1, int32_data},
                                               {3, 1, int32_data},
                                               {4, 2, int32_data},
                                               {5, 2, int32_data},
                                               {6, 4, int32_data},
                                               {7, 8, int64_data},
                                               {9, 1, int32_data},
                                               {10, 2, int32_data},
                                               {11, 8, double_data},
                                               {12, 4, uint64_data},
                                               {13, 8, uint64_data}}};

// Attributes that OpenCV multiplies by and divides by.
struct SizeAttribute {
    std::string_view name;
    std::int64_t low;
};
constexpr std::array<SizeAttribute, 7> sizes{{{"group", 1},
                                              {"strides", 1},
                                              {"dilations", 1},
                                              {"kernel_shape", 1},
                                              {"blocksize", 1},
                                              {"pads", -largest_size},
                                              {"output_padding", 0}}};

std::string quoted(std::string_view name) {
    return fmt::format("\"{}\"", one_line(std::string(name.substr(0, longest_name))));
}

class Check {
  public:
    explicit Check(const std::string& origin) : origin_(origin) {}

    void model(std::string_view bytes) {
        bool found = false;
        for (Reader reader(bytes); const auto field = reader.next();) {
            if (field->key == 7) {
                refuse_second(found, "graph");
                graph(message(*field));
            }
        }
        for (const std::string_view name : empty_) {
            if (used_.contains(name)) {
                fail(fmt::format("its tensor {} is empty", quoted(name)));
            }
        }
    }

  private:
    [[noreturn]] void fail(const std::string& reason) const {
        throw Fatal(ExitCode::model, fmt::format("{}: {}", origin_, reason));
    }

    static std::string_view message(const protobuf::Field& field) {
        if (field.kind != Kind::bytes) {
            throw protobuf::Malformed{};
        }
        return field.bytes;
    }

    /// Protocol Buffers would put the two together, so that what was checked of each is not what is read.
    void refuse_second(bool& found, std::string_view what) const {
        if (found) {
            fail(fmt::format("has a second {} in the place of one", what));
        }
        found = true;
    }

    void graph(std::string_view bytes) {
        // Tensors and inputs may stand behind the nodes that use them.
        for (Reader reader(bytes); const auto field = reader.next();) {
            if (field->key == 5) {
                const Tensor found = tensor(message(*field));
                known_.insert(found.name);
                if (found.empty) {
                    empty_.insert(found.name);
                }
            } else if (field->key == 11) {
                known_.insert(name_of_input(message(*field)));
            }
        }
        for (Reader reader(bytes); const auto field = reader.next();) {
            if (field->key == 1) {
                node(message(*field));
            }
        }
    }

    static std::string_view name_of_input(std::string_view bytes) {
        std::string_view name;
        for (Reader reader(bytes); const auto field = reader.next();) {
            if (field->key == 1) {
                name = message(*field);
            }
        }
        return name;
    }

    void node(std::string_view bytes) {
        if (++nodes_ > most_nodes) {
            fail(fmt::format("has more than {} nodes", most_nodes));
        }
        std::vector<std::string_view> inputs;
        std::vector<std::string_view> outputs;
        std::string_view operation;
        bool holds_empty = false;
        for (Reader reader(bytes); const auto field = reader.next();) {
            switch (field->key) {
                case 1:
                    inputs.push_back(message(*field));
                    break;
                case 2:
                    outputs.push_back(message(*field));
                    break;
                case 4:
                    operation = message(*field);
                    break;
                case 5:
                    holds_empty = attribute(message(*field)) || holds_empty;
                    break;
                default:
                    break;
            }
        }
        for (const std::string_view input : inputs) {
            if (!input.empty() && !known_.contains(input)) {  // without a name: left out
                fail(fmt::format("a node of it wants {}, which nothing before it gives", quoted(input)));
            }
        }
        known_.insert(outputs.begin(), outputs.end());
        if (holds_empty) {
            empty_.insert(outputs.begin(), outputs.end());
        }
        if (inputs.empty() && operation != "Constant") {  // OpenCV would take its first one all the same
            fail(fmt::format("a node of it, {}, has no input", quoted(operation)));
        }
        if (inputs.size() < 2 && (operation == "Pow" || operation == "CumSum")) {  // as OpenCV believes
            fail(fmt::format("a node of it, {}, has one input and needs two", quoted(operation)));
        }
        if (operation !=
            "Resize") {  // its optional inputs are empty where an exporter wants to leave them out
            used_.insert(inputs.begin(), inputs.end());
        }
    }

    /// Whether it holds an empty tensor.
    bool attribute(std::string_view bytes) {
        std::string_view name;
        std::vector<std::int64_t> numbers;
        bool holds_empty = false, found = false, of_other_type = false;
        for (Reader reader(bytes); const auto field = reader.next();) {
            switch (field->key) {
                case 1:
                    name = message(*field);
                    break;
                case 3:
                    numbers.push_back(static_cast<std::int64_t>(field->number));
                    break;
                case 8:
                    add_numbers(*field, numbers);
                    break;
                case 2:
                case 4:
                case 7:
                case 9:
                    of_other_type = true;
                    break;
                case 5:
                    refuse_second(found, "tensor");
                    holds_empty = tensor(message(*field)).empty || holds_empty;
                    break;
                case 10:
                    holds_empty = tensor(message(*field)).empty || holds_empty;
                    break;
                case 6:
                case 11:
                    fail(
                        "a node of it holds a graph of its own, as loops and conditions have; OpenCV runs "
                        "none");
                default:
                    break;
            }
        }
        check_sizes(name, numbers, of_other_type);
        return holds_empty;
    }

    void check_sizes(std::string_view name, const std::vector<std::int64_t>& numbers,
                     bool of_other_type) const {
        const auto* const size = std::find_if(sizes.begin(), sizes.end(),
                                              [&](const SizeAttribute& one) { return one.name == name; });
        if (size == sizes.end()) {
            return;
        }
        if (of_other_type) {  // OpenCV would take it for a number all the same
            fail(fmt::format("its attribute {} is no whole number", name));
        }
        for (const std::int64_t number : numbers) {
            if (number < size->low || number > largest_size) {
                fail(fmt::format("its attribute {} is {}, which is not from {} to {}", name, number,
                                 size->low, largest_size));
            }
        }
    }

    static void add_numbers(const protobuf::Field& field, std::vector<std::int64_t>& numbers) {
        if (field.kind == Kind::number) {
            numbers.push_back(static_cast<std::int64_t>(field.number));
            return;
        }
        for (Reader packed(message(field)); !packed.at_end();) {
            numbers.push_back(static_cast<std::int64_t>(packed.number()));
        }
    }

    struct Tensor {
        std::string_view name;
        bool empty = false;
    };

    Tensor tensor(std::string_view bytes) const {
        std::string_view name;
        std::vector<std::int64_t> dimensions;
        std::uint64_t type = 0;
        std::array<std::uint64_t, 12> held{};  // values, of raw_data bytes, by the field's key
        for (Reader reader(bytes); const auto field = reader.next();) {
            switch (field->key) {
                case 1:
                    add_numbers(*field, dimensions);
                    break;
                case 2:
                    type = field->number;
                    break;
                case 8:
                    name = message(*field);
                    break;
                case 13:
                    fail(fmt::format("its tensor {} lies in another file; export it as one file",
                                     quoted(name)));
                case 14:
                    if (field->number != 0) {
                        fail(fmt::format("its tensor {} lies in another file; export it as one file",
                                         quoted(name)));
                    }
                    break;
                case raw_data:
                    held[raw_data] = message(*field).size();  // a second one takes the first one's place
                    break;
                case float_data:
                case int32_data:
                case string_data:
                case int64_data:
                case double_data:
                case uint64_data:
                    held.at(field->key) += count_values(*field);
                    break;
                default:
                    break;
            }
        }
        const std::uint64_t total = total_of(name, dimensions);
        check_data(name, type, total, held);
        return {name, total == 0};
    }

    static std::uint64_t count_values(const protobuf::Field& field) {
        const Kind single = field.key == float_data    ? Kind::fixed32
                            : field.key == double_data ? Kind::fixed64
                            : field.key == string_data ? Kind::bytes
                                                       : Kind::number;
        if (field.kind == single) {
            return 1;
        }
        if (field.kind != Kind::bytes) {  // which Protocol Buffers pass over
            throw protobuf::Malformed{};
        }
        if (field.key == float_data || field.key == double_data) {
            const std::size_t size = field.key == float_data ? 4 : 8;
            if (field.bytes.size() % size != 0) {
                throw protobuf::Malformed{};
            }
            return field.bytes.size() / size;
        }
        // Each number has one byte without the bit that says that more follow.
        return static_cast<std::uint64_t>(
            std::count_if(field.bytes.begin(), field.bytes.end(),
                          [](char byte) { return (static_cast<unsigned char>(byte) & 0x80U) == 0; }));
    }

    std::uint64_t total_of(std::string_view name, const std::vector<std::int64_t>& dimensions) const {
        std::int64_t total = 1;
        for (const std::int64_t dimension : dimensions) {
            if (dimension < 0 || dimension > largest_dimension ||
                (dimension > 0 && total > largest_dimension / dimension)) {
                fail(fmt::format(
                    "its tensor {} claims the size {}", quoted(name),
                    fmt::join(dimensions.begin(),
                              dimensions.begin() + std::min<std::ptrdiff_t>(8, std::ssize(dimensions)),
                              "x")));
            }
            total *= dimension;
        }
        return static_cast<std::uint64_t>(total);
    }

    void check_data(std::string_view name, std::uint64_t type, std::uint64_t total,
                    const std::array<std::uint64_t, 12>& held) const {
        const auto* const known = std::find_if(data_types.begin(), data_types.end(),
                                               [&](const DataType& one) { return one.number == type; });
        if (known == data_types.end()) {
            fail(fmt::format("its tensor {} is of the data type {}, which is none that can be read",
                             quoted(name), type));
        }
        const bool raw = held[raw_data] > 0;
        const std::uint64_t expected = raw ? total * known->bytes : total;
        for (const std::uint64_t key :
             {float_data, int32_data, string_data, int64_data, raw_data, double_data, uint64_data}) {
            const bool holds = key == (raw ? raw_data : known->values_key);
            if (held.at(key) != (holds ? expected : 0)) {
                fail(fmt::format("its tensor {} claims {} values and does not hold them", quoted(name),
                                 total));
            }
        }
    }

    const std::string& origin_;
    int nodes_ = 0;
    std::set<std::string_view> known_;  ///< names of what a node may take: inputs, tensors, outputs before it
    std::set<std::string_view> empty_;  ///< of tensors
    std::set<std::string_view> used_;   ///< by nodes that want tensors with values
};

}  // namespace

void check_network(std::string_view onnx, const std::string& origin) {
    try {
        Check(origin).model(onnx);
    } catch (const protobuf::Malformed&) {
        throw Fatal(ExitCode::model, origin + ": is not ONNX, or damaged");
    }
}

}  // namespace skincheck
