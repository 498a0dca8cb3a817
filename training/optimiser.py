"""Muon: gradient descent whose steps are orthogonal matrices, for the kernels of convolutions.

Keller Jordan, https://kellerjordan.github.io/posts/muon/; as there for convolutions, a kernel is flattened to
(out, in × height × width), and its norm is held fixed, which the normalisation behind it cancels.
"""

import torch
from torch import distributed

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the Newton-Schulz iteration, from the same source
ITERATIONS = 4
MOMENTUM = 0.9


def orthogonalised(matrix: torch.Tensor) -> torch.Tensor:
    """A matrix of the same rows and columns with all singular values about 1, by Newton-Schulz iteration."""
    a, b, c = COEFFICIENTS
    x = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x = x / (x.norm() + 1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x if matrix.shape[0] <= matrix.shape[1] else x.T


def add_up(tensors: list[torch.Tensor]) -> None:
    """Replace tensors by their sums over all workers."""
    flat = torch._utils._flatten_dense_tensors(tensors)
    distributed.all_reduce(flat)
    for tensor, total in zip(tensors, torch._utils._unflatten_dense_tensors(flat, tensors), strict=True):
        tensor.copy_(total)


class Muon(torch.optim.Optimizer):
    """`lr` is the size of a step relative to the kernel's norm. Each worker works out its share of the steps."""

    def __init__(self, kernels: list[torch.Tensor], lr: float, rank: int, workers: int) -> None:
        super().__init__(kernels, {"lr": lr})
        self.rank, self.workers = rank, workers

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        (group,) = self.param_groups
        updates = []
        for index, kernel in enumerate(group["params"]):
            state = self.state[kernel]
            if not state:
                state["momentum"] = torch.zeros_like(kernel)
            momentum = state["momentum"].mul_(MOMENTUM).add_(kernel.grad)
            if index % self.workers == self.rank:
                direction = kernel.grad.add(momentum, alpha=MOMENTUM)
                updates.append(orthogonalised(direction.reshape(len(direction), -1)).view(kernel.shape))
            else:
                updates.append(torch.zeros(kernel.shape, device=kernel.device))
        if self.workers > 1:
            add_up(updates)
        for kernel, update in zip(group["params"], updates, strict=True):
            kernel.mul_(len(kernel) ** 0.5 / kernel.norm())
            kernel.sub_(update, alpha=group["lr"])
