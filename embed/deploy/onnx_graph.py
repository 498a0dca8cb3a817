"""Writing a graph of ONNX, node by node; and the arithmetic of a head in it."""

from typing import TYPE_CHECKING, Any

import numpy as np

from embed.deploy.arithmetic import Arithmetic

if TYPE_CHECKING:
    import onnx

OURS = "embed/"  # begins the names of all that is added to a network


class Graph:
    """Adds nodes to the graph of a model. A tensor is the name of a value.

    Parameters
    ----------
    model : onnx.ModelProto
    """

    def __init__(self, model: "onnx.ModelProto") -> None:
        self.model = model
        self._number = 0

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node and return what it gives."""
        from onnx import helper

        name = self._name(kind)
        self.model.graph.node.append(helper.make_node(kind, inputs, [name], name, **attributes))
        return name

    def constant(self, values: Any) -> str:
        """Add an array and return its name."""
        from onnx import numpy_helper

        name = self._name("constant")
        self.model.graph.initializer.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def put_first(self, count: int) -> None:
        """Move the nodes added last before all others, whose input they make."""
        nodes = list(self.model.graph.node)
        del self.model.graph.node[:]
        self.model.graph.node.extend([*nodes[len(nodes) - count :], *nodes[: len(nodes) - count]])

    def read_instead(self, value: str, other: str) -> None:
        """Let all nodes that read a value read another."""
        for node in self.model.graph.node:
            for place, name in enumerate(node.input):
                if name == value:
                    node.input[place] = other

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
        return self._graph.node("ReduceSum", x, self._graph.constant(np.int64([1])), keepdims=1)

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
