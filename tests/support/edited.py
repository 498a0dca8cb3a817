"""Pictures with detail, pages of text, and the edits that make another file of the same picture."""

import random

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps


def scene(seed, width=240, height=180):
    """Return a picture of blots and lines, unlike that of any other seed."""
    r = random.Random(seed)
    colour = lambda: tuple(r.randrange(256) for _ in range(3))  # noqa: E731
    image = Image.new("RGB", (width, height), colour())
    draw = ImageDraw.Draw(image)
    for _ in range(40):
        x, y = r.randrange(width), r.randrange(height)
        size = r.randrange(6, 50)
        shape = r.choice((draw.ellipse, draw.rectangle))
        shape((x, y, x + size, y + r.randrange(6, 50)), fill=colour())
    grain = np.random.default_rng(seed).normal(0, 12, (height // 2, width // 2))
    rough = Image.fromarray(np.clip(128 + grain, 0, 255).astype(np.uint8)).resize(image.size)
    return Image.blend(image, Image.merge("RGB", [rough] * 3), 0.25).filter(ImageFilter.GaussianBlur(0.6))


def page(seed):
    """Return a page of text, unlike that of any other seed but in the words."""
    r = random.Random(seed)
    image = Image.new("RGB", (420, 594), "white")
    y = 30
    while y < 560:
        words = (
            "".join(r.choice("abcdefghijklmnoprstuvw") for _ in range(r.randint(2, 9)))
            for _ in range(r.randint(4, 10))
        )
        ImageDraw.Draw(image).text((30, y), " ".join(words)[:58], fill="black")
        y += 14 if r.random() > 0.12 else 34
    return image


def scaled(image, factor):
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(size, Image.Resampling.LANCZOS)


def cropped(image, share):
    x, y = round(image.width * share), round(image.height * share)
    return image.crop((x, y, image.width - x, image.height - y))


def watermarked(image):
    layer = Image.new("RGBA", image.size)
    font = ImageFont.load_default(size=max(10, image.width // 8))
    draw = ImageDraw.Draw(layer)
    *_, right, bottom = draw.textbbox((0, 0), "© SAMPLE", font=font)
    place = ((image.width - right) / 2, (image.height - bottom) / 2)
    draw.text(place, "© SAMPLE", font=font, fill=(255, 255, 255, 160))
    return Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB")


EDITS = {
    "flipped": (ImageOps.mirror, 90),
    "half the size": (lambda image: scaled(image, 0.5), 90),
    "saved again, quality 30": (lambda image: image, 30),
    "cropped to 90 %": (lambda image: cropped(image, 0.05), 90),
    "brighter": (lambda image: ImageEnhance.Brightness(image).enhance(1.3), 90),
    "turned by 5°": (lambda image: image.rotate(5, Image.Resampling.BICUBIC), 90),
    "grey": (lambda image: ImageOps.grayscale(image).convert("RGB"), 90),
    "watermarked": (watermarked, 90),
}  # name → what becomes of the picture, and the quality of the JPEG that it is saved as
