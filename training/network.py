"""`tiny` in PyTorch, for training: the package's architecture, every convolution normalised."""

from pathlib import Path

import torch
from torch import nn

from training import architecture, onnx_file


class Network(nn.Module):
    """Pixels 0..255 (n, 3, h, w) in, the last map of features (n, 512, h / 16, w / 16) out."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.ModuleDict()
        self.norms = nn.ModuleDict()
        self.eval()
        architecture.trace(self, torch.zeros(1, 3, 32, 32))  # creates the layers
        self.train()

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return architecture.trace(self, pixels)

    def scale(self, x: torch.Tensor) -> torch.Tensor:
        return (x - architecture.PIXEL_CENTRE) / architecture.PIXEL_RANGE

    def convolution(self, x: torch.Tensor, name: str, filters: int, kernel: int, stride: int) -> torch.Tensor:
        if name not in self.convolutions:
            self.convolutions[name] = nn.Conv2d(x.shape[1], filters, kernel, stride, kernel // 2, bias=False)
            nn.init.kaiming_normal_(self.convolutions[name].weight, mode="fan_out", nonlinearity="relu")
            self.norms[name] = nn.BatchNorm2d(filters).eval()
            if name.endswith("_outer_conv"):  # every residual block begins as the identity
                nn.init.zeros_(self.norms[name].weight)
        return self.norms[name](self.convolutions[name](x))

    def add(self, x: torch.Tensor, y: torch.Tensor, name: str) -> torch.Tensor:
        return x + y

    def relu(self, x: torch.Tensor, name: str) -> torch.Tensor:
        return torch.relu(x)


def save_weights(network: Network, path: Path) -> None:
    """Fold the normalisations into the convolutions and write the ONNX file."""
    weights: onnx_file.Weights = {}
    for name, convolution in network.convolutions.items():
        norm = network.norms[name]
        gain = (norm.weight / torch.sqrt(norm.running_var + norm.eps)).detach()
        kernel = convolution.weight.detach() * gain[:, None, None, None]
        bias = norm.bias.detach() - norm.running_mean * gain
        weights[name] = kernel.permute(2, 3, 1, 0).numpy(), bias.numpy()
    onnx_file.write(weights, path)
