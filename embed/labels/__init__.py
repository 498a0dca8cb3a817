"""Where labels and splits come from: the folder of a photograph, a regular expression, or a table.

Labels are not part of the features: any rule may be applied to the same cache, as often as wanted.
"""

from embed.labels.conflicts import conflicts
from embed.labels.names import SPLITS
from embed.labels.query import with_where
from embed.labels.rules import RULE_VERSION, Labels, Photographed, assign, groups, of, with_splits
from embed.labels.selection import chosen

__all__ = [
    "RULE_VERSION",
    "SPLITS",
    "Labels",
    "Photographed",
    "assign",
    "chosen",
    "conflicts",
    "groups",
    "of",
    "with_splits",
    "with_where",
]
