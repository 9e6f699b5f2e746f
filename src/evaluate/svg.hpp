// Plots as SVG that stands in a page. Colours, dashes and fonts are classes of report.css, so that they
// follow dark mode and print.
#pragma once

#include "skincheck/evaluate.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace skincheck {

/// What a mark stands for: a colour and, for lines, a pattern of dashes.
enum class Ink { first, second, third, fourth, malignant, benign };

enum class Shape { disc, ring, diamond, square, triangle };

enum class Anchor { start, middle, end };

struct Tick {
    double at = 0;
    std::string text;
};

struct Axis {
    std::string label;
    double low = 0, high = 1;
    std::vector<Tick> ticks;
};

/// From `low` to `high`, both included.
std::vector<Tick> even_ticks(double low, double high, double step, int digits);

/// An axis from 0 that has room for `highest`, with round numbers.
Axis count_axis(std::string label, std::size_t highest);

/// Pixels, before the page scales them. The legend comes below and adds to the height.
struct PlotLayout {
    int width = 460, height = 380;
    int left = 58, right = 18, top = 16, bottom = 50;
};

/// Draws in the order of the calls. Coordinates are those of the axes; what lies outside is moved to the
/// edge, and what is not finite leaves a gap. A `name` puts the mark into the legend.
class Plot {
  public:
    Plot(std::string id, Axis x, Axis y, const PlotLayout& layout = {});

    /// In words what is to be seen, with its numbers, for those who do not see it.
    void describe(std::string title, std::string description);

    void line(const std::vector<CurvePoint>& points, Ink ink, std::string_view name = {});
    /// As line(), but each point's y holds from the point before it on.
    void steps(const std::vector<CurvePoint>& points, Ink ink, std::string_view name = {});
    /// Between the points' low and high.
    void band(const std::vector<CurvePoint>& points, Ink ink, std::string_view name = {});
    void bar(double x0, double x1, double y0, double y1, Ink ink);
    /// A line with caps, upright or level.
    void whisker(double x0, double y0, double x1, double y1, Ink ink);
    void mark(double x, double y, Shape shape, Ink ink, std::string_view name = {});
    /// A thin dashed line of reference.
    void rule(double x0, double y0, double x1, double y1, std::string_view name = {});
    /// Moved by so many pixels to the right and up.
    void text(double x, double y, std::string_view text, Anchor anchor, double right, double up);

    std::string str() const;

  private:
    double across(double x) const;
    double down(double y) const;
    std::string path(const std::vector<CurvePoint>& points, bool steps) const;
    void key(std::string swatch, std::string_view name);
    std::string axes() const;
    std::string legend() const;
    int legend_columns() const;
    int legend_height() const;

    struct Key {
        std::string swatch;  ///< drawn at 0,0 to 24,0
        std::string name;
    };

    std::string id_, title_, description_;
    Axis x_, y_;
    PlotLayout layout_;
    std::string body_;
    std::vector<Key> keys_;
};

}  // namespace skincheck
