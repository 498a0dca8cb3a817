"""A fitted classifier as one file for elsewhere: from pixels to probabilities, in formats that other programs run.

`Plan` is what is written: the graph of the backbone with its preprocessing, and the head as steps of arithmetic. `Format` is
the seam; how each is written and run is a module of its own.
"""

from embed.deploy.deploy import Deployed, deploy
from embed.deploy.parity import Parity

__all__ = ["Deployed", "Parity", "deploy"]
