"""Sidecars: a text beside a picture. The one way to find, read and rewrite them.

``SidecarIndex`` finds a picture's sidecar in a listing, ``read`` and ``TextDecoder`` read it in any encoding,
and ``TextDecoder.rewrite`` gives the bytes that replace it in the form it had. ``EncodingReport`` names what
a user should know, and ``ownership`` records which job wrote what.
"""

from cutline.sidecars.decoder import TextDecoder, text_encoding
from cutline.sidecars.encoding import SidecarText, decode, read
from cutline.sidecars.names import SidecarIndex, sidecar_ending
from cutline.sidecars.report import EncodingReport

__all__ = [
    "EncodingReport",
    "SidecarIndex",
    "SidecarText",
    "TextDecoder",
    "decode",
    "read",
    "sidecar_ending",
    "text_encoding",
]
