"""Make ``cache_version_2``: run once, when version 2 of the format was settled; its result is read for ever.

``cache_version_1`` was made in the same way by the release that wrote version 1.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from cache_helpers import make_recipe, open_writer, row_of

from embed import files
from embed.cache import Failure

FOLDER = Path(__file__).parent / "cache_version_2"


def put(writer, names, version=1):
    for name in names:
        row = row_of(name, version)
        decoder = "PNG 1" if version == 1 else "TIFF 12"
        writer.put(name, row.sha256, row.size, row.mtime_ns, row.features, row.features[None] + 1, decoder)


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
    meta = files.read_document(writer.folder / "meta.json")
    files.write_document(writer.folder, "meta.json", meta | {"root": "/photographs/pets"})
    (writer.folder / ".lock").unlink()
    (FOLDER / "pets").rmdir()
    writer.folder.rename(FOLDER / writer.folder.name)
    (FOLDER / "cache").rmdir()
