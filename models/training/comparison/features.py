"""Hand-made features of a prepared image: colour, texture, and the shape of the darkest blot.

Colour and texture are taken inside the disc that touches the frame's sides, so that dark corners of the camera count
for nothing.
"""

import functools

import numpy
from skimage.color import rgb2hsv, rgb2lab
from skimage.feature import graycomatrix, graycoprops, local_binary_pattern
from skimage.filters import gaussian, threshold_otsu
from skimage.measure import label, regionprops

LUMINANCE = numpy.array((0.299, 0.587, 0.114), dtype=numpy.float32)
HISTOGRAMS = {  # bins, range; hue is weighted by saturation, since grey has none
    "h": (16, 0, 1),
    "s": (8, 0, 1),
    "v": (8, 0, 1),
    "L": (8, 0, 100),
    "a": (8, -20, 60),
    "b": (8, -30, 50),
}
PATTERNS = ((8, 1), (16, 3))  # local binary patterns: points on a circle, its radius in pixels
DISTANCES = (1, 4)  # of grey levels in the co-occurrence matrix, in pixels; the mean of four directions
GREYS = 32
PROPERTIES = ("contrast", "dissimilarity", "homogeneity", "energy", "correlation")
SMALLEST_BLOT = 0.005  # of the disc


def feature_names() -> list[str]:
    """In the order of features(), for one image."""
    return list(features(numpy.zeros((32, 32, 3), dtype=numpy.uint8)))


def features(pixels: numpy.ndarray) -> dict[str, float]:
    """Of one image, uint8 side×side×3 RGB; every value is finite."""
    disc = _disc(len(pixels))
    grey = numpy.round(pixels @ LUMINANCE).astype(numpy.uint8)
    planes = _planes(pixels)
    found = _moments(planes, disc) | _histograms(planes, disc) | _patterns(grey, disc) | _co_occurrence(grey)
    found |= _blot(planes, disc)
    return {name: float(value) for name, value in found.items()}


@functools.lru_cache
def _disc(side: int) -> numpy.ndarray:
    away = numpy.arange(side) - (side - 1) / 2
    return away[:, None] ** 2 + away[None, :] ** 2 <= (side / 2) ** 2


def _planes(pixels: numpy.ndarray) -> dict[str, numpy.ndarray]:
    hsv, lab = rgb2hsv(pixels), rgb2lab(pixels)
    named = {name: hsv[..., number] for number, name in enumerate("hsv")}
    named |= {name: lab[..., number] for number, name in enumerate("Lab")}
    return named | {"blue": pixels[..., 2] / 255}


def _moments(planes: dict[str, numpy.ndarray], disc: numpy.ndarray) -> dict[str, float]:
    """Mean, deviation, skewness. Hue is an angle: the mean of its vectors, each as long as the saturation."""
    found = {}
    for name in ("s", "v", "L", "a", "b"):
        values = planes[name][disc]
        mean, deviation = values.mean(), values.std()
        away = values - mean
        skewness = (away * away * away).mean() / max(deviation, 1e-6) ** 3
        found |= {f"{name}_mean": mean, f"{name}_deviation": deviation, f"{name}_skewness": skewness}
    angle, saturation = 2 * numpy.pi * planes["h"][disc], planes["s"][disc]
    cosine, sine = (saturation * numpy.cos(angle)).mean(), (saturation * numpy.sin(angle)).mean()
    return found | {"h_cosine": cosine, "h_sine": sine}


def _histograms(planes: dict[str, numpy.ndarray], disc: numpy.ndarray) -> dict[str, float]:
    found = {}
    for name, (bins, low, high) in HISTOGRAMS.items():
        values = planes[name][disc].clip(low, high)
        weights = planes["s"][disc] if name == "h" else None
        counts = numpy.histogram(values, bins, (low, high), weights=weights)[0]
        found |= _numbered(f"{name}_share", counts / max(counts.sum(), 1e-9))
    return found


def _patterns(grey: numpy.ndarray, disc: numpy.ndarray) -> dict[str, float]:
    found = {}
    for points, radius in PATTERNS:
        codes = local_binary_pattern(grey, points, radius, method="uniform")[disc].astype(int)
        found |= _numbered(f"pattern{radius}_share", numpy.bincount(codes, minlength=points + 2) / len(codes))
    return found


def _co_occurrence(grey: numpy.ndarray) -> dict[str, float]:
    """Of the square inside the disc."""
    edge = round(len(grey) * (1 - 0.5**0.5) / 2)
    levels = grey[edge : len(grey) - edge, edge : len(grey) - edge] // (256 // GREYS)
    angles = [0, numpy.pi / 4, numpy.pi / 2, 3 * numpy.pi / 4]
    matrix = graycomatrix(levels, DISTANCES, angles, levels=GREYS, symmetric=True, normed=True)
    found = {}
    for name in PROPERTIES:
        means = graycoprops(matrix, name).mean(axis=1)
        found |= {f"{name}{distance}": value for distance, value in zip(DISTANCES, means, strict=True)}
    return found


def _blot(planes: dict[str, numpy.ndarray], disc: numpy.ndarray) -> dict[str, float]:
    """Otsu's threshold on the smoothed blue, in which pigment is dark; of its regions the largest.

    A rough outline, which a hair or a pale lesion can mislead: asymmetry, border, colours inside against outside.
    """
    smooth = gaussian(planes["blue"], sigma=len(disc) / 100)
    values = smooth[disc]
    regions = regionprops(label((smooth < threshold_otsu(values)) & disc)) if numpy.ptp(values) > 1e-3 else []
    largest = max(regions, key=lambda region: region.area, default=None)
    names = ("area", "compactness", "eccentricity", "solidity", "off_centre", "asymmetry_long", "asymmetry_short")
    colours = [f"{name}_{what}" for name in "Lab" for what in ("step", "inside_deviation")]
    if largest is None or largest.area < SMALLEST_BLOT * disc.sum():
        return {f"blot_{name}": 0.0 for name in (*names, *colours)}
    inside = numpy.zeros_like(disc)
    inside[largest.coords[:, 0], largest.coords[:, 1]] = True
    outside = disc & ~inside
    centre = numpy.array(largest.centroid) - (len(disc) - 1) / 2
    compactness = 4 * numpy.pi * largest.area / max(largest.perimeter, 1) ** 2
    shape = (largest.area / disc.sum(), compactness, largest.eccentricity, largest.solidity)
    shape += (numpy.hypot(*centre) / len(disc), *_asymmetry(largest, inside))
    steps = []
    for name in "Lab":
        values = planes[name]
        steps += [values[outside].mean() - values[inside].mean(), values[inside].std()]
    return {f"blot_{name}": value for name, value in zip((*names, *colours), (*shape, *steps), strict=True)}


def _asymmetry(region, inside: numpy.ndarray) -> tuple[float, float]:
    """The share of the blot whose mirror image about its long, and about its short axis is not in the blot."""
    # scikit-image's orientation is the long axis's angle to the first axis (down).
    long = numpy.array([numpy.cos(region.orientation), numpy.sin(region.orientation)])
    away = region.coords - region.centroid
    along = (away @ long)[:, None] * long
    shares = []
    for mirrored in (2 * along - away, away - 2 * along):
        rows, columns = numpy.round(mirrored + region.centroid).astype(int).T
        seen = (rows >= 0) & (rows < len(inside)) & (columns >= 0) & (columns < len(inside))
        shares.append(1 - inside[rows[seen], columns[seen]].sum() / len(away))
    return shares[0], shares[1]


def _numbered(name: str, values: numpy.ndarray) -> dict[str, float]:
    return {f"{name}{number}": value for number, value in enumerate(values)}
