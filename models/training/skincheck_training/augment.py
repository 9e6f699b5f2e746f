"""Augmentation of whole batches, on the device that trains. Lesions have no up: any rotation, both flips."""

import math

import torch

AREA = (0.4, 1.1)  # of the image that a crop shows; above 1 the border is mirrored
SQUEEZE = 1.25  # largest ratio of the sides of what a crop shows
BLURRED = 0.15  # share of the images
NOISY = 0.5  # share of the images
# Largest standard deviation, in levels of 0..255. Without it a network takes a quiet or noisy sensor for a sign: noise
# of 5 levels moved the logits of the first models by -0.6 on average, and rounding of another decoder by 0.1.
NOISE = 8.0
# Luma and two axes of colour (YIQ): a turn of the plane of the last two is a change of hue, its scale is saturation.
TO_YIQ = torch.tensor([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])


def augment(pixels: torch.Tensor, size: int, generator: torch.Generator) -> torch.Tensor:
    """N×3×H×W uint8 or float in 0..255, RGB → float N×3×size×size in 0..255. `generator` is the CPU's: but for the grain
    of the noise, chance is the same on every device."""

    def uniform(low: float, high: float, *shape: int) -> torch.Tensor:
        drawn = torch.empty(len(pixels), *shape).uniform_(low, high, generator=generator)
        return drawn.to(pixels.device)

    warped = _warp(pixels.float(), size, uniform)
    coloured = _recolour(warped, uniform)
    return _add_noise(_blur(coloured, uniform), uniform, generator).clamp(0, 255)


def shrink(pixels: torch.Tensor, size: int) -> torch.Tensor:
    """What augment() takes and gives, without chance."""
    return torch.nn.functional.interpolate(pixels.float(), size=(size, size), mode="bilinear", antialias=True)


def _warp(pixels: torch.Tensor, size: int, uniform) -> torch.Tensor:
    """Rotation, flip, crop of a part, and aspect, in one resampling."""
    angle = uniform(0, 2 * math.pi)
    scale = torch.sqrt(uniform(*AREA))  # of the side; the range is one of areas
    squeeze = torch.exp(uniform(-0.5, 0.5) * math.log(SQUEEZE))
    flip = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)
    room = (1 - scale).clamp(min=0)
    rows = [
        [scale * squeeze * flip * angle.cos(), -scale / squeeze * angle.sin(), room * uniform(-1, 1)],
        [scale * squeeze * flip * angle.sin(), scale / squeeze * angle.cos(), room * uniform(-1, 1)],
    ]
    affine = torch.stack([torch.stack(row, 1) for row in rows], 1)
    grid = torch.nn.functional.affine_grid(affine, [len(pixels), 3, size, size], align_corners=False)
    return torch.nn.functional.grid_sample(pixels, grid, padding_mode="reflection", align_corners=False)


def _recolour(pixels: torch.Tensor, uniform) -> torch.Tensor:
    """Hue, saturation, contrast, brightness, gamma, and a cast of each channel, as other lamps and cameras have them."""
    to_yiq = TO_YIQ.to(pixels.device)
    hue, saturation = uniform(-0.15, 0.15), uniform(0.7, 1.3)
    turn = torch.zeros(len(pixels), 3, 3, device=pixels.device)
    turn[:, 0, 0] = 1
    turn[:, 1, 1] = turn[:, 2, 2] = saturation * hue.cos()
    turn[:, 1, 2], turn[:, 2, 1] = -saturation * hue.sin(), saturation * hue.sin()
    colours = torch.linalg.inv(to_yiq) @ turn @ to_yiq
    cast = uniform(0.92, 1.08, 3) * uniform(0.75, 1.15, 1)
    mixed = torch.einsum("nij,njhw->nihw", cast[:, :, None] * colours, pixels)
    mean = mixed.mean(dim=(1, 2, 3), keepdim=True)
    mixed = (mixed - mean) * uniform(0.75, 1.25, 1, 1, 1) + mean
    return 255 * (mixed.clamp(0, 255) / 255) ** uniform(0.8, 1.25, 1, 1, 1)


def _blur(pixels: torch.Tensor, uniform) -> torch.Tensor:
    """Gaussian, on some: out of focus."""
    chosen = uniform(0, 1) < BLURRED
    sigma = uniform(0.5, 1.5)[chosen]
    if not len(sigma):
        return pixels
    offsets = torch.arange(-4.0, 5.0, device=pixels.device)
    kernel = torch.softmax(-(offsets**2) / (2 * sigma[:, None] ** 2), 1).repeat_interleave(3, 0)
    channels = pixels[chosen].flatten(0, 1)[None]
    padded = torch.nn.functional.pad(channels, (4, 4, 4, 4), mode="reflect")
    rows = torch.nn.functional.conv2d(padded, kernel[:, None, None, :], groups=len(kernel))
    both = torch.nn.functional.conv2d(rows, kernel[:, None, :, None], groups=len(kernel))
    return pixels.index_put((chosen,), both.view(-1, *pixels.shape[1:]))


def _add_noise(pixels: torch.Tensor, uniform, generator: torch.Generator) -> torch.Tensor:
    """Gaussian, on some, little more often than much: sensors, resampling, rounding."""
    sigma = NOISE * uniform(0, 1, 1, 1, 1) ** 2 * (uniform(0, 1, 1, 1, 1) < NOISY)
    seed = int(torch.randint(2**62, (), generator=generator))
    grain = torch.Generator(pixels.device).manual_seed(seed)  # millions of numbers, which a card draws in no time
    return pixels + sigma * torch.empty_like(pixels).normal_(generator=grain)
