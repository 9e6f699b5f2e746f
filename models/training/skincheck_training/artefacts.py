"""What dermoscopic images carry besides the lesion, drawn onto them: hairs, rulers, ink, dark corners, JPEG's blocks.

A network that has seen these on benign and malignant lesions alike cannot take them for signs of either.
"""

import io
import math

import numpy
from PIL import Image, ImageDraw

# How often each is added. Hairs and dark corners are as common as in the archives; the rest is rarer there.
HAIR, RULER, INK, DARK_CORNER, JPEG = 0.2, 0.1, 0.05, 0.2, 0.3


def add_artefacts(pixels: numpy.ndarray, random: numpy.random.Generator) -> numpy.ndarray:
    """uint8 H×W×3, RGB → the same shape, with what chance has added; may be `pixels` itself."""
    hair, ruler, ink, corner, jpeg = random.random(5) < (HAIR, RULER, INK, DARK_CORNER, JPEG)
    if hair or ruler or ink:
        image = Image.fromarray(pixels)
        if hair:
            _draw_hairs(image, random)
        if ruler:
            _draw_ruler(image, random)
        if ink:
            _draw_ink(image, random)
        pixels = numpy.asarray(image)
    if corner:
        pixels = _darken_corners(pixels, random)
    return _compress(pixels, random) if jpeg else pixels


def _curve(image: Image.Image, random: numpy.random.Generator, length: float) -> list[tuple[float, float]]:
    """A bent line of about `length` pixels that crosses the image somewhere (a quadratic Bézier curve)."""
    middle = random.uniform((0, 0), image.size)
    angle = random.uniform(0, 2 * math.pi)
    half = numpy.array([math.cos(angle), math.sin(angle)]) * length / 2
    bend = random.normal(0, length / 5, 2)
    t = numpy.linspace(0, 1, 12)[:, None]
    points = (1 - t) ** 2 * (middle - half) + 2 * t * (1 - t) * (middle + bend) + t**2 * (middle + half)
    return [(float(x), float(y)) for x, y in points]


def _draw_hairs(image: Image.Image, random: numpy.random.Generator) -> None:
    draw = ImageDraw.Draw(image)
    pale = random.random() < 0.15
    for _ in range(random.integers(1, 16)):
        shade = random.integers(150, 230) if pale else random.integers(10, 90)
        colour = tuple(int(shade * warmth) for warmth in (1.0, 0.85, 0.7))
        draw.line(_curve(image, random, random.uniform(0.3, 1.2) * image.width), fill=colour, width=int(random.integers(1, 3)))


def _draw_ruler(image: Image.Image, random: numpy.random.Generator) -> None:
    """Ticks along one side, every fifth longer, as on a dermatoscope's glass."""
    draw = ImageDraw.Draw(image)
    width, height = image.size
    colour = (20, 20, 20) if random.random() < 0.7 else (235, 235, 235)
    gap = random.uniform(0.03, 0.09) * width
    side, inset = random.integers(4), random.uniform(0, 0.15)
    for number in range(int(width / gap) + 1):
        length = (0.06 if number % 5 == 0 else 0.03) * width
        along, start = number * gap, inset * width
        ends = [(along, start), (along, start + length)]
        if side in (1, 3):
            ends = [(y, x) for x, y in ends]
        if side in (2, 3):
            ends = [(width - 1 - x, height - 1 - y) for x, y in ends]
        draw.line(ends, fill=colour, width=int(random.integers(1, 3)))


def _draw_ink(image: Image.Image, random: numpy.random.Generator) -> None:
    """Strokes of a surgical marker: violet, blue, green."""
    draw = ImageDraw.Draw(image)
    colour = ((70, 30, 120), (30, 60, 150), (20, 110, 90))[random.integers(3)]
    for _ in range(random.integers(1, 4)):
        points = _curve(image, random, random.uniform(0.2, 0.7) * image.width)
        draw.line(points, fill=colour, width=int(random.integers(3, 9)), joint="curve")


def _darken_corners(pixels: numpy.ndarray, random: numpy.random.Generator) -> numpy.ndarray:
    """The round field of view of a dermatoscope, its edge more or less sharp."""
    height, width = pixels.shape[:2]
    y, x = numpy.ogrid[:height, :width]
    centre_y, centre_x = numpy.array([height, width]) * random.uniform(0.45, 0.55, 2)
    squares = ((x - centre_x) ** 2).astype(numpy.float32) + ((y - centre_y) ** 2).astype(numpy.float32)
    radius, softness = numpy.array([random.uniform(0.95, 1.35), random.uniform(0.01, 0.25)]) * 0.5 * min(height, width)
    light = numpy.clip((radius - numpy.sqrt(squares)) / numpy.float32(softness) + 1, random.uniform(0, 0.2), 1)
    return (pixels * light[..., None].astype(numpy.float32)).astype(numpy.uint8)


def _compress(pixels: numpy.ndarray, random: numpy.random.Generator) -> numpy.ndarray:
    packed = io.BytesIO()
    Image.fromarray(pixels).save(packed, "JPEG", quality=int(random.integers(40, 95)))
    return numpy.asarray(Image.open(packed))
