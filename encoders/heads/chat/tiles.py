"""A picture of any shape as square tiles, the way InternVL-Chat V1-5 and later see it.

Source: the public dynamic preprocessing (InternVL 1.5 paper, section 3.2).
"""

from collections.abc import Iterator

from PIL import Image


def tiles(image: Image.Image, side: int, most: int, *, thumbnail: bool) -> list[Image.Image]:
    """RGB squares of `side` pixels, row by row; the whole picture last if there are several.

    At most `most` tiles (the thumbnail not counted) in the grid whose shape is nearest.
    """
    columns, rows = grid(image.width, image.height, side, most)
    resized = image.convert("RGB").resize((columns * side, rows * side), Image.Resampling.BICUBIC)
    found = [
        resized.crop((x * side, y * side, (x + 1) * side, (y + 1) * side))
        for y in range(rows)
        for x in range(columns)
    ]
    if thumbnail and len(found) > 1:
        found.append(image.convert("RGB").resize((side, side), Image.Resampling.BICUBIC))
    return found


def grid(width: int, height: int, side: int, most: int) -> tuple[int, int]:
    """Columns and rows of the grid of at most `most` cells nearest in aspect ratio.

    Of grids equally near, a larger one is taken only if the picture fills half its pixels.
    """
    aspect = width / height
    best, nearest = (1, 1), float("inf")
    for columns, rows in _grids(most):
        distance = abs(aspect - columns / rows)
        fills = width * height > 0.5 * side * side * columns * rows
        if distance < nearest or (distance == nearest and fills):
            best, nearest = (columns, rows), distance
    return best


def _grids(most: int) -> Iterator[tuple[int, int]]:
    """All grids of at most `most` cells, the smallest first."""
    sides = range(1, most + 1)
    grids = ((x, y) for x in sides for y in sides if x * y <= most)
    yield from sorted(grids, key=lambda grid: (grid[0] * grid[1], grid))
