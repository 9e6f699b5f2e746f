"""Images for the tests, without a library: PNG and BMP by hand; other formats by the program draw_images."""

import functools
import os
import struct
import subprocess
import tempfile
import zlib

from harness import setting

WHITE, GREY, BLACK = (255, 255, 255), (128, 128, 128), (0, 0, 0)
RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)

# What tiny-sigmoid says of images of one colour: sigmoid(r - 0.5 g + 0.25 b - 0.25), where each is
# (value / 255 - 0.5) / 0.25.
SCORES = {WHITE: "0.777300", BLACK: "0.148047", GREEN: "0.022977", BLUE: "0.320821"}


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_header(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))


def png_of(rows: list[list[tuple]]) -> bytes:
    lines = b"".join(b"\0" + b"".join(bytes(pixel) for pixel in row) for row in rows)
    return png_header(len(rows[0]), len(rows)) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def png(colour: tuple = WHITE, width: int = 16, height: int = 16) -> bytes:
    return png_of([[colour] * width] * height)


def bmp(colour: tuple = WHITE, width: int = 16, height: int = 16) -> bytes:
    line = bytes(reversed(colour)) * width
    line += b"\0" * (-len(line) % 4)
    size = len(line) * height
    return (
        struct.pack("<2sIHHI", b"BM", 54 + size, 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, size, 2835, 2835, 0, 0)
        + line * height
    )


def read_png(data: bytes) -> list[list[tuple]]:
    """The rows of (red, green, blue) of an 8-bit RGB PNG that is not interlaced."""
    position, packed, width, height = 8, b"", 0, 0
    while position < len(data):
        length, name = struct.unpack_from(">I4s", data, position)
        body = data[position + 8 : position + 8 + length]
        if name == b"IHDR":
            width, height, *kind = struct.unpack(">IIBBBBB", body)
            assert kind == [8, 2, 0, 0, 0], kind
        elif name == b"IDAT":
            packed += body
        position += length + 12
    return unfilter(zlib.decompress(packed), width, height)


def paeth(left: int, above: int, corner: int) -> int:
    guess = left + above - corner
    return min((left, above, corner), key=lambda value: abs(guess - value))


def unfilter(raw: bytes, width: int, height: int) -> list[list[tuple]]:
    size = width * 3
    above, rows = bytearray(size), []
    for y in range(height):
        kind, line = raw[y * (size + 1)], bytearray(raw[y * (size + 1) + 1 : (y + 1) * (size + 1)])
        for i in range(size):
            left, corner = (line[i - 3], above[i - 3]) if i >= 3 else (0, 0)
            line[i] = (
                line[i] + (0, left, above[i], (left + above[i]) // 2, paeth(left, above[i], corner))[kind]
            ) % 256
        rows.append([tuple(line[x : x + 3]) for x in range(0, size, 3)])
        above = line
    return rows


@functools.cache
def drawn(extension: str, width: int, height: int, colour: tuple | None = None) -> bytes:
    """A file in the format of `extension` (".jpg", …): one colour, or a lesion drawn by our own code."""
    with tempfile.TemporaryDirectory(prefix="skincheck-test-") as folder:
        path = os.path.join(folder, "drawn" + extension)
        colours = [str(value) for value in reversed(colour)] if colour else []
        subprocess.run(
            [setting("SKINCHECK_DRAW_IMAGES"), path, str(width), str(height), *colours], check=True
        )
        with open(path, "rb") as file:
            return file.read()


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """The JPEG with an EXIF segment that holds nothing but its orientation, 1 to 8."""
    tiff = struct.pack("<2sHIHHHIHHI", b"II", 42, 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    segment = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + jpeg[2:]


def jpeg_of_claimed_size(jpeg: bytes, width: int, height: int) -> bytes:
    """The JPEG with another size written into its header."""
    position = 2
    while jpeg[position + 1] not in (0xC0, 0xC1, 0xC2):
        position += 2 + struct.unpack_from(">H", jpeg, position + 2)[0]
    return jpeg[: position + 5] + struct.pack(">HH", height, width) + jpeg[position + 9 :]
