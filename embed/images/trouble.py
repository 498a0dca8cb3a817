"""What goes wrong in a decoder, told as a reason."""

import contextlib
import struct
import zlib
from collections.abc import Iterator

from embed.errors import ImageError
from embed.images import integrity
from embed.images.formats import Format
from embed.images.request import CircumstanceError

# What the decoders of Pillow raise on damaged data.
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    ArithmeticError,
    LookupError,
    TypeError,
    AttributeError,
    EOFError,
    RuntimeError,
    struct.error,
    zlib.error,
)

# What Pillow says of files that are in order but beyond it.
_UNSUPPORTED = ("unknown", "unsupported", "not supported", "cannot handle", "not implemented")


class DecoderError(ImageError):
    "What a decoder raised: damage, or a lack of memory that it does not tell from damage."


class OutOfMemoryError(CircumstanceError):
    "The memory that was granted is not enough."


class UnsupportedError(ImageError):
    "The file is in order, but of a kind that the decoder of its format does not know."


@contextlib.contextmanager
def told(format: Format) -> Iterator[None]:
    """Tell what a decoder raises as an ImageError."""
    try:
        yield
    except MemoryError:
        raise OutOfMemoryError("needs more memory to decode than it may have") from None
    except _DAMAGE as error:
        raise _why_not(error, format) from None


def _why_not(error: Exception, format: Format) -> ImageError:
    message = str(error).lower()
    if "max_text_chunk" in message:
        return ImageError(f"holds a text that unpacks to more than {integrity.MAX_TEXT_BYTES:,} bytes")
    if "max_text_memory" in message:
        return ImageError(f"holds texts of more than {64 * integrity.MAX_TEXT_BYTES:,} bytes in all")
    if any(word in message for word in _UNSUPPORTED):
        return UnsupportedError(f"is a {format.name} of a kind that cannot be decoded")
    if "truncated" in message or "not enough" in message or isinstance(error, EOFError):
        return DecoderError(f"truncated {format.name}")
    return DecoderError(f"damaged {format.name}")
