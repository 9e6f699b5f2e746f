"""The drawn inputs of the golden vectors, byte for byte those of draw_golden_input() in src/prepare/blob.cpp."""

import numpy


def draw_golden_input(seed: int, height: int, width: int) -> numpy.ndarray:
    """Draws a blot on a ground, with noise: uint8, height × width × 3, RGB.

    A change here must be made in C++ too, and it changes every golden vector.
    """
    state = (seed * 2654435761 + 1) & 0xFFFFFFFF

    def draw(below: int) -> int:
        nonlocal state
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        return (state >> 16) % below

    centre_x = width * (35 + draw(30)) // 100
    centre_y = height * (35 + draw(30)) // 100
    radius = min(width, height) * (15 + draw(25)) // 100
    skin, blot = [], []
    for channel in range(3):  # blue, green, red
        skin.append(110 + 35 * channel + draw(40))
        blot.append(25 + 25 * channel + draw(50))
    noise = numpy.array([draw(32) - 16 for _ in range(height * width)]).reshape(height, width, 1)
    y, x = numpy.mgrid[:height, :width]
    inside = (x - centre_x) ** 2 + (y - centre_y) ** 2 < radius**2
    colours = numpy.where(inside[..., None], numpy.array(blot), numpy.array(skin))
    bgr = numpy.clip(colours + noise, 0, 255).astype(numpy.uint8)
    return numpy.ascontiguousarray(bgr[..., ::-1])
