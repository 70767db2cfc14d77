"""A picture decoded once, for everything that measures it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from cutline.imaging.picture import Picture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

DECODED_SIDE: Final = 512

_T = TypeVar("_T")


class DecodedPicture:
    """An upright RGB image of at most 512 pixels, and the ``width`` and ``height`` of the whole picture.

    What several measures need, such as the lightness at 384 pixels, is computed once. Not for concurrent
    use by several threads.
    """

    __slots__ = ("_once", "height", "image", "width")

    def __init__(self, image: Image.Image, *, width: int, height: int) -> None:
        self.image = image
        self.width = width
        self.height = height
        self._once: dict[Hashable, Any] = {}

    @classmethod
    def of(cls, picture: Picture) -> Self:
        """Decode a picture; raises PictureError as ``Picture.image``."""
        info = picture.info()
        return cls(picture.image(max_side=DECODED_SIDE), width=info.width, height=info.height)

    def copy(self) -> DecodedPicture:
        """The same picture, for code that may change or close its image."""
        return DecodedPicture(self.image.copy(), width=self.width, height=self.height)

    def once(self, key: Hashable, compute: Callable[[], _T]) -> _T:
        """The result of ``compute``, which is called for the first of equal keys only."""
        if key not in self._once:
            self._once[key] = compute()
        result: _T = self._once[key]
        return result

    def scaled(self, side: int) -> Image.Image:
        """The image at most ``side`` pixels long."""
        return self.once(("scaled", side), lambda: self._scaled(side))

    def _scaled(self, side: int) -> Image.Image:
        from PIL import Image

        factor = max(self.image.size) / side
        if factor <= 1:
            return self.image
        size = (max(1, round(self.image.width / factor)), max(1, round(self.image.height / factor)))
        return self.image.resize(size, Image.Resampling.LANCZOS)

    def luma(self, side: int) -> NDArray[np.float32]:
        """The lightness 0..1 of the image at most ``side`` pixels long."""
        return self.once(("luma", side), lambda: self._luma(side))

    def _luma(self, side: int) -> NDArray[np.float32]:
        import numpy as np

        return np.asarray(self.scaled(side).convert("L"), dtype=np.float32) / np.float32(255)
