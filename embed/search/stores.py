"""Stores that lie elsewhere, by the place that the user names."""

from embed.cache import FeatureCache
from embed.errors import UsageError
from embed.search import lance_store, postgres_store
from embed.search.store import Store


def open_store(place: str, features: FeatureCache) -> Store:
    """Return the store of a feature set at a place.

    Raises
    ------
    StoreUnreachableError
        It cannot be asked.
    UsageError
        The place is none of a store, or what it needs is not installed.
    """
    if place.startswith(postgres_store.SCHEMES):
        return postgres_store.PostgresStore(place, features.name, features.dimension)
    if place.rstrip("/").endswith(lance_store.SUFFIX):
        return lance_store.LanceStore(place, features.name, features.dimension)
    raise UsageError(
        f"{place!r} is not known; it is a place that ends in {lance_store.SUFFIX}, as s3://shop/vectors.lance, or"
        " postgresql://HOST/DATABASE",
        "store",
    )


def as_written_down(place: str) -> str:
    """Return a place as it is kept beside the features: in full, and without a password."""
    if place.startswith(postgres_store.SCHEMES):
        return postgres_store.without_password(place)
    return lance_store.absolute(place)
