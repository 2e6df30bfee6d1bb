"""Composes the pictures on which the photo pre-check is measured, and writes what each of them must be found to be.

    python3.11 -m venv venv && venv/bin/pip install -r benches/photo/requirements.txt
    venv/bin/python benches/photo/generate.py SET FOLDER [--each N]

SET is `tuning` (limits were chosen on it) or `reporting` (other pictures of people, other seeds; for the table).
FOLDER gets the pictures, `manifest.json` and `profile.json`.
"""

import argparse
import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

import people
import scene

SETS = {
    "tuning": (["obama", "hopper"], 1),
    "reporting": (["biden", "collins", "obama2", "obama3"], 2),
}
SIZES = [(600, 800), (720, 960), (900, 1200), (1080, 1440), (900, 900), (1080, 810)]
TODAY, REVIEWED = "2026-11-25", "2026-11-02"
TAKEN = "2026:11:20 10:00:00"
ROTATIONS = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}


class Set:
    def __init__(self, folder: Path, cast: dict, seed: int):
        self.folder, self.cast, self.seed = folder, list(cast.values()), seed
        self.rows, self.goods = [], []
        folder.mkdir(parents=True, exist_ok=True)

    def rng(self, fault: str, number: int):
        return np.random.default_rng([self.seed, number, *fault.encode()])

    def compose(self, rng, number, *, top=None, x=None, y=None, face=None, back="cloth", text=1.0, second=False,
                nobody=False, gain=None):
        """A picture and who is in it. What is not given is as in a good picture."""
        width, height = SIZES[rng.integers(len(SIZES))]
        person = self.cast[number % len(self.cast)]
        face = face or rng.uniform(0.17, 0.25)
        text_size = min(rng.uniform(0.028, 0.05), 0.8 * width / height / scene.text_ratio())
        text_at = (0.5 + rng.uniform(-0.08, 0.08), rng.uniform(0.03, 0.06), text_size)
        drawn = scene.cloth(rng, width, height, text_at if text else None, text)
        if back == "wall":
            drawn = scene.wall(rng, width, height)
        elif back in ("left", "right", "top"):
            beside = scene.wall(rng, width, height)
            size, slant = rng.uniform(0.06, 0.2), rng.uniform(-0.03, 0.03)
            xs, ys = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
            along, across = (xs, ys) if back == "top" else (ys, 1 - xs if back == "right" else xs)
            if back == "top":
                # The cloth with its text hangs lower.
                drawn = np.roll(drawn, int(size * height), axis=0)
            drawn = np.where((across < size + slant * (along - 0.5))[..., None], beside, drawn)
        # Hair and hat stay below the text, and the cut-out reaches the lower edge of the picture.
        above = (person.face[1] - person.top) / person.face[2]
        below = (person.rgb.shape[0] - person.face[1]) / person.face[2]
        head_from = text_at[1] + text_at[2] + rng.uniform(0.01, 0.05)
        if y is None and not second and face > 0.15:
            face = max(face, (1 - head_from) / (above + below))
        if y is None:
            y = head_from + above * face
        x = x or 0.5 + rng.uniform(-0.07, 0.07)
        if second:
            other = self.cast[(number + 1) % len(self.cast)]
            side = rng.choice([-1, 1])
            x = 0.5 - side * rng.uniform(0.12, 0.2)
            clothes = scene.dress(rng, other, rng.choice(scene.GOOD_TOPS[1:]))
            scene.place(drawn, clothes, other, 0.5 + side * rng.uniform(0.24, 0.3), y + rng.uniform(-0.04, 0.1),
                        face * rng.uniform(0.7, 1), rng.random() < 0.5)
        if not nobody:
            tone = float(rng.choice([1.0, 1.0, 0.75, 0.5])) if person.skin == "light" else float(rng.choice([1.0, 0.7]))
            picture = scene.dress(rng, person, top or self.good_top(rng, person))
            picture = scene.tan(picture, person, tone)
            scene.place(drawn, picture, person, x, y, face, rng.random() < 0.5)
        else:
            tone = 1.0
        return scene.camera(rng, drawn, gain), {"person": person.name, "sex": person.sex, "skin": person.skin, "tone": tone}

    @staticmethod
    def good_top(rng, person):
        # The orange suit is near red, and nobody says what a reviewer would call it.
        tops = scene.GOOD_TOPS[1:] if person.name == "collins" else scene.GOOD_TOPS
        return str(rng.choice(tops))

    def save(self, fault, number, picture, who, expected, *, quality=None, exif=None, turn=None, used=(), suffix="jpg"):
        name = f"{fault}-{number:03}.{suffix}"
        image = Image.fromarray(picture)
        tags = Image.Exif()
        tags[0x010F], tags[0x0110] = "Example", "Camera 12"
        for tag, value in (exif or {}).items():
            if tag == 0x9003:
                tags.get_ifd(0x8769)[tag] = value
            else:
                tags[tag] = value
        if turn:
            tags[0x0112] = turn
            image = image.transpose(ROTATIONS[turn])
        if suffix == "png":
            image.save(self.folder / name, exif=tags)
        else:
            image.save(self.folder / name, quality=quality or 88, exif=tags)
        self.rows.append({"file": name, "fault": fault, "expected": expected, "used": list(used), "today": TODAY,
                          "reviewed_on": REVIEWED, **who})
        return name

    def make(self, fault, each, expected, spoil=None, **how):
        for number in range(each):
            rng = self.rng(fault, number)
            choices = {key: value(rng) if callable(value) else value for key, value in how.items()}
            picture, who = self.compose(rng, number, **choices)
            if spoil:
                picture = spoil(rng, picture)
            self.save(fault, number, picture, who, expected, quality=int(rng.integers(75, 96)), exif={0x9003: TAKEN})

    def make_good(self, each):
        for number in range(each * 3):
            rng = self.rng("good", number)
            picture, who = self.compose(rng, number)
            turn = int(rng.choice([3, 6, 8])) if number % 5 == 4 else None
            exif = {} if number % 4 == 3 else {0x9003: TAKEN, 0x0131: "ExampleOS 17.1"}
            suffix = "png" if number % 12 == 11 and not turn else "jpg"
            name = self.save("good", number, picture, who, [], quality=int(rng.integers(75, 96)), exif=exif, turn=turn,
                             suffix=suffix)
            self.goods.append((name, picture, who))
        # Nobody's picture is a copy of the others.
        names = [name for name, _, _ in self.goods]
        for row in self.rows:
            row["used"] = [name for name in names if name != row["file"]]

    def make_reused(self, each):
        kinds = ["recompressed", "scaled", "cropped", "brightness", "all"]
        for number in range(each * 2):
            rng = self.rng("reused", number)
            name, picture, who = self.goods[number % len(self.goods)]
            image = Image.fromarray(picture)
            kind = kinds[number % len(kinds)]
            if kind in ("cropped", "all"):
                cut = rng.uniform(0, 0.04, 4)
                w, h = image.size
                image = image.crop((int(cut[0] * w), int(cut[1] * h), int(w - cut[2] * w), int(h - cut[3] * h)))
            if kind in ("scaled", "all"):
                factor = rng.uniform(0.7, 1.4)
                image = image.resize((int(image.width * factor), int(image.height * factor)), Image.Resampling.LANCZOS)
            copy = np.asarray(image)
            if kind in ("brightness", "all"):
                copy = np.clip(copy * rng.uniform(0.75, 1.2) + rng.uniform(-12, 12), 0, 255).astype(np.uint8)
            self.save(f"reused_{kind}", number, copy, who, ["PHOTO_REUSED"], quality=int(rng.integers(45, 90)), used=[name])

    def make_dated(self, each):
        old = ["2026:11:01 09:00:00", "2026:10:20 09:00:00", "2026:09:30 18:00:00", "2025:11:20 09:00:00"]
        season = ["2026:07:15 09:00:00", "2026:08:20 09:00:00", "2026:05:02 09:00:00", "2026:02:11 09:00:00"]
        editors = ["Adobe Photoshop 26.1 (Windows)", "Snapseed 2.0", "GIMP 2.10.38", "MeituXiuXiu 11.0", "Xingtu 12.4"]
        for number in range(each):
            for fault, exif in [
                ("older_date", {0x9003: old[number % len(old)]}),
                ("other_season", {0x9003: season[number % len(season)]}),
                ("edited", {0x9003: TAKEN, 0x0131: editors[number % len(editors)]}),
            ]:
                rng = self.rng(fault, number)
                picture, who = self.compose(rng, number)
                code = "PHOTO_EDITED" if fault == "edited" else "PHOTO_CLOTHES_SEASON"
                self.save(fault, number, picture, who, [code], exif=exif)
                if fault == "other_season":
                    # Only the season speaks: the review is not known.
                    self.rows[-1]["reviewed_on"] = None


def small(rng, picture):
    image = Image.fromarray(picture)
    image.thumbnail((int(rng.integers(300, 590)),) * 2)
    return np.asarray(image)


def profile():
    """The shipped profile with the template of the drawn text."""
    shipped = Path(__file__).parents[2] / "src/catalogue/data/backdrop_profiles.json"
    rows = json.loads(shipped.read_text())["rows"]
    chosen = next(row["profile"] for row in rows if row["code"] == "default")
    return chosen | {"text": scene.template()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("set", choices=SETS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--each", type=int, default=40, help="pictures of each fault")
    parser.add_argument("--seed", type=int, help="other pictures of the same people: for a set that nobody has looked at")
    arguments = parser.parse_args()
    names, seed = SETS[arguments.set]
    seed = seed if arguments.seed is None else arguments.seed
    cast = people.load(arguments.folder / ".cache")
    made = Set(arguments.folder, {name: cast[name] for name in names}, seed)
    each = arguments.each
    made.make_good(each)
    made.make_reused(each)
    made.make_dated(each)
    far = {"face": lambda rng: rng.uniform(0.045, 0.085), "y": lambda rng: rng.uniform(0.45, 0.7)}
    near = {"face": lambda rng: rng.uniform(0.5, 0.62), "y": lambda rng: rng.uniform(0.45, 0.6)}
    shift = {"x": lambda rng: rng.choice([-1, 1]) * rng.uniform(0.21, 0.28) + 0.5}
    made.make("too_small", each, ["PHOTO_TOO_SMALL"], small)
    made.make("nobody", each, ["PHOTO_NO_FACE"], nobody=True)
    made.make("two_people", each, ["PHOTO_SEVERAL_FACES"], second=True)
    made.make("shifted", each, ["PHOTO_NOT_CENTERED"], **shift)
    made.make("too_far", each, ["PHOTO_NOT_UPPER_BODY"], **far)
    made.make("too_close", each, ["PHOTO_NOT_UPPER_BODY"], **near)
    made.make("no_shoulders", each, ["PHOTO_NOT_UPPER_BODY"], y=lambda rng: rng.uniform(0.84, 0.88))
    made.make("no_backdrop", each, ["PHOTO_BACKDROP_MISSING"], back="wall")
    for edge in ("left", "right", "top"):
        made.make(f"cropped_{edge}", each, ["PHOTO_BACKDROP_CROPPED"], back=edge)
    made.make("faded_text", each, ["PHOTO_TEXT_UNCLEAR"], text=lambda rng: rng.uniform(0.0, 0.06))
    made.make("mirrored", each, ["PHOTO_MIRRORED"], lambda rng, picture: picture[:, ::-1])
    made.make("red_top", each, ["PHOTO_CLOTHES_COLOUR"], top="red")
    made.make("blue_top", each, ["PHOTO_CLOTHES_COLOUR"], top="blue")
    made.make("blurred", each, ["PHOTO_BLURRED"], scene.blurred)
    made.make("dark", each, ["PHOTO_EXPOSURE"], gain=lambda rng: rng.uniform(0.1, 0.28))
    made.make("bright", each, ["PHOTO_EXPOSURE"], gain=lambda rng: rng.uniform(2.2, 3.2))
    (arguments.folder / "manifest.json").write_text(json.dumps(made.rows, ensure_ascii=False, indent=1))
    (arguments.folder / "profile.json").write_text(json.dumps(profile(), indent=1))
    print(f"{len(made.rows)} pictures in {arguments.folder}")


if __name__ == "__main__":
    main()
