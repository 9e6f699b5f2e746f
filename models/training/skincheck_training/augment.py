"""Augmentation on whole batches. Lesions have no up: any rotation, both flips."""

import math

import torch


def augment(pixels: torch.Tensor, size: int, generator: torch.Generator) -> torch.Tensor:
    """N×3×H×W float in 0..255 → N×3×size×size: rotation, flip, random crop, aspect, brightness, contrast, colour cast."""

    def uniform(low: float, high: float) -> torch.Tensor:
        return torch.empty(len(pixels)).uniform_(low, high, generator=generator)

    angle = uniform(0, 2 * math.pi)
    scale = torch.sqrt(uniform(0.35, 1.0))  # of the side; the range is one of areas
    squeeze = torch.exp(uniform(math.log(0.85), math.log(1 / 0.85)) / 2)
    flip = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)
    room = 1 - scale
    affine = torch.stack(
        [
            torch.stack([scale * squeeze * flip * angle.cos(), -scale / squeeze * angle.sin(), room * uniform(-1, 1)], 1),
            torch.stack([scale * squeeze * flip * angle.sin(), scale / squeeze * angle.cos(), room * uniform(-1, 1)], 1),
        ],
        1,
    )
    grid = torch.nn.functional.affine_grid(affine, [len(pixels), 3, size, size], align_corners=False)
    warped = torch.nn.functional.grid_sample(pixels, grid, padding_mode="reflection", align_corners=False)

    brightness = uniform(0.8, 1.2).view(-1, 1, 1, 1)
    contrast = uniform(0.8, 1.2).view(-1, 1, 1, 1)
    cast = torch.empty(len(pixels), 3, 1, 1).uniform_(0.92, 1.08, generator=generator)
    mean = warped.mean(dim=(1, 2, 3), keepdim=True)
    return (((warped - mean) * contrast + mean) * brightness * cast).clamp(0, 255)
