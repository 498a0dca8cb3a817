"""What becomes of pixels before a network of the user's own: as it is written, recognised, and put into a graph."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from embed.backbones.onnx_model import Description, Value
from embed.errors import UsageError

if TYPE_CHECKING:
    import openvino
    from openvino.preprocess import PrePostProcessor

CHANNELS = 3
HIGHEST = 255.0
WHOLE_NUMBERS = {2, 6, 7}  # uint8, int32 and int64 in onnx.proto


@dataclass(frozen=True)
class Preprocess:
    """``(pixel - mean) / std`` for pixels 0..255, one number for all channels or one for each.

    Parameters
    ----------
    mean, std : tuple of 1 or 3 float
        In the order of the channels as the network takes them.
    bgr : bool
        Whether it takes blue first.
    """

    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    bgr: bool = False

    @property
    def text(self) -> str:
        """As `parse` reads it; the same for every way of writing it."""
        for name, known in NAMED.items():
            if known == self:
                return name
        mean, std = (",".join(f"{value:.9g}" for value in values) for values in (self.mean, self.std))
        return f"mean={mean},std={std}"

    def of(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return what becomes of pixels (..., 3), RGB."""
        values = pixels[..., ::-1] if self.bgr else pixels
        mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)
        scaled: NDArray[np.float32] = (values.astype(np.float32) - mean) / std
        return scaled

    def apply(self, steps: "PrePostProcessor", element: "openvino.Type") -> None:
        """Put it between uint8 pixels (n, h, w, 3) and the input of a graph that takes elements of a type."""
        import openvino

        steps.input().tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
        pixels = steps.input().preprocess().convert_element_type(openvino.Type.f32)
        if self.bgr:
            pixels = pixels.reverse_channels()
        if self != Preprocess(bgr=self.bgr):
            pixels = pixels.mean(_numbers(self.mean)).scale(_numbers(self.std))
        pixels.convert_element_type(element)


def _numbers(values: tuple[float, ...]) -> "float | list[float]":
    return values[0] if len(values) == 1 else list(values)


def _of_unit(mean: tuple[float, ...], std: tuple[float, ...]) -> Preprocess:
    """Return it for numbers that are meant for pixels 0..1, as they are published."""
    return Preprocess(tuple(HIGHEST * value for value in mean), tuple(HIGHEST * value for value in std))


NAMED = {
    # torchvision and timm: https://pytorch.org/vision/stable/models.html
    "imagenet": _of_unit((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    # https://github.com/openai/CLIP/blob/main/clip/clip.py
    "clip": _of_unit((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    "minus1to1": Preprocess((127.5,), (127.5,)),
    "0to1": Preprocess((0.0,), (HIGHEST,)),
    "caffe": Preprocess((103.939, 116.779, 123.68), (1.0,), bgr=True),
    "none": Preprocess(),
}


def parse(text: str) -> Preprocess:
    """Return the preprocessing that a text means.

    Parameters
    ----------
    text : str
        A name of `NAMED`, or ``"mean=M,std=S"`` with one number or three for each, for pixels 0..255.

    Raises
    ------
    UsageError
        It is neither.
    """
    if text in NAMED:
        return NAMED[text]
    numbers: dict[str, list[float]] = {}
    key = ""
    try:
        for word in text.split(","):
            before, equals, value = word.rpartition("=")
            key = before.strip() if equals else key
            numbers.setdefault(key, []).append(float(value))
    except ValueError:
        numbers = {}
    mean, std = tuple(numbers.get("mean", [0.0])), tuple(numbers.get("std", [1.0]))
    finite = all(abs(value) < 1e6 for value in (*mean, *std))
    if not numbers or not set(numbers) <= {"mean", "std"} or not finite or any(value <= 0 for value in std):
        raise UsageError(
            f"{text!r} is not understood; it is {', '.join(NAMED)}, or mean=M,std=S for pixels 0 to 255, such as "
            "mean=127,std=128 or mean=123.7,116.3,103.5,std=58.4,57.1,57.4",
            "preprocess",
        )
    if not {len(mean), len(std)} <= {1, CHANNELS}:
        raise UsageError(
            f"{text!r} gives {len(mean)} and {len(std)} numbers; give one or {CHANNELS}", "preprocess"
        )
    return Preprocess(mean, std)


def recognise(network: Description, pixels: Value) -> tuple[str, str] | None:
    """Return the name of the preprocessing that the looks of a network leave no doubt about, and what it looks like; or None."""
    if pixels.type in WHOLE_NUMBERS:
        return "none", "a network that takes whole numbers"
    # Parts of the model, by the names of its nodes or, as newer exporters write them, of its weights.
    names = {part for node in network.nodes for part in node.name.split("/")}
    for weight in network.weights:
        words = weight.split(".")
        names.update(words)
        names.update(f"{first}.{second}" for first, second in pairwise(words))
    outputs = {value.name for value in network.outputs}
    if "image_embeds" in outputs:
        return "clip", "an image tower of CLIP"
    if any(name.startswith("layer_scale") for name in names) and "last_hidden_state" in outputs:
        return "imagenet", "DINOv2"
    if network.producer != "pytorch":
        return None
    if {"layer1", "layer2", "layer3"} <= names or "features.0" in names:
        return "imagenet", "a network of torchvision"
    if {"patch_embed", "ls1"} <= names or "conv_stem" in names:
        return "imagenet", "a network of timm"
    return None


def recognised(file: Path, seen: tuple[str, str] | None) -> tuple[str, str]:
    """Return the name of what was recognised, and the sentence that says so.

    Raises
    ------
    UsageError
        Nothing was: it has to be asked.
    """
    if seen is None:
        raise UsageError(
            f"is needed: {file.name} does not say how it takes its pixels. Give what it was trained with: imagenet "
            "(torchvision, most of timm), clip, minus1to1, 0to1, caffe, none, or mean=M,std=S for pixels 0 to 255",
            "preprocess",
        )
    name, looks = seen
    return name, f"{file.name} looks like {looks}: --preprocess {name}"
