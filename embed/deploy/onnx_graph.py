"""Writing a graph of ONNX, node by node; and the arithmetic of a head in it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from embed.deploy.arithmetic import Arithmetic
from embed.deploy.plan import PIXELS

if TYPE_CHECKING:
    import onnx

OURS = "embed/"  # begins the names of all that is added to a network
FLOAT, UINT8 = 1, 2  # in onnx.proto


class Graph:
    """Adds nodes to the graph of a model that takes `PIXELS`. A tensor is the name of a value.

    Parameters
    ----------
    model : onnx.ModelProto
    pictures : str or int
        What it takes at a time: the name of a free length, or 1.
    """

    def __init__(self, model: "onnx.ModelProto", pictures: str | int) -> None:
        self.model = model
        self.pictures = pictures
        self._number = 0

    def node(self, kind: str, *inputs: str, out: str = "", **attributes: Any) -> str:
        """Add a node and return what it gives, under a name of its own or the one that is asked for."""
        from onnx import helper

        name = self._name(kind)
        made = helper.make_node(kind, inputs, [out or name], name, **attributes)
        self.model.graph.node.append(made)
        return out or name

    def halves(self, x: str) -> tuple[str, str]:
        """Return the first and the second half of rows."""
        from onnx import helper

        first, second = self._name("half"), self._name("half")
        made = helper.make_node("Split", [x], [first, second], first, axis=0, num_outputs=2)
        self.model.graph.node.append(made)
        return first, second

    def constant(self, values: Any) -> str:
        """Add an array and return its name."""
        from onnx import numpy_helper

        name = self._name("constant")
        self.model.graph.initializer.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def integers(self, *values: int) -> str:
        """Add a vector of whole numbers and return its name."""
        return self.constant(np.array(values, np.int64))

    @contextmanager
    def before_all(self) -> Iterator[None]:
        """Put the nodes that are added in the block before all others, which read what they give."""
        nodes = self.model.graph.node
        others = [*nodes]
        del nodes[:]
        yield
        nodes.extend(others)

    def read_instead(self, value: str, other: str) -> None:
        """Let all nodes that read a value read another."""
        for node in self.model.graph.node:
            for place, name in enumerate(node.input):
                if name == value:
                    node.input[place] = other

    def close(self, output: str, sides: Sequence[str | int], columns: int | None = None) -> None:
        """Say what the graph takes and gives.

        Parameters
        ----------
        output : str
            The value that it gives.
        sides : sequence of str or int
            Height and width of the pictures.
        columns : int, optional
            Of what it gives, where that is known to be (n, columns) of float32.
        """
        from onnx import helper

        graph = self.model.graph
        for field in (graph.input, graph.output):
            del field[:]
        shape = [self.pictures, *sides, 3]
        graph.input.append(helper.make_tensor_value_info(PIXELS, UINT8, shape))
        if columns is None:
            graph.output.append(helper.make_empty_tensor_value_info(output))
        else:
            graph.output.append(helper.make_tensor_value_info(output, FLOAT, [self.pictures, columns]))

    def _name(self, kind: str) -> str:
        self._number += 1
        return f"{OURS}{kind}_{self._number}"


class OnnxArithmetic(Arithmetic):
    """The arithmetic of a head in ONNX."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def affine(self, x: Any, matrix: np.ndarray, offset: np.ndarray) -> Any:
        return self._graph.node("Gemm", x, self._graph.constant(matrix), self._graph.constant(offset))

    def add(self, x: Any, y: Any) -> Any:
        return self._graph.node("Add", x, y)

    def multiply(self, x: Any, y: Any) -> Any:
        return self._graph.node("Mul", x, y)

    def divide(self, x: Any, y: Any) -> Any:
        return self._graph.node("Div", x, y)

    def total(self, x: Any) -> Any:
        return self._graph.node("ReduceSum", x, self._graph.integers(1), keepdims=1)

    def at_least(self, x: Any, least: np.float32) -> Any:
        return self._graph.node("Max", x, self._graph.constant(least))

    def absolute(self, x: Any) -> Any:
        return self._graph.node("Abs", x)

    def below_zero(self, x: Any) -> Any:
        less = self._graph.node("Less", x, self._graph.constant(np.float32(0)))
        return self._graph.node("Cast", less, to=1)  # float32

    def exponential(self, x: Any) -> Any:
        return self._graph.node("Exp", x)

    def square_root(self, x: Any) -> Any:
        return self._graph.node("Sqrt", x)

    def cube_root(self, x: Any) -> Any:
        size = self._graph.node("Pow", self.absolute(x), self._graph.constant(np.float32(1 / 3)))
        return self.multiply(self._graph.node("Sign", x), size)

    def sigmoid(self, x: Any) -> Any:
        return self._graph.node("Sigmoid", x)

    def softmax(self, x: Any) -> Any:
        return self._graph.node("Softmax", x, axis=1)
