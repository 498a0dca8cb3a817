"""What defines the numbers of a feature set."""

import hashlib
import json
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from embed.errors import CacheFormatError

DTYPES = ("float32", "float16")
MOST_VIEWS = MOST_SIZE = 1 << 16
LONGEST_NAME = 200  # of a backbone, in characters
OPTIONAL: dict[str, Any] = {
    "mirror": False,
    "preprocess": "",
    "imported": False,
    "joined": (),
    "tuned_from": "",
}  # with the values that they have where they are left out


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How features are computed. Two recipes with one ``hash`` give the same numbers for the same photograph.

    Parameters
    ----------
    backbone : str
        Name of the network, such as ``"mobilenetv2"``.
    weights : str
        Where the weights came from: ``"imagenet"``, ``"tiny"`` or a file name. For people; not part of the hash.
    weights_sha256 : str
        Hexadecimal sha256 of the weights, which is what identifies them.
    layer : str
        Layer whose output is pooled.
    pooling : {"avg", "max", "grid", "flatten", "cls"}
    size : int
        Side of the square that the network sees, in pixels.
    mirror : bool
        Whether the network sees the mirror image too, and the two are averaged.
    preprocess : str
        What becomes of the pixels before the network, where it does not know by itself; otherwise empty.
    imported : bool
        Whether another program computed them: `weights_sha256` is that of its file then, `layer` the column of a table, and
        what else is about pixels says nothing.
    joined : tuple of Recipe
        Those of several networks whose features are joined: each of unit length, one after another, divided by the root of their
        number. The other fields then tell of the whole what they can.
    tuned_from : str
        Hexadecimal sha256 of the weights that these were tuned from, on photographs whose labels they have seen; otherwise empty.
    fit : {"stretch", "crop", "pad"}
        How a photograph is brought to that square.
    interpolation : str
    precision : {"float32", "bfloat16", "float16"}
        Arithmetic of the forward pass.
    dtype : {"float32", "float16"}
        How features are stored.
    views : int
        Views of each photograph: the plain one and ``views - 1`` augmented ones.
    view_seed : int
        Seed of the augmented views; without meaning where there are none.
    decoder : int
        Version of the image decoder.
    """

    backbone: str
    weights: str
    weights_sha256: str
    layer: str
    pooling: str = "avg"
    size: int
    mirror: bool = False
    preprocess: str = ""
    imported: bool = False
    joined: tuple["Recipe", ...] = ()
    tuned_from: str = ""
    fit: str = "stretch"
    interpolation: str = "bilinear"
    precision: str = "float32"
    dtype: str = "float32"
    views: int = 1
    view_seed: int = 0
    decoder: int

    @cached_property
    def hash(self) -> str:
        """Hexadecimal sha256 of the canonical JSON of every field that changes a number."""
        identity = self.to_json()
        del identity["weights"]
        if self.joined:
            identity["joined"] = [recipe.hash for recipe in self.joined]
        if self.views == 1:
            del identity["view_seed"]
        canonical = json.dumps(identity, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a JSON object; those of `OPTIONAL` only where they say something."""
        document = {field.name: getattr(self, field.name) for field in fields(self)}
        said = {name: value for name, value in document.items() if value != OPTIONAL.get(name)}
        if self.joined:
            said["joined"] = [recipe.to_json() for recipe in self.joined]
        return said

    @classmethod
    def from_json(cls, document: object) -> "Recipe":
        """Return the recipe of a JSON object.

        Raises
        ------
        CacheFormatError
            The object is no recipe, or one with fields that this version does not know.
        """
        known = {field.name: getattr(field.type, "__origin__", field.type) for field in fields(cls)}
        if isinstance(document, dict):
            document = {**OPTIONAL, **document}
        if not isinstance(document, dict) or set(document) != set(known):
            found = ", ".join(sorted(document)) if isinstance(document, dict) else repr(document)
            raise CacheFormatError(f"not a recipe: expected the fields {', '.join(known)}, found {found}")
        if isinstance(document["joined"], list):
            document["joined"] = tuple(cls.from_json(recipe) for recipe in document["joined"])
        for name, kind in known.items():
            if type(document[name]) is not kind:
                raise CacheFormatError(f"not a recipe: {name} is {document[name]!r:.60}, expected {kind}")
        recipe = cls(**document)
        if (
            recipe.dtype not in DTYPES
            or not 1 <= recipe.views <= MOST_VIEWS
            or not (0 if recipe.imported or recipe.joined else 1) <= recipe.size <= MOST_SIZE
        ):
            raise CacheFormatError(
                f"not a recipe: {recipe.views} views of {recipe.size} pixels as {recipe.dtype!r:.60}"
            )
        # It becomes part of the name of a folder.
        if {"/", "\0"} & set(recipe.backbone) or len(recipe.backbone) > LONGEST_NAME:
            raise CacheFormatError(f"not a recipe: {recipe.backbone!r:.60} is no name of a backbone")
        try:
            _ = recipe.hash
        except UnicodeEncodeError as error:
            raise CacheFormatError("not a recipe: it holds what is no text") from error
        return recipe
