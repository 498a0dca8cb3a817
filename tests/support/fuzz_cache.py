"""What is made up for the files of a feature set, and how it is judged."""

import contextlib
import csv
import hashlib
import io
import json
import os
import shutil
import struct

import numpy as np
import xxhash
from cache_helpers import fill, open_writer, row_of

from embed import labels
from embed.cache import Failure, find_features, list_features, open_features, verify
from embed.cache import failures as failures_file
from embed.cache.checked import BLOCK_BYTES, FOOTER, MAGIC, block_sum
from embed.cache.origin import Origin, read_origin, write_origin
from embed.errors import EmbedError
from embed.labels import hand

NAMES = [f"train/{i % 2}/{i:03d}.jpg" for i in range(12)] + [os.fsdecode(b"caf\xe9.jpg"), "=1+1.jpg"]


class WrongError(AssertionError):
    "An answer that is none of those allowed."


def allowed(answer, *right):
    """Raise `WrongError` where an answer is none of the right ones."""
    if answer not in right:
        raise WrongError(f"the answer is {str(answer)[:300]!r}")


class SetTarget:
    """A feature set of three parts, of which one file is another one in each example.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder):
        self.folder, self.base = folder, folder / "base"
        self.data = folder / "data"
        for number in range(3):
            with open_writer(self.base, root=self.data) as writer:
                fill(writer, NAMES[5 * number : 5 * number + 5])
                if number == 2:
                    writer.remove(NAMES[0])
                    writer.write_failures(
                        [Failure("no.jpg", "is empty", 0, 1), Failure("=2.jpg", "is text\n", None, None)]
                    )
        self.truth = {path: row_of(path) for path in NAMES[1:]}
        self.inside = next((self.base / "cache").glob("*--*")).name
        self.pristine = {
            path.name: path.read_bytes() for path in self.set_in(self.base).iterdir() if path.is_file()
        }
        self.part = sorted(name for name in self.pristine if name.startswith("part-"))[1]
        self.number = 0

    def set_in(self, place):
        return place / "cache" / self.inside

    @contextlib.contextmanager
    def place(self):
        """Yield a copy of the set, for one example."""
        self.number += 1
        place = self.folder / str(self.number)
        shutil.copytree(self.base, place)
        yield place
        shutil.rmtree(place, ignore_errors=True)

    def rows_are_right(self, cache):
        columns = zip(cache.paths, cache.sha256, cache.sizes, cache.mtimes_ns, cache.X, strict=True)
        for path, digest, size, mtime, x in columns:
            row = self.truth.get(path)
            if row is None or (digest.tobytes(), size) != row[:2] or not np.array_equal(x, row.features):
                raise WrongError(f"the row of {path!r} is another one")
            if mtime not in (row.mtime_ns, np.iinfo(np.int64).min):
                raise WrongError(f"the time of {path!r} is {mtime}")
        return len(cache)

    def used(self, place, known=None):
        """Read, verify and write a set, whose rows may not be other than they were; return what came of reading."""
        try:
            cache = open_features(place / "cache")
            if known and self.rows_are_right(cache) != known:
                raise WrongError(f"{len(cache)} rows were read")
            _ = (
                cache.X,
                cache.paths,
                cache.mtimes_ns,
                cache.decoders,
                cache.origin,
                cache.failures(),
                cache.labels_file,
            )
            outcome = "read"
        except EmbedError as error:
            outcome = str(error)
        with contextlib.suppress(EmbedError):
            for found in list_features(place / "cache"):
                verify(found)
        return outcome

    def written(self, place, least=0, most=0):
        """Open a writer, and return what it says; what it knows is right and at least so many rows."""
        with open_writer(place, root=self.data) as writer:
            known = writer.known
            if most and not least <= self.rows_are_right(known) <= most:
                raise WrongError(f"{len(known)} rows are left")
            missing = [path for path in NAMES[1:] if known.index_of(path) is None]
            fill(writer, missing)
            for path in [path for path in known.paths if path not in self.truth]:
                writer.remove(path)
            writer.write_failures([])
        if most and self.rows_are_right(open_features(place / "cache")) != len(self.truth):
            raise WrongError("the next run does not give the whole set")


class Parts(SetTarget):
    """A part under the name of another content, and one whose checksums hold."""

    def __init__(self, folder):
        super().__init__(folder)
        data = self.pristine[self.part]
        length, _ = FOOTER.unpack(data[-FOOTER.size :])
        self.index = data[-FOOTER.size - length : -FOOTER.size]
        self.image = data[: -FOOTER.size - length]
        self.files = {
            "part": ("bytes", data),
            "index of a part": ("json", self.index),
            "HDF5 of a part": ("bytes", self.image),
        }

    def judge(self, name, content):
        with self.place() as place:
            folder = self.set_in(place)
            if name == "part":
                (folder / self.part).write_bytes(content)
                outcome = self.used(place, len(self.truth))
                damaged = verify(find_features(place / "cache")).damaged
                if content != self.pristine[self.part] and self.part not in damaged:
                    raise WrongError("verify does not find the damage")
                self.written(place, len(self.truth) - 5, len(self.truth))
                return outcome
            index, image = (content, self.image) if name.startswith("index") else (self.index, content)
            if name.startswith("HDF5"):
                sums = [block_sum(image[at : at + BLOCK_BYTES]) for at in range(0, len(image), BLOCK_BYTES)]
                document = {**json.loads(index), "blocks": sums, "length": len(image)}
                index = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
            data = image + index + struct.pack("<Q8s", len(index), MAGIC)
            digests = (hashlib.sha256(one).hexdigest()[:16] for one in (index, data))
            (folder / self.part).unlink()
            (folder / "parts.txt").unlink()
            (folder / "-".join(["part", self.part.split("-")[1], *digests])).with_suffix(".h5").write_bytes(
                data
            )
            outcome = self.used(place)
            with contextlib.suppress(EmbedError):
                self.written(place)
            return outcome


class Manifest(SetTarget):
    """``parts.txt`` damaged, and with lines whose checksums hold."""

    def __init__(self, folder):
        super().__init__(folder)
        data = self.pristine["parts.txt"]
        lines = [json.loads(line.partition(b" ")[2]) for line in data.splitlines() if line]
        self.files = {"parts.txt": ("lines", data), "sealed parts.txt": ("json", json.dumps(lines).encode())}

    def judge(self, name, content):
        with self.place() as place:
            if name == "parts.txt":
                (self.set_in(place) / name).write_bytes(content)
                outcome = self.used(place, len(self.truth))
                self.written(place, len(self.truth), len(self.truth))
                return outcome
            texts = [
                b" ".join(line.split())
                for line in content.removeprefix(b"[\n").removesuffix(b"\n]").split(b",\n  {")
            ]
            texts = [text if text[:1] == b"{" else b"{ " + text for text in texts]
            sealed = b"".join(
                b"\n%s %s\n" % (xxhash.xxh3_64_hexdigest(text).encode(), text) for text in texts
            )
            (self.set_in(place) / "parts.txt").write_bytes(sealed)
            outcome = self.used(place)
            with contextlib.suppress(EmbedError):
                self.written(place)
            return outcome


class Meta(SetTarget):
    """``meta.json`` damaged, and with a checksum that holds."""

    def __init__(self, folder):
        super().__init__(folder)
        data = self.pristine["meta.json"]
        self.files = {"meta.json": ("bytes", data), "sealed meta.json": ("json", unsealed(data))}

    def judge(self, name, content):
        with self.place() as place:
            whole = name == "meta.json"
            (self.set_in(place) / "meta.json").write_bytes(content if whole else sealed(content))
            outcome = self.used(place, len(self.truth) if whole else None)
            if whole:
                self.written(place, 0, len(self.truth))
            else:
                with contextlib.suppress(EmbedError):
                    self.written(place)
            if not whole and list(place.glob("cache/*/damaged/part-*")):
                raise WrongError("parts were set aside, and none is damaged")
            return outcome


class SmallFiles(SetTarget):
    """``failures.csv``, ``source.json``, ``.lock`` and the labels given by hand."""

    def __init__(self, folder):
        super().__init__(folder)
        inside = self.set_in(self.base)
        write_origin(inside, Origin(("*.png",), ("a",), (("b", "is hidden", 3),)))
        hand.set(inside / "labels.csv", {NAMES[1]: "ant", "=1+1.jpg": "=bee", NAMES[12]: "é"}, "train")
        self.origin = read_origin(inside)
        self.failures = failures_file.read(inside)
        source = (inside / "source.json").read_bytes()
        self.files = {
            "failures.csv": ("bytes", self.pristine["failures.csv"]),
            "sealed failures.csv": ("table", self.pristine["failures.csv"].partition(b"\n")[2]),
            "source.json": ("bytes", source),
            "sealed source.json": ("json", unsealed(source)),
            "labels.csv": ("table", (inside / "labels.csv").read_bytes()),
            ".lock": ("bytes", b"process 1 on localhost\n"),
        }

    def judge(self, name, content):
        with self.place() as place:
            folder = self.set_in(place)
            if name == "sealed failures.csv":
                head = ",".join(
                    [*failures_file.COLUMNS, failures_file.CHECKSUM + xxhash.xxh3_128_hexdigest(content)]
                )
                (folder / "failures.csv").write_bytes(head.encode() + b"\n" + content)
            else:
                (folder / name.removeprefix("sealed ")).write_bytes(
                    sealed(content) if name == "sealed source.json" else content
                )
            outcome = self.used(place, len(self.truth))
            if name == "failures.csv":
                with contextlib.suppress(EmbedError):
                    allowed(failures_file.read(folder), self.failures)
            if name == "source.json":
                with contextlib.suppress(EmbedError):
                    allowed(read_origin(folder), self.origin)
            if name == "labels.csv":
                outcome = self._judge_labels(folder / name, content)
            if name != "sealed source.json":  # that one may say that the set is another folder's
                self.written(place, len(self.truth), len(self.truth))
            return outcome

    def _judge_labels(self, file, content):
        with contextlib.suppress(EmbedError):
            labels.of(open_features(file.parent.parent))
        try:
            before = hand.read(file)
            former = hand.set(file, {"new.jpg": "new"})
        except EmbedError as error:
            allowed(file.read_bytes(), content)
            return str(error)
        after = {row.path: row for row in hand.read(file)}
        allowed(after.pop("new.jpg").label, "new")
        allowed(list(after.values()), [row for row in before if row.path != "new.jpg"])
        hand.set(file, former)
        allowed([row[:2] for row in hand.read(file)], [row[:2] for row in before])
        return "read"


def sealed(content):
    """Return JSON text with the checksum of a small file; what is no object with members stays as it is."""
    body = content.removesuffix(b"\n}")
    if body == content:
        return content
    return body + b',\n  "checksum": "%s"\n}\n' % xxhash.xxh3_128_hexdigest(body).encode()


def unsealed(data):
    """Return the JSON text of a small file without its checksum."""
    return json.dumps(
        {key: value for key, value in json.loads(data).items() if key != "checksum"}, indent=2
    ).encode()


def as_table(rows):
    """Return rows as comma-separated values."""
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue().encode()
