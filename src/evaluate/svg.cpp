#include "evaluate/svg.hpp"

#include "evaluate/figure_text.hpp"
#include "evaluate/html_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace skincheck {
namespace {

constexpr int legend_line = 20;

std::string_view name_of(Ink ink) {
    switch (ink) {
        case Ink::first:
            return "first";
        case Ink::second:
            return "second";
        case Ink::third:
            return "third";
        case Ink::fourth:
            return "fourth";
        case Ink::malignant:
            return "malignant";
        default:
            return "benign";
    }
}

std::string_view name_of(Anchor anchor) {
    return anchor == Anchor::start ? "start" : anchor == Anchor::middle ? "middle" : "end";
}

/// Centred on x,y in pixels.
std::string shape_at(double x, double y, Shape shape, Ink ink) {
    const std::string_view hollow = shape == Shape::ring ? " hollow" : "";
    const std::string style = fmt::format(R"(class="mark {}{}")", name_of(ink), hollow);
    switch (shape) {
        case Shape::diamond:
            return fmt::format(R"(<path {} d="M{:.1f} {:.1f}l6.5 6.5l-6.5 6.5l-6.5 -6.5z"/>)", style, x,
                               y - 6.5);
        case Shape::square:
            return fmt::format(R"(<path {} d="M{:.1f} {:.1f}h10v10h-10z"/>)", style, x - 5, y - 5);
        case Shape::triangle:
            return fmt::format(R"(<path {} d="M{:.1f} {:.1f}l6.5 11h-13z"/>)", style, x, y - 7);
        default:
            return fmt::format(R"(<circle {} cx="{:.1f}" cy="{:.1f}" r="5"/>)", style, x, y);
    }
}

bool is_place(const CurvePoint& point) {
    return std::isfinite(point.x) && std::isfinite(point.y);
}

}  // namespace

std::vector<Tick> even_ticks(double low, double high, double step, int digits) {
    std::vector<Tick> ticks;
    const auto steps = static_cast<int>(std::floor((high - low) / step + 1e-9));
    for (int i = 0; i <= steps; ++i) {
        const double at = low + i * step;
        ticks.push_back({at, number_text(at, digits)});
    }
    return ticks;
}

Axis count_axis(std::string label, std::size_t highest) {
    // Four to ten steps of 1, 2 or 5 times a power of ten, the last of which leaves room for a number above
    // the bar.
    const double wanted = std::max(1.0, 1.1 * static_cast<double>(highest));
    double step = std::pow(10.0, std::floor(std::log10(wanted / 4)));
    for (const double factor : {2.0, 2.5, 2.0}) {
        if (wanted / step > 6) {
            step *= factor;
        }
    }
    step = std::max(1.0, step);
    Axis axis{std::move(label), 0, step * std::ceil(wanted / step), {}};
    for (double at = 0; at <= axis.high; at += step) {
        axis.ticks.push_back({at, count_text(static_cast<std::size_t>(std::llround(at)))});
    }
    return axis;
}

Plot::Plot(std::string id, Axis x, Axis y, const PlotLayout& layout)
    : id_(std::move(id)), x_(std::move(x)), y_(std::move(y)), layout_(layout) {}

void Plot::describe(std::string title, std::string description) {
    title_ = std::move(title);
    description_ = std::move(description);
}

double Plot::across(double x) const {
    const double part = std::clamp((x - x_.low) / (x_.high - x_.low), 0.0, 1.0);
    return layout_.left + part * (layout_.width - layout_.left - layout_.right);
}

double Plot::down(double y) const {
    const double part = std::clamp((y - y_.low) / (y_.high - y_.low), 0.0, 1.0);
    return layout_.height - layout_.bottom - part * (layout_.height - layout_.top - layout_.bottom);
}

/// Points that nobody can tell apart are left out: a curve of a million cases is drawn with some thousand
/// points.
std::string Plot::path(const std::vector<CurvePoint>& points, bool steps) const {
    constexpr double visible = 0.4;
    std::string path;
    bool drawing = false;
    double last_x = 0, last_y = 0;
    for (std::size_t i = 0; i < points.size(); ++i) {
        if (!is_place(points[i])) {
            drawing = false;
            continue;
        }
        const double x = across(points[i].x), y = down(points[i].y);
        const bool ends = i + 1 == points.size() || !is_place(points[i + 1]);
        if (drawing && !ends && std::abs(x - last_x) < visible && std::abs(y - last_y) < visible) {
            continue;
        }
        if (!drawing) {
            path += fmt::format("M{:.1f} {:.1f}", x, y);
        } else if (steps) {
            path += fmt::format("V{:.1f}H{:.1f}", y, x);
        } else {
            path += fmt::format("L{:.1f} {:.1f}", x, y);
        }
        drawing = true;
        last_x = x;
        last_y = y;
    }
    return path;
}

void Plot::key(std::string swatch, std::string_view name) {
    if (!name.empty()) {
        keys_.push_back({std::move(swatch), std::string(name)});
    }
}

void Plot::line(const std::vector<CurvePoint>& points, Ink ink, std::string_view name) {
    body_ += fmt::format(R"(<path class="line {}" d="{}"/>)", name_of(ink), path(points, false));
    key(fmt::format(R"(<path class="line {}" d="M0 0h24"/>)", name_of(ink)), name);
}

void Plot::steps(const std::vector<CurvePoint>& points, Ink ink, std::string_view name) {
    body_ += fmt::format(R"(<path class="line {}" d="{}"/>)", name_of(ink), path(points, true));
    key(fmt::format(R"(<path class="line {}" d="M0 0h24"/>)", name_of(ink)), name);
}

void Plot::band(const std::vector<CurvePoint>& points, Ink ink, std::string_view name) {
    std::vector<CurvePoint> outline, lower;
    for (const CurvePoint& point : points) {
        if (std::isfinite(point.low) && std::isfinite(point.high)) {
            outline.push_back({point.x, point.high});
            lower.push_back({point.x, point.low});
        }
    }
    if (outline.empty()) {
        return;
    }
    outline.insert(outline.end(), lower.rbegin(), lower.rend());
    body_ += fmt::format(R"(<path class="band {}" d="{}z"/>)", name_of(ink), path(outline, false));
    key(fmt::format(R"(<path class="band {}" d="M0 -6h24v12h-24z"/>)", name_of(ink)), name);
}

void Plot::bar(double x0, double x1, double y0, double y1, Ink ink) {
    const double left = across(x0), top = down(y1);
    body_ += fmt::format(R"(<rect class="bar {}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>)",
                         name_of(ink), left + 1, top, std::max(0.0, across(x1) - left - 2), down(y0) - top);
}

void Plot::whisker(double x0, double y0, double x1, double y1, Ink ink) {
    if (!std::isfinite(x0 + y0 + x1 + y1)) {
        return;
    }
    const double left = across(x0), top = down(y0), right = across(x1), bottom = down(y1);
    const auto cap = [level = y0 == y1](double x, double y) {
        return level ? fmt::format("M{:.1f} {:.1f}v8", x, y - 4) : fmt::format("M{:.1f} {:.1f}h8", x - 4, y);
    };
    body_ += fmt::format(R"(<path class="whisker {}" d="M{:.1f} {:.1f}L{:.1f} {:.1f}{}{}"/>)", name_of(ink),
                         left, top, right, bottom, cap(left, top), cap(right, bottom));
}

void Plot::mark(double x, double y, Shape shape, Ink ink, std::string_view name) {
    if (std::isfinite(x) && std::isfinite(y)) {
        body_ += shape_at(across(x), down(y), shape, ink);
        key(shape_at(12, 0, shape, ink), name);
    }
}

void Plot::rule(double x0, double y0, double x1, double y1, std::string_view name) {
    if (!std::isfinite(x0 + y0 + x1 + y1)) {
        return;
    }
    body_ += fmt::format(R"(<path class="rule" d="M{:.1f} {:.1f}L{:.1f} {:.1f}"/>)", across(x0), down(y0),
                         across(x1), down(y1));
    key(R"(<path class="rule" d="M0 0h24"/>)", name);
}

void Plot::text(double x, double y, std::string_view text, Anchor anchor, double right, double up) {
    if (std::isfinite(x) && std::isfinite(y)) {
        body_ += fmt::format(R"(<text class="small" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>)",
                             across(x) + right, down(y) - up, name_of(anchor), escape_html(text));
    }
}

std::string Plot::axes() const {
    const int left = layout_.left, right = layout_.width - layout_.right;
    const int top = layout_.top, bottom = layout_.height - layout_.bottom;
    std::string grid, labels;
    for (const Tick& tick : x_.ticks) {
        grid += fmt::format("M{:.1f} {}V{}", across(tick.at), top, bottom);
        labels += fmt::format(R"(<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>)", across(tick.at),
                              bottom + 18, escape_html(tick.text));
    }
    for (const Tick& tick : y_.ticks) {
        grid += fmt::format("M{} {:.1f}H{}", left, down(tick.at), right);
        labels += fmt::format(R"(<text x="{}" y="{:.1f}" text-anchor="end">{}</text>)", left - 8,
                              down(tick.at) + 4, escape_html(tick.text));
    }
    labels += fmt::format(R"(<text class="label" x="{}" y="{}" text-anchor="middle">{}</text>)",
                          (left + right) / 2, bottom + 40, escape_html(x_.label));
    labels += fmt::format(
        R"-(<text class="label" transform="translate(14 {})rotate(-90)" text-anchor="middle">{}</text>)-",
        (top + bottom) / 2, escape_html(y_.label));
    return fmt::format(R"(<path class="grid" d="{}"/><path class="axis" d="M{} {}V{}H{}"/>{})", grid, left,
                       top, bottom, right, labels);
}

int Plot::legend_columns() const {
    constexpr std::size_t fits_half = 26;  // characters
    const auto fits = [](const Key& key) { return key.name.size() <= fits_half; };
    return std::all_of(keys_.begin(), keys_.end(), fits) ? 2 : 1;
}

int Plot::legend_height() const {
    const int columns = legend_columns();
    return (static_cast<int>(keys_.size()) + columns - 1) / columns * legend_line;
}

std::string Plot::legend() const {
    std::string legend;
    const int columns = legend_columns();
    const int column_width = (layout_.width - layout_.left) / columns;
    for (std::size_t i = 0; i < keys_.size(); ++i) {
        const int n = static_cast<int>(i);
        legend += fmt::format(R"-(<g transform="translate({} {})">{}<text x="32" y="4">{}</text></g>)-",
                              layout_.left + n % columns * column_width,
                              layout_.height + n / columns * legend_line + 10, keys_[i].swatch,
                              escape_html(keys_[i].name));
    }
    return legend;
}

std::string Plot::str() const {
    return fmt::format(
        R"(<svg class="plot" id="{0}" role="img" aria-labelledby="{0}-title {0}-desc" viewBox="0 0 {1} {2}" )"
        R"(width="{1}" height="{2}"><title id="{0}-title">{3}</title><desc id="{0}-desc">{4}</desc>{5}{6}{7}</svg>)",
        escape_html(id_), layout_.width, layout_.height + legend_height(), escape_html(title_),
        escape_html(description_), axes(), body_, legend());
}

}  // namespace skincheck
