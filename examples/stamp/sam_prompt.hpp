// SPDX-License-Identifier: Apache-2.0
// From the words of the command line to a prompt for SAM, in pixels of the image.
#pragma once

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <span>
#include <stamp/checkpoint/json.hpp>
#include <stamp/image/read.hpp>
#include <stamp/model/sam/prompt_encoder.hpp>
#include <string_view>
#include <vector>

#include "settings.hpp"

namespace stamp::command {

/// A point as it is typed, in pixels of the image.
struct TypedPoint {
  double x = 0;
  double y = 0;
  sam::PointLabel label = sam::PointLabel::foreground;
};

/// `count` finite numbers with commas between them at the head of `text`, which loses them.
[[nodiscard]] inline std::optional<std::vector<double>> leading_numbers(std::string_view& text,
                                                                        std::size_t count) {
  std::vector<double> numbers;
  while (numbers.size() < count) {
    if (!numbers.empty()) {
      if (!text.starts_with(',')) return std::nullopt;
      text.remove_prefix(1);
    }
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || !std::isfinite(number)) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    numbers.push_back(number);
  }
  return numbers;
}

/// Throws with `fault` unless the point lies in the image; `where` names the option or the file.
inline void check_inside(double x, double y, const Image& image, Fault fault,
                         const std::string& where) {
  if (x >= 0 && y >= 0 && x < static_cast<double>(image.width) &&
      y < static_cast<double>(image.height)) {
    return;
  }
  fail(fault, fmt::format("{}: expected a point of the image's {} x {} pixels, found {},{}", where,
                          image.width, image.height, x, y));
}

/// "X,Y", "X,Y,+" or "X,Y,-", inside the image.
[[nodiscard]] inline TypedPoint parse_point(std::string_view text, const Image& image) {
  std::string_view rest = text;
  const auto numbers = leading_numbers(rest, 2);
  if (!numbers || (!rest.empty() && rest != ",+" && rest != ",-")) {
    fail(Fault::usage, fmt::format("--point: expected X,Y or X,Y,+ or X,Y,-, found {}",
                                   checkpoint::printable(text)));
  }
  const double x = (*numbers)[0];
  const double y = (*numbers)[1];
  check_inside(x, y, image, Fault::usage, "--point");
  return {x, y, rest == ",-" ? sam::PointLabel::background : sam::PointLabel::foreground};
}

/// [[x, y, label], …] with label 1 inside and 0 outside of the object.
[[nodiscard]] inline std::vector<TypedPoint> points_of_file(const std::filesystem::path& path,
                                                            const Image& image) {
  const auto json = checkpoint::read_json(path);
  std::vector<TypedPoint> points;
  const auto where = [&] {
    return fmt::format("{}: point {}", checkpoint::shown(path), points.size());
  };
  if (!json.is_array()) {
    fail(Fault::input, fmt::format("{}: expected a list of points [[x, y, label], ...], found {}",
                                   checkpoint::shown(path), json.type_name()));
  }
  for (const auto& point : json) {
    const bool good = point.is_array() && point.size() == 3 && point[0].is_number() &&
                      point[1].is_number() && (point[2] == 0 || point[2] == 1);
    if (!good) {
      fail(Fault::input, where() + ": expected [x, y, label] with label 1 or 0, found " +
                             checkpoint::printable(point.dump()));
    }
    const auto x = point[0].get<double>();
    const auto y = point[1].get<double>();
    check_inside(x, y, image, Fault::input, where());
    points.push_back(
        {x, y, point[2] == 1 ? sam::PointLabel::foreground : sam::PointLabel::background});
  }
  return points;
}

/// The points of --point, then those of --points.
[[nodiscard]] inline std::vector<TypedPoint> typed_points(const Settings& s, const Image& image) {
  std::vector<TypedPoint> points;
  for (const std::string& text : s.points) points.push_back(parse_point(text, image));
  if (!s.points_file) return points;
  const auto more = points_of_file(*s.points_file, image);
  points.insert(points.end(), more.begin(), more.end());
  return points;
}

/// The corners of --box, upper left first.
[[nodiscard]] inline std::optional<std::array<double, 4>> typed_box(const Settings& s,
                                                                    const Image& image) {
  if (!s.box) return std::nullopt;
  std::string_view rest = *s.box;
  const auto numbers = leading_numbers(rest, 4);
  const auto width = static_cast<double>(image.width);
  const auto height = static_cast<double>(image.height);
  const bool good = numbers && rest.empty() && (*numbers)[0] >= 0 && (*numbers)[1] >= 0 &&
                    (*numbers)[0] < (*numbers)[2] && (*numbers)[1] < (*numbers)[3] &&
                    (*numbers)[2] <= width && (*numbers)[3] <= height;
  if (!good) {
    fail(Fault::usage,
         fmt::format("--box: expected X0,Y0,X1,Y1 with X0 < X1 and Y0 < Y1 inside the image's {} x "
                     "{} pixels, found {}",
                     image.width, image.height, checkpoint::printable(*s.box)));
  }
  return std::array<double, 4>{(*numbers)[0], (*numbers)[1], (*numbers)[2], (*numbers)[3]};
}

/// Points and box of the command line, parsed.
struct TypedPrompt {
  std::vector<TypedPoint> points;
  std::optional<std::array<double, 4>> box;
};

/// The mask of --mask: foreground where the picture's first channel is over half of 255.
[[nodiscard]] inline std::optional<Bitmap> typed_mask(const Settings& s, const Image& image,
                                                      const ReadOptions& options) {
  if (!s.mask) return std::nullopt;
  const Image picture = read_image(*s.mask, options);
  if (picture.width != image.width || picture.height != image.height) {
    fail(Fault::input,
         fmt::format("{}: expected a mask of the image's {} x {} pixels, found {} x {}",
                     checkpoint::shown(*s.mask), image.width, image.height, picture.width,
                     picture.height));
  }
  Bitmap mask{.width = picture.width, .height = picture.height};
  constexpr std::uint8_t half = 127;
  for (std::size_t at = 0; at < picture.pixels.size(); at += 3) {
    mask.cells.push_back(picture.pixels[at] > half ? 1 : 0);
  }
  return mask;
}

}  // namespace stamp::command
