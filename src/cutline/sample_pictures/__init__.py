"""Sample pictures: scenes drawn by arithmetic, so that nobody's photographs are needed."""

from cutline.sample_pictures.samples import SAMPLES, draw_all, draw_samples

__all__ = ["SAMPLES", "draw_all", "draw_samples"]
