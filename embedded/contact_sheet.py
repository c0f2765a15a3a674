"""A contact sheet: a row per page, a column per picture of it."""

from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw, ImageFont

CELL_WIDTH_PX = 360
GAP_PX = 16
TITLE_PX = 28
INK = (40, 40, 44)
PAPER = (244, 244, 240)


def draw_contact_sheet(columns: Sequence[str], rows: Sequence[Mapping[str, Image.Image]]) -> Image.Image:
    """Lay pictures out in a grid.

    Args:
        columns: the titles; what a row has no picture of stays empty.
        rows: column title → picture, of any size and mode.

    Returns:
        An RGB picture, `CELL_WIDTH_PX` a column.
    """
    cells = [{name: _fit(picture) for name, picture in row.items()} for row in rows]
    heights = [max((cell.height for cell in row.values()), default=0) for row in cells]
    width = GAP_PX + len(columns) * (CELL_WIDTH_PX + GAP_PX)
    height = TITLE_PX + 2 * GAP_PX + sum(heights) + GAP_PX * len(heights)
    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(20)
    for index, name in enumerate(columns):
        left = GAP_PX + index * (CELL_WIDTH_PX + GAP_PX)
        draw.text((left, GAP_PX), name, INK, font)
        top = TITLE_PX + GAP_PX
        for row, row_height in zip(cells, heights, strict=True):
            if name in row:
                sheet.paste(row[name], (left, top))
            top += row_height + GAP_PX
    return sheet


def _fit(picture: Image.Image) -> Image.Image:
    height = max(1, round(picture.height * CELL_WIDTH_PX / picture.width))
    return picture.convert("RGB").resize((CELL_WIDTH_PX, height), Image.Resampling.LANCZOS)
