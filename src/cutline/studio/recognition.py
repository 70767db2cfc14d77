"""Names of what a picture shows, to be suggested as tags."""

from __future__ import annotations

import threading

from cutline.captioners.pixels.objects import OBJECT_SIDE, ObjectRecognizer, RecognizedObject
from cutline.imaging import Picture
from cutline.records import Location


class Recognition:
    """Recognizes objects as ``pixels:objects`` does, but leaves it to a person which are right.

    Blocks, the first time for seconds, as the network is loaded. Any thread may call.
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
