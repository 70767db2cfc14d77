"""Model weights on this machine: where they are, how they get here, and what hardware runs them."""

from cutline.weights.hardware import Hardware, choose_hardware
from cutline.weights.hub import Say, find_weights, is_here, local_folder

__all__ = ["Hardware", "Say", "choose_hardware", "find_weights", "is_here", "local_folder"]
