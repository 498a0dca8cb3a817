"""A user's files, copied, linked or put aside: never over another file, never deleted, and what moved can be put back."""

from embed.moving.bin import Bin, Binned, Left, Moved, Restored, Wanted, bin_of
from embed.moving.copying import Placed, carry_out, free_place

__all__ = [
    "Bin",
    "Binned",
    "Left",
    "Moved",
    "Placed",
    "Restored",
    "Wanted",
    "bin_of",
    "carry_out",
    "free_place",
]
