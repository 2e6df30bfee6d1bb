"""Portraits from package registries, cut out with the model that ships in mediapipe's wheel.

All are works of the United States government and therefore in the public domain there:

| name     | picture                                                  | package                                           |
|----------|----------------------------------------------------------|---------------------------------------------------|
| obama    | official portrait 2012, Pete Souza, White House          | PyPI face_recognition 1.3.0 (source), obama.jpg   |
| obama2   | address to Congress 2009, Pete Souza, White House        | the same, obama2.jpg                              |
| obama3   | Blue Room, Pete Souza, White House                       | the same, obama3.jpg                              |
| biden    | official portrait 2009 (Blue Room), White House          | the same, biden.jpg                               |
| hopper   | Commodore Grace M. Hopper 1984, James S. Davis, US Navy  | PyPI matplotlib, sample_data/grace_hopper.jpg     |
| collins  | Eileen M. Collins, NASA                                  | PyPI scikit-image, data/astronaut.png             |
"""

import hashlib
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import matplotlib
import mediapipe as mp
import numpy as np
import skimage
from PIL import Image

SDIST = ("face_recognition==1.3.0", "5e5efdd1686aa566af0d3cc1313b131e4b197657a8ffd03669e6d3fad92705ec")


@dataclass
class Person:
    """A cut-out: colour 0..1, alpha 0..1, the face's box and what is skin."""

    name: str
    sex: str
    skin: str
    rgb: np.ndarray
    alpha: np.ndarray
    face: tuple[float, float, float]  # middle x, middle y, height; pixels of the cut-out
    top: float  # where hair or hat begins
    skin_mask: np.ndarray
    clothes_mask: np.ndarray


def sources(cache: Path) -> dict[str, tuple[Path, tuple[int, int, int, int] | None, str, str]]:
    """Files, the part that is used (left, top, right, bottom), sex, skin."""
    tests = fetch(cache)
    return {
        "obama": (tests / "obama.jpg", None, "m", "dark"),
        "obama2": (tests / "obama2.jpg", (0, 60, 626, 1060), "m", "dark"),
        "obama3": (tests / "obama3.jpg", (150, 100, 1300, 1500), "m", "dark"),
        "biden": (tests / "biden.jpg", (0, 40, 970, 1300), "m", "light"),
        "hopper": (Path(matplotlib.get_data_path()) / "sample_data/grace_hopper.jpg", None, "f", "light"),
        "collins": (Path(skimage.__file__).parent / "data/astronaut.png", None, "f", "light"),
    }


def fetch(cache: Path) -> Path:
    """The test pictures of face_recognition's source package, fetched once."""
    folder = cache / "face_recognition-1.3.0/tests/test_images"
    if folder.exists():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", "--no-build-isolation"]
    subprocess.run([*pip, "--dest", str(cache), SDIST[0]], check=True)
    archive = cache / "face_recognition-1.3.0.tar.gz"
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != SDIST[1]:
        raise SystemExit(f"{archive}: SHA-256 is {found}, expected {SDIST[1]}")
    with tarfile.open(archive) as tar:
        tar.extractall(cache, filter="data")
    return folder


def load(cache: Path) -> dict[str, Person]:
    return {name: cut_out(name, *source) for name, source in sources(cache).items()}


def cut_out(name: str, path: Path, part: tuple[int, int, int, int] | None, sex: str, skin: str) -> Person:
    picture = Image.open(path).convert("RGB")
    if part:
        picture = picture.crop(part)
    rgb = np.asarray(picture)
    with mp.solutions.selfie_segmentation.SelfieSegmentation(model_selection=0) as model:
        rough = model.process(rgb).segmentation_mask
    alpha = refine(rgb, rough)
    with mp.solutions.face_detection.FaceDetection(model_selection=1, min_detection_confidence=0.4) as model:
        faces = model.process(rgb).detections
    box = max((f.location_data.relative_bounding_box for f in faces), key=lambda box: box.height)
    height, width = rgb.shape[:2]
    face = ((box.xmin + box.width / 2) * width, (box.ymin + box.height / 2) * height, box.height * height)
    top = float(np.argmax(alpha.max(axis=1) > 0.5))
    skin_mask = skin_of(rgb, alpha, face)
    below = np.zeros(rgb.shape[:2])
    below[int(face[1] + face[2] * 0.55) :] = 1.0
    clothes = cv2.GaussianBlur((below * alpha * (1 - skin_mask)).astype(np.float32), (0, 0), 1.5)
    return Person(name, sex, skin, rgb / 255.0, alpha, face, top, skin_mask, clothes)


def refine(rgb: np.ndarray, rough: np.ndarray) -> np.ndarray:
    """The model's mask is coarse: GrabCut decides the rim, then it is feathered."""
    marks = np.full(rough.shape, cv2.GC_PR_FGD, np.uint8)
    marks[rough < 0.5] = cv2.GC_PR_BGD
    reach = max(rgb.shape[1] // 60, 3) | 1
    kernel = np.ones((reach, reach), np.uint8)
    marks[cv2.erode((rough > 0.6).astype(np.uint8), kernel) > 0] = cv2.GC_FGD
    marks[cv2.dilate((rough > 0.4).astype(np.uint8), kernel) == 0] = cv2.GC_BGD
    cv2.grabCut(rgb[:, :, ::-1].copy(), marks, None, np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_MASK)
    mask = ((marks == cv2.GC_FGD) | (marks == cv2.GC_PR_FGD)).astype(np.uint8)
    # The person is the largest piece.
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(mask)
    if count > 1:
        mask = (pieces == 1 + stats[1:, cv2.CC_STAT_AREA].argmax()).astype(np.uint8)
    mask = cv2.erode(mask, np.ones((3, 3), np.uint8)).astype(np.float32)
    return cv2.GaussianBlur(mask, (0, 0), 1.2)


def skin_of(rgb: np.ndarray, alpha: np.ndarray, face: tuple[float, float, float]) -> np.ndarray:
    """Pixels near the face's own colour."""
    ycc = cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb).astype(np.float32)
    x, y, side = face
    middle = ycc[int(y - side * 0.3) : int(y + side * 0.3), int(x - side * 0.3) : int(x + side * 0.3), 1:]
    near = np.linalg.norm(ycc[:, :, 1:] - np.median(middle.reshape(-1, 2), axis=0), axis=2) < 14
    near &= ycc[:, :, 0] > 35
    return cv2.GaussianBlur((near * alpha).astype(np.float32), (0, 0), 1.5)
