"""A version of weights, to detect others under the same name."""

from __future__ import annotations

import hashlib
from pathlib import Path

from cutline.encoders.encoder import fingerprint_of
from cutline.weights import local_folder


def weights_version(name: str) -> str:
    """Eight digits of a hash: of the weights in a local file or folder, and of a name on the hub."""
    if Path(name).is_file():
        files = [Path(name)]
    else:
        folder = local_folder(name)
        files = sorted(folder.glob("*.safetensors")) if folder else []
    if files:
        return fingerprint_of(files)[:8]
    return hashlib.blake2b(name.encode(), digest_size=4).hexdigest()
