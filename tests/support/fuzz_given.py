"""What is made up for the files that people hand over: tables of labels, lists, networks, photographs; and what is kept at home."""

import io
import json
import os
import shutil
from itertools import islice

import numpy as np
import onnx_networks
import pyarrow as pa
from fuzz_cache import WrongError, allowed, as_table
from fuzz_shapes import join_zip
from image_samples import encoded, heif, picture, samples
from PIL import Image
from pyarrow import parquet
from raw_samples import dng

from embed import images, labels
from embed.backbones import Network, get, open_runtime
from embed.errors import ImageError
from embed.images import colours
from embed.sources.listing import Listing, read_list

PATHS = [f"train/{name}/{i:03d}.jpg" for name in ("ant", "bee") for i in range(4)] + [
    os.fsdecode(b"caf\xe9.jpg"),
    "e\u0301.jpg",
]


MOST_TOLD = 10_000  # of a list: one that names / names every file of this machine


class Tables:
    """Tables of labels, as text and as Parquet."""

    def __init__(self, folder):
        self.folder, self.number = folder, 0
        plain = [
            ["path", "label", "split"],
            *([path, path.split("/")[-2] if "/" in path else "x", "train"] for path in PATHS),
        ]
        plain = [[cell.encode("utf-8", "replace").decode() for cell in row] for row in plain]
        flags = [
            ["file", "ant", "bee"],
            *([path, int("ant" in path), int("bee" in path)] for path in PATHS[:8]),
        ]
        self.files = {
            "table": ("table", as_table(plain)),
            "classes": ("table", as_table(flags)),
            "lines": (
                "table",
                b"".join(f"{path.split('/')[-1]} {path.split('/')[1]}\n".encode() for path in PATHS[:8]),
            ),
        }
        columns = {name: [row[i] for row in plain[1:]] for i, name in enumerate(plain[0])}
        columns |= {
            "number": list(range(len(PATHS))),
            "share": [0.5] * len(PATHS),
            "many": [["a"]] * len(PATHS),
        }
        for codec in ("none", "snappy", "zstd"):
            stream = io.BytesIO()
            parquet.write_table(pa.table(columns), stream, compression=codec)
            self.files[f"parquet {codec}"] = "bytes", stream.getvalue()

    def judge(self, name, content):
        self.number += 1  # a file is read once
        file = self.folder / f"{self.number}.csv"
        file.write_bytes(content)
        try:
            said = labels.assign(PATHS, f"csv:{file}", self.folder)
            for column in (said.labels, said.splits):
                if len(column) != len(PATHS):
                    raise WrongError(f"{len(column)} labels for {len(PATHS)} photographs")
        finally:
            file.unlink()
        return "read"


class Lists:
    """Lists of photographs."""

    def __init__(self, folder):
        self.folder = folder
        for path in PATHS:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(samples()["baseline.jpg"])
        text = "".join(f"{path}\n" for path in PATHS)
        self.files = {
            "list": ("table", os.fsencode(text)),
            "list of zeros": ("bytes", os.fsencode(text.replace("\n", "\0"))),
        }

    def judge(self, name, content):
        file = self.folder / "list.txt"
        file.write_bytes(content)
        listing = Listing(file, read_list(file), zero="zeros" in name)
        told = list(islice(listing.find(), MOST_TOLD))
        items = [one for one in told if hasattr(one, "size")]
        for _ in listing.read(items[:20]):
            pass
        return "read"


class Networks:
    """Networks of the user's own, as ONNX and as Keras writes them."""

    def __init__(self, folder):
        self.folder = folder
        file = folder / "net.onnx"
        self.files = {
            end: ("bytes", onnx_networks.network(file, end=end).read_bytes())
            for end in ("pooled", "classes", "tokens")
        }
        self.files["keras"] = "zip", keras_file()

    def judge(self, name, content):
        file = self.folder / ("net.keras" if name == "keras" else "net.onnx")
        file.write_bytes(content)
        if name == "keras":
            get(str(file))
        Network(str(file), preprocess="none").resolve()
        return "read"


def keras_file():
    """Return a small model as Keras writes it, without its weights."""
    layers = [
        ("InputLayer", {"name": "pixels", "batch_shape": [None, 32, 32, 3]}),
        ("Rescaling", {"name": "scale", "scale": 0.1, "offset": -1}),
        ("Conv2D", {"name": "map", "filters": 2, "kernel_size": [4, 4]}),
        ("GlobalAveragePooling2D", {"name": "pool"}),
        ("Dense", {"name": "classes", "units": 2, "activation": "softmax"}),
    ]
    described = [{"module": "keras.layers", "class_name": kind, "config": config} for kind, config in layers]
    model = {"module": "keras", "class_name": "Sequential", "config": {"name": "net", "layers": described}}
    return join_zip([(b"config.json", json.dumps(model).encode()), (b"model.weights.h5", b"")])


class Home:
    """What is kept beside an export of a network, and the record of hashes: derived, and made again where it is damaged."""

    def __init__(self, folder):
        self.home = folder / "home"
        os.environ["EMBED_HOME"] = str(self.home)
        size = Network("tiny").resolve().size
        self.pixels = np.random.default_rng(0).integers(0, 256, (2, size, size, 3), dtype=np.uint8)
        self.right = self.use()
        self.pristine = folder / "pristine"
        shutil.copytree(self.home, self.pristine)
        kinds = {".json": "json", ".xml": "bytes", ".bin": "bytes", ".blob": "bytes"}
        found = sorted(path for path in self.home.rglob("*") if path.suffix in kinds)
        self.paths = {f"{path.parent.name.partition('-')[0]} {path.suffix}": path for path in found}
        self.files = {name: (kinds[path.suffix], path.read_bytes()) for name, path in self.paths.items()}

    def use(self):
        """Return the features of some pixels."""
        return open_runtime(Network("tiny"), "cpu").run(self.pixels).tobytes()

    def judge(self, name, content):
        os.environ["EMBED_HOME"] = str(self.home)
        shutil.rmtree(self.home)
        shutil.copytree(self.pristine, self.home)
        self.paths[name].write_bytes(content)
        allowed(self.use(), self.right)
        return "read"


class Images:
    """Photographs of one format; what is decoded is decoded twice, in two processes.

    Parameters
    ----------
    folder : Path
    format : str
    """

    def __init__(self, folder, format):
        endings = {"jpeg": ".jpg", "tiff": ".tif"}
        shapes = {"avif": "boxes", "heif": "boxes", "jp2": "boxes", "raw": "tiff", "ppm": "table"}
        ending, shape = endings.get(format, "." + format), shapes.get(format, format)
        found = {name: data for name, data in samples().items() if name.endswith(ending)}
        if format == "heif":
            found = {"rgb.heif": heif(picture())}
        elif format == "raw":
            found = {"sensor.dng": dng(picture()), "preview.dng": dng(picture(), preview=picture(64, 48))}
        elif format == "jpeg":
            exif = Image.Exif()
            exif[colours.ORIENTATION] = 6
            found["described.jpg"] = encoded(
                picture(), "JPEG", exif=exif, icc_profile=profile(), comment=b"c"
            )
        elif format == "png":
            found["described.png"] = encoded(picture().convert("RGBA"), "PNG", icc_profile=profile())
        self.files = {name: (shape, data) for name, data in found.items()}
        self.decoders = [images.Decoder(images.Resize(16), workers=1, timeout_s=10) for _ in range(2)]

    def judge(self, name, content):
        said = []
        for decoder in self.decoders:
            try:
                said.append(decoder.decode(content))
            except ImageError as error:
                said.append(str(error))
        for one in said:
            if isinstance(one, str):
                if not one or one != one.strip() or len(one) > 100 or not one.isprintable():
                    raise WrongError(f"the reason is {one!r}")
            elif one.shape != (16, 16, 3) or one.dtype != np.uint8:
                raise WrongError(f"pixels of shape {one.shape}")
        if isinstance(said[0], str) or isinstance(said[1], str):
            allowed(str(said[0]), str(said[1]))
            return said[0]
        allowed(said[0].tolist(), said[1].tolist())
        return "pixels"


def profile():
    """Return a colour profile."""
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
