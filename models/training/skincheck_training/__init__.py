"""The training recipe: a CSV of dermoscopic images → a skincheck model package."""
