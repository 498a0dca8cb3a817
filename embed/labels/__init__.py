"""Where labels and splits come from: the folder of a photograph, a regular expression, a table, or
what was given by hand.

Labels are not part of the features: any rule may be applied to the same cache, as often as wanted.
"""

from embed.labels import brought, hand
from embed.labels.columns import label_column, named_columns, path_column
from embed.labels.conflicts import conflicts
from embed.labels.matching import Match, match
from embed.labels.naming import with_splits
from embed.labels.query import with_where
from embed.labels.rules import NO_LABELS, RULE_VERSION, Labels, Photographed, assign, groups, of
from embed.labels.selection import chosen
from embed.labels.words import SPLITS

__all__ = [
    "NO_LABELS",
    "RULE_VERSION",
    "SPLITS",
    "Labels",
    "Match",
    "Photographed",
    "assign",
    "brought",
    "chosen",
    "conflicts",
    "groups",
    "hand",
    "label_column",
    "match",
    "named_columns",
    "of",
    "path_column",
    "with_splits",
    "with_where",
]
