"""Make ``cache_version_1``: run once, when version 1 of the format was settled; its result is read for ever."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from cache_helpers import make_recipe, open_writer, row_of

from embed.cache import Failure

FOLDER = Path(__file__).parent / "cache_version_1"


def put(writer, names, version=1):
    for name in names:
        row = row_of(name, version)
        writer.put(name, row.sha256, row.size, row.mtime_ns, row.features, row.features[None] + 1)


if __name__ == "__main__":
    recipe = make_recipe(views=2, view_seed=7)
    options = dict(root=FOLDER / "pets", dataset="pets", libraries={"numpy": "2.4.6"})
    with open_writer(FOLDER, recipe, **options) as writer:
        put(writer, ["cat/1.jpg", "cat/2.jpg", "dog/1.jpg", "dog/caf\udce9.jpg"])
        writer.write_failures([Failure("dog/notes.jpg", "is no image", 12, 3)])
    with open_writer(FOLDER, recipe, **options) as writer:
        put(writer, ["cat/2.jpg"], version=2)
        writer.remove("dog/1.jpg")
        row = row_of("cat/1.jpg")
        writer.copy("cat/one.jpg", row.size, row.mtime_ns, writer.known.index_of("cat/1.jpg"))
        writer.remove("cat/1.jpg")
        writer.write_failures([Failure("dog/notes.jpg", "is no image", 12, 3)])
