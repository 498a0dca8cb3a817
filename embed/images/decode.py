"""From the bytes of a photograph to pixels: one documented way, whatever the format. Runs in the sandbox.

The first frame, upright (EXIF orientation applied), as 8-bit sRGB on white, resized with an antialiasing filter.
"""

import importlib
import io
from collections.abc import Callable
from typing import Any, NamedTuple

from PIL import Image, ImageChops
from PIL.ImageFile import ImageFile

from embed.errors import ImageError
from embed.images import colours, formats, integrity, jpeg, tiff
from embed.images.formats import Format
from embed.images.request import INSIDE, MAX_PIXELS, CircumstanceError, Resize
from embed.images.trouble import DecoderError, UnsupportedError, told

_FILTER = Image.Resampling.BILINEAR

# A JPEG may be scaled down by its own decoder as long as this many times the wanted size is left for the filter. That
# halves the time of a large photograph and leaves its features at a cosine above 0.9995; with 2, it is 0.9987.
DRAFT_MARGIN = 4

# Bytes that opening takes beside the data, and that a pixel takes at the most while it is decoded, converted and turned:
# by its mode, and in the decoders of some formats. Measured; where it is too little, decoding is tried again with all.
_OPENING = 16 << 20
_BYTES_PER_PIXEL = {"1": 3, "L": 3, "P": 14, "RGB": 9, "CMYK": 9, "I": 50, "F": 50}
_BYTES_PER_PIXEL_OTHERWISE = 18
_BYTES_PER_PIXEL_OF = {
    formats.WEBP: 16,
    formats.TIFF: 8,
    formats.JPEG2000: 32,
    formats.AVIF: 24,
    formats.HEIF: 24,
}
_ARRAYS = 128 << 20  # NumPy, which has a part in more than 8 bits a channel only
_BYTES_PER_PIXEL_OF_DEEP_COLOUR = 40
_BYTES_PER_PIXEL_OF_SCANS = 8  # in full size: the coefficients of a JPEG that comes in several scans
_BYTES_PER_LINE = 16  # the weights by which the filter takes a row or a column, twice a float64

# The EXIF orientation of a stored picture, and what sets it upright.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_LYING = (5, 6, 7, 8)

# Pixels a side beyond which the decoder of a format calls a picture damaged.
_LONGEST_SIDE = {formats.JPEG: 65_500, formats.WEBP: 16_383, formats.AVIF: 32_768}

_NATIVE_ORDER = {"F;32BF": "F;32NF", "I;32BS": "I;32NS", "I;16BS": "I;16NS"}

Reserve = Callable[[int], None]


class Photograph(NamedTuple):
    """A photograph whose header has been read."""

    format: Format
    decoder: type[ImageFile]
    image: ImageFile
    stream: io.BytesIO
    size: int  # wanted
    structure: jpeg.Structure | None  # of a JPEG
    directory: tiff.Directory | None  # of a TIFF

    def reopen(self, data: bytes) -> ImageFile:
        """Return what other bytes hold, opened in the same way."""
        return _prepared(self.decoder(io.BytesIO(data), ""), self.size, self.directory)


def settle(data: bytes, format: str | None) -> str | None:
    """Return the name of the format of a photograph, given the one that its first bytes announce."""
    return formats.RAW.name if format == formats.TIFF.name and tiff.is_raw(data) else format


def decode(
    data: bytes,
    format: str | None,
    resize: Resize,
    *,
    max_pixels: int = MAX_PIXELS,
    reserve: Reserve = lambda memory: None,
) -> Image.Image:
    """Return a photograph as an image of mode RGB.

    Parameters
    ----------
    data : bytes
    format : str or None
        Name of its format, as `settle` returns it; None where it is none that can be decoded.
    resize : Resize
    max_pixels : int
    reserve : callable
        Called with the bytes of memory that are going to be needed, before they are.

    Raises
    ------
    ImageError
        The data are no image, damaged, or larger than `max_pixels`; the message is the reason.
    """
    if format is None:
        raise ImageError(formats.describe(data))
    known = formats.FORMATS[format]
    reserve(_OPENING + 2 * len(data))
    if known is formats.RAW:
        return _decode_raw(data, resize, max_pixels, reserve)
    try:
        return _render(_open(data, known, resize, max_pixels, reserve), data, resize)
    except UnsupportedError:
        if known is not formats.TIFF:
            raise
    except DecoderError:
        _check_limits(data, known, max_pixels)
        raise
    return _decode_scientific(data, resize, max_pixels, reserve)


def opened(
    data: bytes, format: str | None, *, max_pixels: int, reserve: Reserve
) -> tuple[int, int, ImageFile | None]:
    """Return the width and the height of a photograph as it is to be seen, and the image where Pillow opens it.

    Parameters and errors are those of `decode`; no pixel is decoded.
    """
    if format is None:
        raise ImageError(formats.describe(data))
    known = formats.FORMATS[format]
    reserve(_OPENING + 2 * len(data))
    if known is formats.RAW:
        from embed.images import raw

        reserve(raw.MEMORY + 3 * len(data))
        with told(known):
            sizes = raw.open_raw(data).sizes
            upright = (sizes.height, sizes.width) if sizes.flip in (5, 6) else (sizes.width, sizes.height)
            return *upright, None
    if known is formats.WEBP:  # its decoder allocates all when it is opened
        width, height = integrity.webp_size(data)
        _check_size(width, height, max_pixels)
        reserve(_OPENING + 2 * len(data) + width * height * _BYTES_PER_PIXEL_OF[known])
    with told(known):
        image = _decoder(known)(io.BytesIO(data), "")
        width, height = image.size
        _check_size(width, height, max_pixels)
        if colours.orientation(image) in _LYING:
            width, height = height, width
        return width, height, image


def _open(data: bytes, format: Format, resize: Resize, max_pixels: int, reserve: Reserve) -> Photograph:
    """Check the structure, read the header and reserve the memory; no pixel is decoded yet."""
    decoder = _decoder(format)
    extra, stream = _OPENING + 2 * len(data), io.BytesIO(data)
    structure, directory = None, None
    if format is formats.JPEG:
        structure = jpeg.structure(data)
        if structure.watchable:
            stream = jpeg.WatchedStream(data, structure)
        elif not structure.ended:
            stream = io.BytesIO(jpeg.with_end(data, structure, jpeg.FILLER))
    else:
        integrity.check(data, format)
    if format is formats.TIFF:
        directory = tiff.Directory(data)
        if directory.is_beyond_pillow:
            raise UnsupportedError("is a TIFF of a kind that cannot be decoded")
        _check_compression(directory)
    if format is formats.WEBP:  # its decoder allocates all when it is opened
        width, height = integrity.webp_size(data)
        _check_size(width, height, max_pixels)
        reserve(extra + width * height * (_BYTES_PER_PIXEL_OF[format] + _BYTES_PER_PIXEL_OTHERWISE))
    with told(format):
        image = decoder(stream, "")  # not Image.open, which would try other formats
        width, height = image.size
        _check_size(width, height, max_pixels)
        if structure is not None and structure.scans > 1:
            extra += width * height * _BYTES_PER_PIXEL_OF_SCANS
        image = _prepared(image, resize.size, directory)
        width, height = image.size
    per_pixel = _BYTES_PER_PIXEL_OF.get(format, 0) + (
        _BYTES_PER_PIXEL_OTHERWISE
        if "transparency" in image.info
        else _BYTES_PER_PIXEL.get(image.mode, _BYTES_PER_PIXEL_OTHERWISE)
    )
    if image.mode[0] in "IF":
        extra += _ARRAYS
    elif _is_deep_colour(image):
        extra += _ARRAYS
        per_pixel += _BYTES_PER_PIXEL_OF_DEEP_COLOUR
    reserve(extra + width * height * per_pixel + (width + height) * _BYTES_PER_LINE)
    return Photograph(format, decoder, image, stream, resize.size, structure, directory)


def _check_compression(directory: tiff.Directory) -> None:
    from PIL.TiffImagePlugin import COMPRESSION_INFO

    if directory.compression not in COMPRESSION_INFO:
        raise UnsupportedError(f"is a TIFF of compression {directory.compression}, which cannot be decoded")


def _prepared(image: ImageFile, size: int, directory: tiff.Directory | None) -> ImageFile:
    """Return an opened image that is going to be decoded to no more pixels than needed, and in all of its bits."""
    image.draft(None, (DRAFT_MARGIN * size, DRAFT_MARGIN * size))  # of JPEGs alone
    if directory is not None:
        image.tile = [tile._replace(args=_mended(tile, directory)) for tile in image.tile]
    return image


def _mended(tile: Any, directory: tiff.Directory) -> Any:
    """Return how Pillow is to read the values of a strip or a tile of a TIFF, where it is wrong about that."""
    rawmode, *rest = tile.args
    if tile.codec_name == "libtiff":
        rawmode = _NATIVE_ORDER.get(rawmode, rawmode)  # values come in the order of this machine
    elif directory.is_planar_and_deep:
        rawmode = f"{rawmode};16{directory.order}"  # it would take each value for two
    return (rawmode, *rest)


def _check_limits(data: bytes, format: Format, max_pixels: int) -> None:
    """Raise ImageError where a picture that could not be decoded is larger than its decoder takes."""
    if format is formats.WEBP:
        size: tuple[int, int] | None = integrity.webp_size(data)
    elif format is formats.JPEG:
        with told(format):
            size = _decoder(format)(io.BytesIO(data), "").size
    else:
        size = integrity.boxed_size(data) if format in (formats.AVIF, formats.HEIF) else None
    if size is None:
        return
    _check_size(*size, max_pixels)
    longest = _LONGEST_SIDE.get(format)
    if longest is not None and max(size) > longest:
        raise UnsupportedError(
            f"is {size[0]} × {size[1]} pixels, and a side of {format.name} may have no more than {longest:,} here"
        )


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise CircumstanceError(f"is {width} × {height} pixels, more than the limit of {max_pixels:,} in all")


def _render(photograph: Photograph, data: bytes, resize: Resize) -> Image.Image:
    image, directory = photograph.image, photograph.directory
    white = None if directory is None else directory.white
    with told(photograph.format):
        is_deep_colour = _is_deep_colour(image)
        image.load()
        if photograph.structure is not None:
            _check_end(photograph, photograph.structure, data)
        picture: Image.Image = image
        if is_deep_colour:
            from embed.images import deep

            planar = directory is not None and directory.is_planar_and_deep
            picture = deep.colour(image, lambda: photograph.reopen(data), white, planar=planar)
        elif image.mode[0] in "IF" or (directory is not None and image.mode == "L" and directory.misread_as):
            from embed.images import deep

            if photograph.format not in (formats.PNG, formats.TIFF):
                white = deep.FULL  # scaled by their decoders
            picture = deep.grey(image, white, None if directory is None else directory.misread_as)
            if directory is not None and directory.is_negative:
                picture = ImageChops.invert(picture)
        return _finish(picture, image, resize)


def _check_end(photograph: Photograph, structure: jpeg.Structure, data: bytes) -> None:
    """Raise ImageError when the data of a JPEG end before its picture does."""
    for filler in () if structure.ended else jpeg.OTHER_FILLERS:
        other = photograph.reopen(jpeg.with_end(data, structure, filler))
        other.load()
        if other.tobytes() != photograph.image.tobytes():
            raise ImageError("truncated JPEG")
    if isinstance(photograph.stream, jpeg.WatchedStream):
        photograph.stream.check()


def _is_deep_colour(image: ImageFile) -> bool:
    """Return whether an opened image has several channels of 16 bits, of which Pillow keeps the high bytes."""
    return image.mode in ("RGB", "RGBA") and any(";16" in str(tile.args) for tile in image.tile)


def _finish(picture: Image.Image, opened: Image.Image, resize: Resize) -> Image.Image:
    """Return a picture of 8 bits upright, resized, as sRGB; the opened image says how it is turned and what its colours are."""
    method = _UPRIGHT.get(colours.orientation(opened))
    upright = colours.to_rgb_or_grey(picture)
    if method is not None:
        upright = upright.transpose(method)
    return colours.to_srgb(_fit(upright, resize), opened.info.get("icc_profile"))


def _decode_raw(data: bytes, resize: Resize, max_pixels: int, reserve: Reserve) -> Image.Image:
    """Decode the picture that the camera put beside what its sensor saw, where it is large enough; otherwise develop that."""
    from embed.images import raw

    integrity.check(data, formats.RAW)
    reserve(raw.MEMORY + 3 * len(data))
    with told(formats.RAW):
        photograph = raw.open_raw(data)
        width, height = photograph.sizes.width, photograph.sizes.height
        _check_size(width, height, max_pixels)
        preview = raw.preview(photograph, resize.size)
        if preview is not None:
            try:
                return decode(preview, formats.JPEG.name, resize, max_pixels=max_pixels, reserve=reserve)
            except CircumstanceError:
                raise
            except ImageError:
                pass  # a damaged preview does not spoil the photograph
        reserve(raw.MEMORY + 3 * len(data) + width * height * raw.BYTES_PER_PIXEL)
        picture = raw.develop(photograph, resize.size)
        return _finish(picture, picture, resize)


def _decode_scientific(data: bytes, resize: Resize, max_pixels: int, reserve: Reserve) -> Image.Image:
    """Decode a TIFF that Pillow does not know."""
    memory = _OPENING + _ARRAYS + 2 * len(data)
    reserve(memory)
    from embed.images import scientific

    with told(formats.TIFF):
        picture = scientific.read(
            data,
            lambda width, height: _check_size(width, height, max_pixels),
            lambda more: reserve(memory + more),
            tiff.Directory(data).white,
        )
        return _finish(picture, picture, resize)


def _decoder(format: Format) -> type[ImageFile]:
    try:
        module: Any = importlib.import_module(format.module)
    except ImportError:
        if format is not formats.HEIF:
            raise
        raise CircumstanceError(
            "is a HEIF photograph; install embed-images[heif] to read such files"
        ) from None
    # There are as many processes as processors already, and every thread takes address space.
    if format is formats.AVIF:
        module.DEFAULT_MAX_THREADS = 1
    elif format is formats.HEIF:
        module.options.DECODE_THREADS = 1
    decoder: type[ImageFile] = getattr(module, format.decoder)
    return decoder


def _fit(image: Image.Image, resize: Resize) -> Image.Image:
    """Resize; the filter is antialiased and sees only the pixels that stay."""
    size, (width, height) = resize.size, image.size
    if resize.fit == "stretch":
        return image.resize((size, size), _FILTER)
    if resize.fit == "crop":
        side = min(width, height)
        left, top = (width - side) / 2, (height - side) / 2
        return image.resize((size, size), _FILTER, box=(left, top, left + side, top + side))
    if resize.fit == INSIDE and max(width, height) <= size:
        return image
    scale = size / max(width, height)
    inner = image.resize((max(1, round(width * scale)), max(1, round(height * scale))), _FILTER)
    if resize.fit == INSIDE:
        return inner
    square = Image.new(image.mode, (size, size), colours.white(image.mode))
    square.paste(inner, ((size - inner.width) // 2, (size - inner.height) // 2))
    return square
