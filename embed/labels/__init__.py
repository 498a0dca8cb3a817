"""Where labels and splits come from: the folder of a photograph, a regular expression, or a table.

Labels are not part of the features: any rule may be applied to the same cache, as often as wanted.
"""

from embed.labels.folders import SPLITS, split_of
from embed.labels.query import with_where
from embed.labels.rules import RULE_VERSION, Labels, assign, groups
from embed.labels.selection import chosen

__all__ = ["RULE_VERSION", "SPLITS", "Labels", "assign", "chosen", "groups", "split_of", "with_where"]
