"""Files of a cache as somebody writes them who knows the format: every checksum holds, what they say does not."""

import hashlib
import json

import xxhash

from embed import files
from embed.cache.checked import BLOCK_BYTES, FOOTER, MAGIC, block_sum, digest

SECRET = b"never read"


def parts_of(folder):
    return sorted(folder.glob("part-*.h5"))


def taken_apart(part):
    """Return the HDF5 image of a part and its index."""
    data = part.read_bytes()
    length, _ = FOOTER.unpack(data[-FOOTER.size :])
    start = len(data) - FOOTER.size - length
    return data[:start], json.loads(data[start : start + length])


def put_together(part, image, index, *, raw=None, length=None):
    """Write a part of some image and index in the place of another one, under the name that its bytes have."""
    document = json.dumps(index, sort_keys=True, separators=(",", ":")).encode() if raw is None else raw
    data = image + document + FOOTER.pack(len(document) if length is None else length, MAGIC)
    sequence = part.name.split("-")[1]
    sha256 = hashlib.sha256(data).hexdigest()[:16]
    part.unlink()
    crafted = part.with_name(f"part-{sequence}-{digest(document)}-{sha256}.h5")
    crafted.write_bytes(data)
    (part.parent / "parts.txt").unlink(missing_ok=True)
    return crafted


def with_blocks(image, index):
    """Return an index with the checksums and the length of an image."""
    blocks = [block_sum(image[start : start + BLOCK_BYTES]) for start in range(0, len(image), BLOCK_BYTES)]
    return {**index, "blocks": blocks, "length": len(image)}


def craft_index(part, change):
    """Let a function change the index of a part."""
    image, index = taken_apart(part)
    change(index)
    return put_together(part, image, index)


def craft_values(part, column, values):
    """Put other bytes in the place of the first values of a column."""
    image, index = taken_apart(part)
    start = index["datasets"][column]["offsets"][0]
    image = image[:start] + values + image[start + len(values) :]
    return put_together(part, image, with_blocks(image, index))


def craft_line(folder, change):
    """Let a function change what the manifest says of the first part, or return the text of the line."""
    line, *rest = [one for one in (folder / "parts.txt").read_bytes().split(b"\n") if one]
    document = json.loads(line.partition(b" ")[2])
    text = change(document)
    text = text if isinstance(text, bytes) else json.dumps(document).encode()
    crafted = b"%s %s" % (xxhash.xxh3_64_hexdigest(text).encode(), text)
    (folder / "parts.txt").write_bytes(b"\n".join([crafted, *rest, b""]))


def craft_document(file, change):
    """Let a function change a sealed document."""
    document = files.read_document(file)
    change(document)
    file.write_bytes(files.seal(document))
