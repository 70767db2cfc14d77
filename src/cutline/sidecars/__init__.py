"""Sidecars: a text beside a picture. The one way to find, read and rewrite them.

``SidecarIndex`` finds a picture's sidecar in a listing, ``read`` and ``decode`` read it in any encoding, and
``rewrite`` gives the bytes that replace it in the form it had. ``ownership`` records which job wrote what.
"""

from cutline.sidecars.encoding import EncodingReport, SidecarText, decode, read, rewrite
from cutline.sidecars.names import SidecarIndex

__all__ = ["EncodingReport", "SidecarIndex", "SidecarText", "decode", "read", "rewrite"]
