"""ResNet-50 v2, with pre-activation, as published by timm."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any, Final

from cutline.encoders.encoder import require
from cutline.encoders.picture_network import Architecture, PictureNetwork, fill, read_weights, weights_file
from cutline.weights import Say

NAME: Final = "resnet50-v2"
PUBLISHED: Final = "timm/resnetv2_50.a1h_in1k"
_STAGES: Final = ((3, 256), (4, 512), (6, 1024), (3, 2048))  # blocks, channels


def resnet(*, weights: str | None = None, device: str = "auto") -> PictureNetwork:
    """The encoder: 2,048 features, pooled, before the last layer.

    ``weights``: a safetensors file with timm's names, its folder, or a repository; by default
    ``timm/resnetv2_50.a1h_in1k``, trained on ImageNet. Keras' own file holds the same network with its
    strides elsewhere, as HDF5, and cannot be read.

    Source: He et al., "Identity Mappings in Deep Residual Networks", 2016; weights: Wightman et al.,
    "ResNet strikes back: An improved training procedure in timm", 2021.

    Raises:
        MissingExtra: torch or safetensors is not installed.
    """
    require(f"the model {NAME}", "analysis", "torch", "safetensors")

    def find(say: Say) -> Path:
        return weights_file(weights or PUBLISHED, say)

    def build(file: Path) -> Any:
        return fill(network(), read_weights(NAME, file), NAME, file)

    architecture = Architecture(
        name=NAME, dimensions=2048, crop=0.95, scale=1 / 127.5, shift=-1.0, find=find, build=build
    )
    return PictureNetwork(architecture, device=device)


def network() -> Any:
    """The network without its last layer, with random weights: pixels to pooled features."""
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self, inputs: int, outputs: int, stride: int, *, first: bool) -> None:
            super().__init__()
            middle = outputs // 4
            self.norm1 = nn.BatchNorm2d(inputs)
            self.conv1 = nn.Conv2d(inputs, middle, 1, bias=False)
            self.norm2 = nn.BatchNorm2d(middle)
            self.conv2 = nn.Conv2d(middle, middle, 3, stride=stride, padding=1, bias=False)
            self.norm3 = nn.BatchNorm2d(middle)
            self.conv3 = nn.Conv2d(middle, outputs, 1, bias=False)
            self.downsample = (
                nn.ModuleDict({"conv": nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)})
                if first
                else None
            )

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            active = torch.relu(self.norm1(x))
            shortcut = x if self.downsample is None else self.downsample["conv"](active)
            x = self.conv1(active)
            x = self.conv2(torch.relu(self.norm2(x)))
            x = self.conv3(torch.relu(self.norm3(x)))
            return x + shortcut

    def stage(inputs: int, outputs: int, blocks: int, stride: int) -> nn.Sequential:
        found = [
            Block(outputs if at else inputs, outputs, 1 if at else stride, first=not at)
            for at in range(blocks)
        ]
        return nn.Sequential(OrderedDict(blocks=nn.Sequential(*found)))

    class ResNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.ModuleDict({"conv": nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)})
            self.pool = nn.MaxPool2d(3, stride=2, padding=1)
            stages = []
            inputs = 64
            for at, (blocks, outputs) in enumerate(_STAGES):
                stages.append(stage(inputs, outputs, blocks, 2 if at else 1))
                inputs = outputs
            self.stages = nn.Sequential(*stages)
            self.norm = nn.BatchNorm2d(inputs)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.pool(self.stem["conv"](x))
            x = self.stages(x)
            return torch.relu(self.norm(x)).mean((2, 3))

    return ResNet()
