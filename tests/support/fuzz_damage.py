"""What Hypothesis does to a file: bits, cuts, copies, numbers; pieces of its format; values of a document; cells of a table."""

import copy
import json
import zlib

from fuzz_shapes import SHAPES, as_json, fields_of
from hypothesis import strategies as st

DEEP = "deep"  # stands for more brackets than any parser may call itself for
NUMBERS = (
    0,
    1,
    2,
    0x7F,
    0x80,
    0xFF,
    0x100,
    0x7FFF,
    0x8000,
    0xFFFF,
    1 << 24,
    (1 << 31) - 1,
    1 << 31,
    (1 << 32) - 1,
)
NUMBERS += (1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)
VALUES = (
    None, True, False, 0, 1, -1, 2, 1.5, -0.0, 1e308, 1 << 31, 1 << 63, 1 << 64, 10**30, -(1 << 63),
    float("nan"), float("inf"), "", "a", "0", "..", "../../x", "/etc/passwd", "a/b", "\0", "\n", "\udce9", "é",
    "x" * 300, "=1+1", "part-00000001-0123456789abcdef-0123456789abcdef.h5", "00" * 32, "float64", "object", "|O", "S0",
    [], {}, [[]], [None], [0], [""], {"": 0}, [-1, -1], [1 << 62], DEEP,
)  # fmt: skip
CELLS = (
    "", " ", "0", "1", "a", "label", "path", "split", "train", "test", "nan", "=1+1", '"', '""', '"a', "'", ",", ";", "\t", "|",
    "a|b", "[1,2]", '{"a":', "\0", "\r", "\n", "\r\n", "\ufeff", "\udce9", "é", "e\u0301", "ﬁ", "\u202e", "..", "../..", "/", "\\",
    "%20", "%", "%zz", "http://a/b.jpg", "C:\\a.jpg", "1e400", "x" * 5000, "sep=;", "sep=", "[" * 4000, "９",
)  # fmt: skip
ENCODINGS = (
    "utf-8",
    "utf-8-sig",
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "cp1252",
    "latin-1",
    "utf-7",
    "mac-roman",
    "utf-32",
)


def damaged(files):
    """Return a strategy that draws the name of one of some files, and what it holds instead.

    Parameters
    ----------
    files : dict of str to (str, bytes)
        By name, its shape and what it holds: "bytes", "json", "table", or a name of `fuzz_shapes`.
    """
    return _damaged(tuple(sorted(files.items())))


@st.composite
def _damaged(draw, files):
    name, (shape, data) = draw(st.sampled_from(files))
    if shape == "json":
        return name, dumps(draw(_document(json.loads(data))))
    if shape == "table" and draw(st.integers(0, 3)):
        return name, draw(_table(data))
    if shape in SHAPES and draw(st.integers(0, 3)):
        data = draw(_pieces(data, SHAPES[shape]))
        if draw(st.integers(0, 3)):
            return name, data
    fields = fields_of(data, shape)
    if fields and draw(st.integers(0, 3)):
        return name, draw(_fields(data, fields))
    others = [content for _, (_, content) in files]
    return name, draw(_bytes(data, others))


@st.composite
def _bytes(draw, data, others):
    result = bytearray(data)
    for _ in range(draw(st.integers(1, 3))):
        here = draw(st.integers(0, max(0, len(result) - 1)))
        length = draw(st.sampled_from((1, 2, 4, 8, 16, 64, 500)))
        match draw(st.integers(0, 8)):
            case 0 if result:
                result[here] ^= 1 << draw(st.integers(0, 7))
            case 1:
                del result[here:]
            case 2:
                del result[here : here + length]
            case 3:
                result[here:here] = result[here : here + length]
            case 4:
                there = draw(st.integers(0, max(0, len(result) - 1)))
                result[here : here + length] = result[there : there + length]
            case 5:
                width = draw(st.sampled_from((1, 2, 4, 8)))
                order = draw(st.sampled_from(("little", "big")))
                number = draw(st.sampled_from(NUMBERS)) % (1 << 8 * width)
                result[here : here + width] = number.to_bytes(width, order)
            case 6:
                other = draw(st.sampled_from(others))
                result[here:] = other[draw(st.integers(0, max(0, len(other) - 1))) :]
            case 7:
                result[here : here + length] = bytes([draw(st.sampled_from((0, 0xFF, 0x20)))]) * length
            case _:
                result[here : here + length] = draw(st.binary(max_size=16))
    return bytes(result)


@st.composite
def _fields(draw, data, fields):
    result = bytearray(data)
    for _ in range(draw(st.integers(1, 3))):
        offset, width = draw(st.sampled_from(fields))
        number = draw(st.sampled_from(NUMBERS) | st.integers(0, 70)) % (1 << 8 * width)
        result[offset : offset + width] = number.to_bytes(width, draw(st.sampled_from(("little", "big"))))
    return bytes(result)


@st.composite
def _pieces(draw, data, shape):
    pieces = shape.split(data)
    for _ in range(draw(st.integers(1, 3))):
        if not pieces:
            break
        here = draw(st.integers(0, len(pieces) - 1))
        label, body = pieces[here]
        match draw(st.integers(0, 5)):
            case 0:
                del pieces[here]
            case 1:
                pieces[here:here] = [pieces[here]] * draw(st.sampled_from((1, 2, 50)))
            case 2:
                there = draw(st.integers(0, len(pieces) - 1))
                pieces[here], pieces[there] = pieces[there], pieces[here]
            case 3 if label:
                pieces[here] = (
                    draw(st.sampled_from([label for label, _ in pieces]) | st.binary(min_size=4, max_size=4)),
                    body,
                )
            case _:
                pieces[here] = label, draw(_body(body))
    return shape.join(pieces)


@st.composite
def _body(draw, body):
    """What one piece holds instead: a document changes by its values, a compressed stream by what it unpacks to."""
    document = as_json(body) if body[:1] in (b"{", b"[") else None
    if document is not None:
        return dumps(draw(_document(document)))
    if body[:1] == b"\x78" and draw(st.booleans()):
        try:
            plain = zlib.decompress(body)
        except zlib.error:
            plain = b""
        if plain:
            return zlib.compress(draw(_bytes(plain, [plain])))
    return draw(_bytes(body, [body]))


@st.composite
def _document(draw, document):
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(document))
        if not places:
            break
        holder, key = draw(st.sampled_from(places))
        value = copy.deepcopy(draw(st.sampled_from(VALUES)))
        match draw(st.integers(0, 5)):
            case 0:
                if key in holder if isinstance(holder, dict) else key < len(holder):
                    del holder[key]
            case 1:
                other, its = draw(st.sampled_from(places))
                if (its in other) if isinstance(other, dict) else its < len(other):
                    value = copy.deepcopy(other[its])
                _put(holder, key, value)
            case 2:
                _put(holder, f"{key}_" if isinstance(holder, dict) else len(holder), value)
            case 3 if isinstance(holder, list):
                holder.insert(key, value)
            case _:
                _put(holder, key, value)
    return document


def _put(holder, key, value):
    if isinstance(holder, list) and key >= len(holder):
        holder.append(value)
    else:
        holder[key] = value


def _places(document, most=400):
    """Yield every value of a document by what holds it."""
    waiting = [document]
    while waiting and most:
        holder = waiting.pop(0)
        keys = (
            list(holder)
            if isinstance(holder, dict)
            else range(min(len(holder), 8))
            if isinstance(holder, list)
            else ()
        )
        for key in keys:
            most -= 1
            yield holder, key
            waiting.append(holder[key])


def dumps(document):
    """Return a document as JSON, in which `DEEP` is more brackets than Python calls itself for."""
    text = json.dumps(document, indent=2)
    return text.replace(f'"{DEEP}"', "[" * 5000 + "]" * 5000).encode()


@st.composite
def _table(draw, data):
    """Lines and cells changed, in an encoding of another kind."""
    lines = [line.split(",") for line in data.decode("utf-8", "surrogateescape").split("\n")]
    for _ in range(draw(st.integers(1, 4))):
        if not lines:
            break
        here = draw(st.integers(0, len(lines) - 1))
        cell = draw(st.integers(0, max(0, len(lines[here]) - 1)))
        match draw(st.integers(0, 5)):
            case 0:
                del lines[here]
            case 1:
                lines[here:here] = [list(lines[here])]
            case 2:
                lines[here].insert(cell, draw(st.sampled_from(CELLS)))
            case 3 if lines[here]:
                del lines[here][cell]
            case 4:
                lines[here][cell:] = [draw(st.text(max_size=12))]
            case _:
                lines[here][cell : cell + 1] = [draw(st.sampled_from(CELLS))]
    delimiter = draw(st.sampled_from((",", ",", ";", "\t", " ", "|")))
    ending = draw(st.sampled_from(("\n", "\n", "\r\n", "\r")))
    text = ending.join(delimiter.join(line) for line in lines)
    return _encoded(text, draw(st.sampled_from(ENCODINGS[:1] * 5 + ENCODINGS)))


def _encoded(text, encoding):
    try:
        return text.encode(encoding, "surrogateescape")
    except UnicodeEncodeError:
        return text.encode(encoding, "replace")
