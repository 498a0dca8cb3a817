"""Features on disk: immutable parts, published whole or not at all, checked whenever they are read."""

from embed.cache.contents import Contents, Starts
from embed.cache.elsewhere import Receipt, write_part
from embed.cache.failures import Failure
from embed.cache.identity import Moved, Wish
from embed.cache.join import join, joined_features
from embed.cache.lock import Lock
from embed.cache.meta import Meta
from embed.cache.names import check_name
from embed.cache.origin import Origin, origin_of, read_origin, write_origin
from embed.cache.others import SAMPLES, OtherSets
from embed.cache.pending import Row
from embed.cache.reader import FeatureCache, open_features
from embed.cache.recipe import Recipe
from embed.cache.sets import FeatureSet, find_features, list_features, sick_features
from embed.cache.tuned import is_tuned, read_tuned, tuned_on, write_tuned
from embed.cache.verify import Report, verify
from embed.cache.writer import FeatureWriter

__all__ = [
    "SAMPLES",
    "Contents",
    "Failure",
    "FeatureCache",
    "FeatureSet",
    "FeatureWriter",
    "Lock",
    "Meta",
    "Moved",
    "Origin",
    "OtherSets",
    "Receipt",
    "Recipe",
    "Report",
    "Row",
    "Starts",
    "Wish",
    "check_name",
    "find_features",
    "is_tuned",
    "join",
    "joined_features",
    "list_features",
    "open_features",
    "origin_of",
    "read_origin",
    "read_tuned",
    "sick_features",
    "tuned_on",
    "verify",
    "write_origin",
    "write_part",
    "write_tuned",
]
