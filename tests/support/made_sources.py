"""A source that is no folder, and an executor that is not the ordinary one: what the seams of an extraction promise."""

import hashlib
import io
from pathlib import Path

import numpy as np
from PIL import Image

from embed import sources
from embed.extract.pipeline import Result
from embed.images.formats import decoder_name


class Album:
    """Photographs of one colour each in memory, on pages; a page can be torn.

    Parameters
    ----------
    root : Path
        What it says that it is.
    pages : dict
        Of each page, its photographs: a colour by name.
    """

    def __init__(self, root, pages):
        self.root, self.name, self.pages = Path(root), Path(root).name, pages
        self.again, self.places = "", ()
        self.torn = set()
        self.read_groups = []

    def find(self):
        for page, photographs in sorted(self.pages.items()):
            if page in self.torn:
                yield sources.Failed(page, "the page is torn")
                continue
            for name in sorted(photographs):
                yield sources.Item(f"{page}/{name}", 1, hash(photographs[name]) % 1000)
            yield sources.Listed(page)
        yield sources.Listed("")

    def read(self, group):
        self.read_groups.append([item.name for item in group])
        for item in group:
            page, _, name = item.name.partition("/")
            stream = io.BytesIO()
            Image.new("RGB", (9, 9), self.pages[page][name]).save(stream, "PNG")
            data = stream.getvalue()
            yield item, sources.Content(data, hashlib.sha256(data).digest())

    def described(self):
        return iter(())

    def address(self, name):
        return self.root / name


class Backwards:
    """Computes the mean colours of a whole plan at its end, the last photograph first."""

    def dimension(self, network, recipe):
        return 3

    def run(self, plan, network, sink):
        results = []
        for group in plan.groups():
            for item, content in plan.source.read(group):
                features = None
                if not plan.knows(content.sha256):
                    pixels = np.asarray(Image.open(io.BytesIO(content.data)))
                    features = pixels.mean(axis=(0, 1), dtype=np.float64).astype(np.float32)[None]
                results.append(Result(item, content.sha256, features, decoder=decoder_name("PNG")))
        for result in reversed(results):
            sink.put(result)
