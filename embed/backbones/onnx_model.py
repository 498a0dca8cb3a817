"""What an ONNX file says about itself, read without any runtime: its inputs, outputs, and the files it refers to.

An ONNX file is a protocol buffer (https://protobuf.dev/programming-guides/encoding). The numbers of its fields are those of
onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto). Weights are passed over without being read.
"""

import mmap
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from embed.errors import WeightsError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
LONGEST_VARINT = 10  # bytes
DEEPEST_GRAPH = 8  # graphs inside of nodes, as in If and Loop

Fields = Iterator[tuple[int, "int | memoryview"]]


class _DamagedError(Exception):
    pass


@dataclass(frozen=True)
class Value:
    """An input or output of a graph.

    Parameters
    ----------
    name : str
    shape : tuple of int or None
        None for a length that is free.
    type : int
        Of its elements, as onnx.proto numbers them; 2 is uint8.
    """

    name: str
    shape: tuple[int | None, ...]
    type: int


@dataclass(frozen=True)
class Node:
    """One operation with the names of what it takes and gives."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass
class Description:
    """What an ONNX file says about itself.

    Parameters
    ----------
    producer : str
        The program that wrote it.
    inputs, outputs : list of Value
        Without the weights.
    nodes : list of Node
    weights : set of str
        Their names.
    external : list of Path
        Further files that hold its weights, in its own folder or below.
    """

    producer: str = ""
    inputs: list[Value] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    weights: set[str] = field(default_factory=set)
    external: list[Path] = field(default_factory=list)

    @cached_property
    def computed(self) -> set[str]:
        """The values that depend on what is put in, and not on the weights alone."""
        known = {value.name for value in self.inputs}
        for node in self.nodes:
            if not known.isdisjoint(node.inputs):
                known.update(node.outputs)
        return known

    def maker(self, value: str) -> Node | None:
        """Return the node that gives a value, or None."""
        return next((node for node in self.nodes if value in node.outputs), None)


def describe(file: Path) -> Description:
    """Read what an ONNX file says about itself.

    Raises
    ------
    WeightsError
        It cannot be read, is none, or keeps weights outside of its own folder.
    """
    found = Description()
    locations: set[str] = set()
    try:
        with file.open("rb") as stream:
            _model(memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)), found, locations)
    except OSError as error:
        raise WeightsError(f"The network {file} cannot be read: {error.strerror}.") from error
    except (_DamagedError, ValueError):  # mmap refuses an empty file
        raise WeightsError(f"{file} is no ONNX file, or a damaged one; export it again.") from None
    if not found.nodes or not found.inputs or not found.outputs:
        raise WeightsError(f"{file} is no ONNX file with a network in it; export it again.")
    found.external = [_inside(file, location) for location in sorted(locations)]
    return found


def _inside(file: Path, location: str) -> Path:
    """Return an external file, which may not lie outside of the folder of the network, not through a link either."""
    relative = PurePosixPath(location)
    folder = file.parent.resolve()
    path = (folder / relative).resolve()
    if (
        relative.is_absolute()
        or ".." in relative.parts
        or "\\" in location
        or not path.is_relative_to(folder)
    ):
        raise WeightsError(
            f"{file} refers to weights outside of its own folder ({location!r}), and is not read; "
            "export it again with its weights beside it."
        )
    if not path.is_file():
        raise WeightsError(f"{file} keeps its weights in {location!r}, which is not beside it; put it there.")
    return path


def _fields(content: memoryview) -> Fields:
    """Yield the number and the content of each field of a message."""
    place = 0
    while place < len(content):
        key, place = _varint(content, place)
        kind = key & 7
        if kind == VARINT:
            value, place = _varint(content, place)
            yield key >> 3, value
            continue
        if kind == BYTES:
            length, place = _varint(content, place)
        elif kind in (FIXED64, FIXED32):
            length = 8 if kind == FIXED64 else 4
        else:
            raise _DamagedError
        if place + length > len(content):
            raise _DamagedError
        yield key >> 3, content[place : place + length]
        place += length


def _varint(content: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for shift, byte in enumerate(content[place : place + LONGEST_VARINT]):
        value |= (byte & 127) << 7 * shift
        if byte < 128:
            return value, place + shift + 1
    raise _DamagedError


def _messages(content: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield the fields of a message that are messages or bytes."""
    return ((number, value) for number, value in _fields(content) if isinstance(value, memoryview))


def _text(content: memoryview) -> str:
    try:
        return str(content, "utf-8")
    except UnicodeDecodeError:
        raise _DamagedError from None


def _model(content: memoryview, found: Description, locations: set[str]) -> None:
    for number, value in _messages(content):
        if number == 2:
            found.producer = _text(value)
        elif number == 7:
            _graph(value, found, locations, 0)


def _graph(content: memoryview, found: Description, locations: set[str], depth: int) -> None:
    if depth > DEEPEST_GRAPH:
        raise _DamagedError
    weights: set[str] = set()
    inputs, outputs = [], []
    for number, value in _messages(content):
        if number == 1:
            _node(value, found, locations, depth)
        elif number == 5:
            weights.add(_tensor(value, locations))
        elif number == 11:
            inputs.append(_value(value))
        elif number == 12:
            outputs.append(_value(value))
    if depth == 0:
        found.weights = weights
        found.inputs = [one for one in inputs if one.name not in weights]
        found.outputs = outputs


def _node(content: memoryview, found: Description, locations: set[str], depth: int) -> None:
    name, kind, inputs, outputs = "", "", [], []
    for number, value in _messages(content):
        if number == 1:
            inputs.append(_text(value))
        elif number == 2:
            outputs.append(_text(value))
        elif number == 3:
            name = _text(value)
        elif number == 4:
            kind = _text(value)
        elif number == 5:
            for part, inner in _messages(value):  # an attribute
                if part in (5, 10):
                    _tensor(inner, locations)
                elif part in (6, 11):
                    _graph(inner, found, locations, depth + 1)
    if depth == 0:
        found.nodes.append(Node(name, kind, tuple(inputs), tuple(outputs)))


def _tensor(content: memoryview, locations: set[str]) -> str:
    name = ""
    for number, value in _messages(content):
        if number == 8:
            name = _text(value)
        elif number == 13:
            entry = dict(_messages(value))
            if 1 in entry and _text(entry[1]) == "location":
                locations.add(_text(entry.get(2, memoryview(b""))))
    return name


def _value(content: memoryview) -> Value:
    fields = dict(_messages(content))
    tensor = dict(_fields(_message(dict(_messages(_message(fields.get(2)))).get(1))))
    lengths = [
        dict(_fields(value)).get(1) for number, value in _messages(_message(tensor.get(2))) if number == 1
    ]
    kind = tensor.get(1)
    return Value(
        _text(_message(fields.get(1))),
        tuple(length if isinstance(length, int) and 0 < length < 1 << 31 else None for length in lengths),
        kind if isinstance(kind, int) else 0,
    )


def _message(value: "int | memoryview | None") -> memoryview:
    return value if isinstance(value, memoryview) else memoryview(b"")


def with_output(model: bytes, value: str) -> bytes:
    """Return a model that gives one more of its values.

    Protocol buffers that follow each other are one: what is appended to the list of outputs is all that is written.
    """

    def field(number: int, content: bytes) -> bytes:
        return bytes([number << 3 | BYTES]) + _packed(len(content)) + content

    return model + field(7, field(12, field(1, value.encode())))


def _packed(value: int) -> bytes:
    """Return a varint."""
    digits = []
    while value > 127:
        digits.append(value & 127 | 128)
        value >>= 7
    return bytes([*digits, value])
