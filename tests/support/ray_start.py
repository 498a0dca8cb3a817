"""`ray start`, on a machine that may be busy: Ray gives a node up that has not come up within 30 s, and its agents alone import for seconds.

python -P ray_start.py start --head ...
"""

import sys

from ray._private.node import Node
from ray.scripts.scripts import main

RAYS_PATIENCE_S, PATIENCE_S = 30, 300


def be_patient():
    """Let nodes that are started in this process take their time."""
    code = Node.__init__.__code__
    longer = (PATIENCE_S if value == RAYS_PATIENCE_S else value for value in code.co_consts)
    Node.__init__.__code__ = code.replace(co_consts=tuple(longer))


if __name__ == "__main__":
    be_patient()
    sys.exit(main())
