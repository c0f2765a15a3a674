"""Everything around the networks of Style2Paints V4.5, step by step as the original does it, to time ours against.

Pictures are BGR. A straight transcription of the published steps; not for use.
"""

import cv2
import numpy as np


def resize_to(picture, width, height):
    smaller = min(width, height) < min(picture.shape[:2])
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LANCZOS4)


def min_resize(picture, short):
    height, width = picture.shape[:2]
    if height < width:
        return resize_to(picture, int(short / height * width), short)
    return resize_to(picture, short, int(short / width * height))


def k_resize(picture, k):
    height, width = picture.shape[:2]
    if height < width:
        new_height, new_width = 16 * k, int(16 * k / height * width)
        new_width = (new_width + 32) - (new_width + 32) % 64
    else:
        new_height, new_width = int(16 * k / width * height), 16 * k
        new_height = (new_height + 32) - (new_height + 32) % 64
    return resize_to(picture, new_width, new_height)


def normalise(page):
    page = np.min(min_resize(page, 512), axis=2)
    light = np.max(min_resize(page, 64))
    intensity = (light - page.astype(np.float32)).clip(0, 255)
    values = np.sort(intensity[intensity > 16])[::-1]
    intensity /= values[int(len(values) * 0.1)]
    intensity *= 0.9
    return (255.0 - intensity * 255.0).clip(0, 255).astype(np.uint8)


def draw_sketch(page_norm, tail):
    height, width = page_norm.shape
    padded = np.pad(page_norm, 20, mode="symmetric").astype(np.float32) / 255.0
    padded = np.tile(padded[..., None], [1, 1, 3])
    sketch = np.zeros((2 * height, 2 * width, 3), dtype=np.float32)
    for top in range(0, height, 64):
        for left in range(0, width, 64):
            bottom, right = min(top + 64, height), min(left + 64, width)
            tile = padded[top : bottom + 40, left : right + 40]
            made = tail(tile[None])[0][41:-41, 41:-41]
            sketch[2 * top : 2 * bottom, 2 * left : 2 * right] = made
    sketch = (sketch * 255.0).clip(0, 255).astype(np.uint8)
    return np.mean(sketch, axis=2).clip(0, 255).round().astype(np.uint8)


def lift_origin(page, shape):
    grey = cv2.cvtColor(page, cv2.COLOR_BGR2GRAY)
    origin = resize_to(grey, shape[1], shape[0]).astype(np.float32)
    low = cv2.GaussianBlur(origin, (0, 0), 3.0)
    high = origin - low
    low = (low / np.median(low) * 255.0).clip(0, 255)
    return (low + high).clip(0, 255).astype(np.uint8)


def diffuse(picture, sketch):
    x = picture.astype(np.float32)
    lines = np.pad(sketch.astype(np.float32), 1, mode="symmetric")
    centre = lines[1:-1, 1:-1]
    near = [centre, lines[:-2, 1:-1], lines[1:-1, :-2], lines[1:-1, 2:], lines[2:, 1:-1]]
    weights = np.stack([np.maximum(0.0, 8.0 - np.abs(centre - other)) for other in near])
    weights = weights / np.sum(weights, axis=0)
    for _ in range(64):
        p = np.pad(x, ((1, 1), (1, 1), (0, 0)), mode="symmetric")
        around = [p[1:-1, 1:-1], p[:-2, 1:-1], p[1:-1, :-2], p[1:-1, 2:], p[2:, 1:-1]]
        x = sum(w[..., None] * o for w, o in zip(weights, around, strict=True))
    return x


def guided_filter(guide, picture, radius, eps):
    size = (2 * radius + 1, 2 * radius + 1)
    box = lambda a: cv2.blur(a, size, borderType=cv2.BORDER_REFLECT)  # noqa: E731
    mean_g = box(guide)
    var = box(guide * guide) - mean_g * mean_g
    result = np.empty_like(picture)
    for c in range(3):
        mean_p = box(picture[..., c])
        cov = box(guide * picture[..., c]) - mean_g * mean_p
        a = cov / (var + eps)
        b = mean_p - a * mean_g
        result[..., c] = box(a) * guide + box(b)
    return result


def match_tone(x, target):
    def statistics(values):
        values = values.astype(np.float64)
        mean = np.mean(values)
        high = mean
        for _ in range(2):
            high = np.mean(values[values >= high])
        low = mean
        for _ in range(4):
            low = np.mean(values[values <= low])
        return low, mean, high

    result = np.empty_like(x)
    for c in range(3):
        parabola = np.polyfit(statistics(x[..., c]), statistics(target[..., c]), 2)
        result[..., c] = np.polyval(parabola, x[..., c])
    return result


def refine(careless, sketch, origin):
    x = diffuse(resize_to(careless, sketch.shape[1], sketch.shape[0]), sketch)
    x = x + 2.0 * (x - cv2.GaussianBlur(x, (0, 0), 1.0))
    for _ in range(4):
        x = guided_filter(sketch.astype(np.float32), x, 1, 0.01)
    x = match_tone(x, careless).clip(0, 255).astype(np.uint8)
    yuv = cv2.cvtColor(x, cv2.COLOR_BGR2YUV)
    yuv[..., 0] = np.minimum(yuv[..., 0], origin)
    return cv2.cvtColor(yuv, cv2.COLOR_YUV2BGR)
