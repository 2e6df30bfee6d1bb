"""Makes the photos that the tests and the walk-through send: examples/files/photo*.jpg, tests/api/fixtures/photos/*.jpg.

    venv/bin/python benches/photo/fixtures.py CACHE

The people are works of the United States government (see people.py); tops, cloth and light are made here.
"""

import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

import people
import scene

ROOT = Path(__file__).parents[2]
EXAMPLES, FIXTURES = ROOT / "examples/files", ROOT / "tests/api/fixtures/photos"


def compose(seed, person, top, *, size=(720, 960), face=0.2, x=0.5, back="cloth", second=None, sharp=True, head=0.11,
            flip=False):
    rng = np.random.default_rng(seed)
    width, height = size
    drawn = scene.cloth(rng, width, height, (0.5, 0.035, 0.042)) if back == "cloth" else scene.wall(rng, width, height)

    def put(who, top, x, face, flip=False):
        above = (who.face[1] - who.top) / who.face[2]
        below = (who.rgb.shape[0] - who.face[1]) / who.face[2]
        face = max(face, (1 - head) / (above + below))
        scene.place(drawn, scene.dress(rng, who, top), who, x, head + above * face, face, flip)

    if second:
        put(second, "grey", 0.74, face, True)
    if person:
        put(person, top, x, face, flip)
    shot = np.clip(drawn, 0, 1)
    shot = (np.clip(shot + rng.standard_normal(shot.shape) * 0.003, 0, 1) * 255).astype(np.uint8)
    return shot if sharp else scene.blurred(np.random.default_rng(3), shot)


def exif(turn=None, private=False):
    tags = Image.Exif()
    tags[0x010F], tags[0x0110], tags[0x0131] = "Example", "Camera 12", "ExampleOS 17.1"
    if turn:
        tags[0x0112] = turn
    if private:
        detail = tags.get_ifd(0x8769)
        detail[0x9003] = "2026:01:12 10:20:30"
        detail[0xA431] = "SN-0123456789"
        detail[0xA430] = "Owner Name"
        place = tags.get_ifd(0x8825)
        place[1], place[2], place[3], place[4] = "N", (39.0, 54.0, 26.0), "E", (116.0, 23.0, 29.0)
    return tags


def save(path, picture, **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    for quality in (88, 82, 76, 70):
        Image.fromarray(picture).save(path, quality=quality, optimize=True, **how)
        if path.stat().st_size <= 95_000:
            return
    raise SystemExit(f"{path} is too large")


def main():
    cast = people.load(Path(sys.argv[1]))
    collins, biden, hopper = cast["collins"], cast["biden"], cast["hopper"]
    save(EXAMPLES / "photo.jpg", compose(11, collins, "beige"), exif=exif())
    save(EXAMPLES / "photo-retake.jpg", compose(12, collins, "charcoal", x=0.44, face=0.27, flip=True), exif=exif())
    FIXTURES.mkdir(parents=True, exist_ok=True)
    (FIXTURES / "text-template.json").write_text(json.dumps(scene.template(), indent=1) + "\n")
    small = Image.fromarray(compose(13, collins, "green", x=0.57, face=0.28)).resize((375, 500), Image.Resampling.LANCZOS)
    save(EXAMPLES / "photo-too-small.jpg", np.asarray(small), exif=exif())
    save(FIXTURES / "good-1.jpg", compose(21, collins, "white", x=0.55, flip=True), exif=exif())
    save(FIXTURES / "good-2.jpg", compose(22, biden, "grey"), exif=exif())
    save(FIXTURES / "no-face.jpg", compose(23, None, None), exif=exif())
    save(FIXTURES / "two-faces.jpg", compose(24, biden, "brown", x=0.3, second=hopper, face=0.15), exif=exif())
    save(FIXTURES / "no-backdrop.jpg", compose(25, biden, "grey", back="wall"), exif=exif())
    save(FIXTURES / "red-top.jpg", compose(26, biden, "red"), exif=exif())
    save(FIXTURES / "blurred.jpg", compose(27, biden, "brown", sharp=False), exif=exif())
    turned = np.rot90(compose(28, collins, "green", x=0.47, face=0.3, flip=True), 1)
    save(FIXTURES / "rotated-exif-6.jpg", np.ascontiguousarray(turned), exif=exif(turn=6))
    save(FIXTURES / "gps-and-serial-number.jpg", compose(29, biden, "beige", x=0.55), exif=exif(private=True), comment=b"a comment")


if __name__ == "__main__":
    main()
