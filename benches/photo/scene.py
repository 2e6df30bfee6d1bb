"""Draws cloths and walls, dresses and places people, spoils pictures. Every function takes the random generator."""

import colorsys

import cv2
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from people import Person

TEXT = "NORTH CLOUD ICP"
FONT = f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans-Bold.ttf"
GOOD_TOPS = ["own", "white", "grey", "black", "green", "yellow", "beige", "brown", "olive", "charcoal"]
TOPS = {
    "white": (0.92, 0.92, 0.9), "grey": (0.5, 0.5, 0.52), "black": (0.1, 0.1, 0.1), "green": (0.16, 0.45, 0.22),
    "yellow": (0.85, 0.72, 0.2), "beige": (0.8, 0.72, 0.58), "brown": (0.36, 0.25, 0.17), "olive": (0.4, 0.4, 0.2),
    "charcoal": (0.2, 0.21, 0.23),
}


def ink(width: int, height: int) -> np.ndarray:
    """The text as it fills a box of this size, 0..1."""
    font = ImageFont.truetype(FONT, 200)
    left, top, right, bottom = font.getbbox(TEXT)
    drawn = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(drawn).text((-left, -top), TEXT, font=font, fill=255)
    return np.asarray(drawn.resize((width, height), Image.Resampling.LANCZOS), np.float32) / 255


def text_ratio() -> float:
    font = ImageFont.truetype(FONT, 200)
    left, top, right, bottom = font.getbbox(TEXT)
    return (right - left) / (bottom - top)


def template() -> dict:
    """The text as a backdrop profile describes it."""
    height = 9
    drawn = ink(round(height * text_ratio()), height)
    rows = ["".join("#" if value > 0.66 else "+" if value > 0.33 else "." for value in line) for line in drawn]
    return {"rows": rows, "height_from": 0.024, "height_to": 0.056, "bottom": 0.4, "minimal_match": 0.5}


def smooth_noise(rng, width: int, height: int, cells: int) -> np.ndarray:
    """Noise of low frequency, about -1..1."""
    small = rng.normal(size=(cells + 2, cells + 2)).astype(np.float32)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC) * 0.6


def shade(rng, width: int, height: int, folds: float) -> np.ndarray:
    """Folds and uneven light as a factor around 1."""
    x = np.linspace(0, 1, width)[None, :]
    y = np.linspace(0, 1, height)[:, None]
    light = 1 + rng.uniform(-0.16, 0.16) * (x - 0.5) + rng.uniform(-0.16, 0.16) * (y - 0.5)
    for _ in range(rng.integers(2, 6)):
        slant, wave = rng.uniform(-0.25, 0.25), rng.uniform(2, 9)
        ridge = np.sin(2 * np.pi * (wave * (x + slant * y) + rng.uniform(0, 1)))
        light = light + folds * rng.uniform(0.3, 1) * ridge * np.abs(ridge)
    return (light + 0.03 * smooth_noise(rng, width, height, 5)).astype(np.float32)


def cloth(rng, width: int, height: int, text_at=None, text_strength=1.0) -> np.ndarray:
    """The provider's cloth with its name in white. `text_at`: middle x, top, height as shares; None: no text."""
    colour = np.array(colorsys.hsv_to_rgb(rng.uniform(206, 228) / 360, rng.uniform(0.68, 0.92), rng.uniform(0.5, 0.85)))
    plain = np.broadcast_to(colour.astype(np.float32), (height, width, 3)).copy()
    if text_at:
        x, top, size = text_at
        h = max(int(size * height), 4)
        w = min(int(h * text_ratio()), width - 4)
        left = int(np.clip(x * width - w / 2, 2, width - w - 2))
        y = int(top * height)
        plain[y : y + h, left : left + w] += (0.95 - plain[y : y + h, left : left + w]) * ink(w, h)[..., None] * text_strength
    return plain * shade(rng, width, height, rng.uniform(0.015, 0.06))[..., None]


def wall(rng, width: int, height: int) -> np.ndarray:
    """Something that is not the cloth: painted, panelled or papered, sometimes with a door or a picture."""
    hue = rng.choice([30, 45, 60, 100, 10, 0]) / 360
    colour = np.array(colorsys.hsv_to_rgb(hue, rng.uniform(0, 0.35), rng.uniform(0.45, 0.92)), np.float32)
    drawn = np.broadcast_to(colour, (height, width, 3)) * shade(rng, width, height, 0.02)[..., None]
    drawn = drawn * (1 + 0.05 * smooth_noise(rng, width, height, 60))[..., None]
    for _ in range(rng.integers(0, 4)):
        x, y = rng.integers(0, width), rng.integers(0, height)
        w, h = rng.integers(width // 12, width // 3), rng.integers(height // 12, height // 2)
        drawn[y : y + h, x : x + w] *= rng.uniform(0.4, 1.1, 3).astype(np.float32)
    return drawn.astype(np.float32)


def dress(rng, person: Person, top: str) -> np.ndarray:
    """The person's picture with another top; the cloth's own light and dark stay."""
    if top == "own":
        return person.rgb
    if top == "red":
        colour = colorsys.hsv_to_rgb(rng.uniform(-8, 6) % 360 / 360, rng.uniform(0.75, 0.95), rng.uniform(0.45, 0.85))
    elif top == "blue":
        colour = colorsys.hsv_to_rgb(rng.uniform(208, 238) / 360, rng.uniform(0.6, 0.95), rng.uniform(0.4, 0.85))
    else:
        colour = TOPS[top]
    grey = person.rgb.mean(axis=2)
    inside = grey[person.clothes_mask > 0.5]
    low, high = np.percentile(inside, [5, 95])
    light = 0.6 + 0.5 * np.clip((grey - low) / max(high - low, 0.05), 0, 1)
    coloured = np.clip(light[..., None] * np.array(colour), 0, 1)
    return person.rgb + (coloured - person.rgb) * person.clothes_mask[..., None]


def tan(picture: np.ndarray, person: Person, factor: float) -> np.ndarray:
    """Another darkness of the skin."""
    return picture * (1 + (factor - 1) * person.skin_mask[..., None])


def place(scene: np.ndarray, picture: np.ndarray, person: Person, x: float, y: float, face: float, flip=False) -> None:
    """Puts the person into the scene: middle of the face at (x, y), height of the face, as shares of the scene."""
    height, width = scene.shape[:2]
    scale = face * height / person.face[2]
    size = (max(int(picture.shape[1] * scale), 1), max(int(picture.shape[0] * scale), 1))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    rgb = cv2.resize(picture.astype(np.float32), size, interpolation=how)
    alpha = np.clip(cv2.resize(person.alpha, size, interpolation=how), 0, 1)
    fx, fy = person.face[0] * scale, person.face[1] * scale
    if flip:
        rgb, alpha, fx = rgb[:, ::-1], alpha[:, ::-1], size[0] - fx
    left, top = int(x * width - fx), int(y * height - fy)
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + size[0], width), min(top + size[1], height)
    if x0 >= x1 or y0 >= y1:
        return
    part = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    a = alpha[part][..., None]
    scene[y0:y1, x0:x1] = scene[y0:y1, x0:x1] * (1 - a) + np.clip(rgb[part], 0, 1) * a


def camera(rng, scene: np.ndarray, gain=None) -> np.ndarray:
    """White balance, exposure, a little softness, noise: 8-bit colour."""
    balance = rng.uniform(0.97, 1.03, 3)
    shot = scene.astype(np.float32) * balance.astype(np.float32) * np.float32(gain if gain is not None else rng.uniform(0.88, 1.1))
    shot = cv2.GaussianBlur(shot.astype(np.float32), (0, 0), rng.uniform(0.3, 0.7))
    shot += rng.standard_normal(shot.shape, np.float32) * np.float32(rng.uniform(0.003, 0.014))
    return (np.clip(shot, 0, 1) * 255).astype(np.uint8)


def blurred(rng, picture: np.ndarray) -> np.ndarray:
    """Out of focus, or moved."""
    width = picture.shape[1]
    if rng.random() < 0.6:
        return cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.006, 0.012) * width)
    length = int(rng.uniform(0.025, 0.045) * width) | 1
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1 / length
    turn = cv2.getRotationMatrix2D((length / 2 - 0.5, length / 2 - 0.5), rng.uniform(0, 180), 1)
    kernel = cv2.warpAffine(kernel, turn, (length, length))
    return cv2.filter2D(picture, -1, kernel / max(kernel.sum(), 1e-6))
