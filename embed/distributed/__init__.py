"""Extraction on the machines of a Ray cluster: blocks of photographs go out, parts come back and are adopted.

One process, the driver, does what an extraction on one machine does, and nothing else writes to the set: it holds the lock, looks
for photographs, decides, keeps failures and removals. A worker computes a block with the pipeline of one machine, writes its part
under a temporary name into the folder of the set, and hands over a receipt. Nothing that a worker does counts until the driver
has taken the receipt, so it may die, or come back from the dead, at any moment.
"""

from embed.distributed.connection import check_address
from embed.distributed.executor import cluster

__all__ = ["check_address", "cluster"]
