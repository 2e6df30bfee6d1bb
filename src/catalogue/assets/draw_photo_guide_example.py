"""Draws photo-guide-example.jpg: the blue backdrop with the provider's name, and a silhouette in its middle.

Needs Pillow and a Chinese font (Debian: fonts-wqy-zenhei or fonts-noto-cjk):
    python3 draw_photo_guide_example.py [PROVIDER] [FONT_FILE]
"""

import pathlib
import sys

from PIL import Image, ImageDraw, ImageFilter, ImageFont

WIDTH, HEIGHT = 900, 1200
BACKDROP = (24, 92, 184)
LETTERS = (236, 243, 255)
PERSON = (58, 62, 70)
TOP = (112, 118, 126)  # grey: neither red nor blue, as the guide asks
FONTS = [
    "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
]


def draw(provider, font_file):
    picture = Image.new("RGB", (WIDTH, HEIGHT), BACKDROP)
    pen = ImageDraw.Draw(picture)
    # Soft folds, so that it looks like cloth and not like a screen.
    for x in range(0, WIDTH, 150):
        pen.rectangle([x, 0, x + 26, HEIGHT], fill=(22, 86, 174))
        pen.rectangle([x + 26, 0, x + 48, HEIGHT], fill=(29, 99, 193))
    picture = picture.filter(ImageFilter.GaussianBlur(14))
    pen = ImageDraw.Draw(picture)

    title = ImageFont.truetype(font_file, 132)
    line = ImageFont.truetype(font_file, 62)
    pen.text((WIDTH / 2, 130), provider, font=title, fill=LETTERS, anchor="mm")
    pen.text((WIDTH / 2, 255), "备案核验", font=line, fill=LETTERS, anchor="mm")
    for y in (430, 620):
        for x in (130, WIDTH - 130):
            pen.text((x, y), provider, font=line, fill=LETTERS, anchor="mm")

    middle = WIDTH // 2
    pen.rounded_rectangle([middle - 330, 860, middle + 330, HEIGHT + 200], radius=190, fill=TOP)
    pen.polygon([(middle - 95, 862), (middle + 95, 862), (middle, 985)], fill=PERSON)
    pen.rounded_rectangle([middle - 70, 740, middle + 70, 900], radius=40, fill=PERSON)
    pen.ellipse([middle - 165, 375, middle + 165, 795], fill=PERSON)

    pen.rectangle([20, 20, WIDTH - 20, HEIGHT - 20], outline=(255, 255, 255), width=3)
    label = ImageFont.truetype(font_file, 40)
    pen.text((middle, 1130), "网站负责人（示例）", font=label, fill=(255, 255, 255), anchor="mm")
    return picture


if __name__ == "__main__":
    name = sys.argv[1] if len(sys.argv) > 1 else "示例云"
    font = sys.argv[2] if len(sys.argv) > 2 else next(f for f in FONTS if pathlib.Path(f).exists())
    target = pathlib.Path(__file__).with_name("photo-guide-example.jpg")
    draw(name, font).save(target, quality=86, optimize=True)
    print(target.name, target.stat().st_size, "bytes")
