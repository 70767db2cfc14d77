"""Model weights (local folders and downloads from the hub) and the hardware to run them on."""

from cutline.weights.hardware import Hardware, choose_device, choose_hardware
from cutline.weights.hub import Say, find_weights, is_downloaded, local_folder

__all__ = [
    "Hardware",
    "Say",
    "choose_device",
    "choose_hardware",
    "find_weights",
    "is_downloaded",
    "local_folder",
]
