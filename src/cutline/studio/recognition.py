"""Recognize objects in pictures, to suggest tags."""

from __future__ import annotations

import threading

from cutline.captioners.pixels.objects import OBJECT_SIDE, ObjectRecognizer, RecognizedObject
from cutline.imaging import Picture
from cutline.records import Location


class Recognition:
    """Recognizes objects as ``pixels:objects`` does, including uncertain ones.

    Blocks, the first time for seconds, while the network is loaded. Thread-safe.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._recognizer: ObjectRecognizer | None = None

    def objects(self, location: Location) -> list[RecognizedObject]:
        """The most probable first.

        Raises:
            PictureError: the picture cannot be read or decoded.
            MissingExtra: the extra ``objects`` is not installed.
        """
        with self._guard:
            if self._recognizer is None:
                self._recognizer = ObjectRecognizer()
            recognizer = self._recognizer
        return recognizer.recognize(Picture(location).image(max_side=OBJECT_SIDE))
