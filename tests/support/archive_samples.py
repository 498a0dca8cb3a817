"""Archives and tables of photographs of one colour each, made on the spot."""

import io
import json
import tarfile
import zipfile

import pytest
from PIL import Image

COLOURS = {"red": (200, 30, 30), "green": (20, 180, 40), "blue": (10, 40, 220), "grey": (128, 128, 128)}
OLD, NEW = 1_600_000_000, 1_700_000_000  # seconds


def photograph(colour, width=9):
    """Return a PNG of one colour, by its name or its values."""
    stream = io.BytesIO()
    Image.new("RGB", (width, 9), COLOURS.get(colour, colour)).save(stream, "PNG")
    return stream.getvalue()


def write_tar(file, members, form=tarfile.PAX_FORMAT):
    """Write a tar archive of contents by name, in the order given; what is no bytes is the text of JSON."""
    with tarfile.open(file, "w", format=form) as archive:
        for name, content in members.items():
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file


def write_zip(file, members, method=zipfile.ZIP_DEFLATED):
    """Write a zip archive of contents by name."""
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file


def samples(*names):
    """Return a WebDataset sample for each "colour/class": a photograph and its class."""
    members = {}
    for number, name in enumerate(names):
        colour, _, label = name.partition("/")
        members[f"{number:04}.png"] = photograph(colour, 9 + number)
        if label:
            members[f"{number:04}.cls"] = label.encode()
    return members


def write_parquet(file, columns, rows_in_group=None):
    """Write a Parquet file of columns by name; skips the test where pyarrow is missing."""
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pa.table(columns), file, row_group_size=rows_in_group)
    return file
