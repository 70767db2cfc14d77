"""Measures of pictures: size, light, sharpness, colour, hashes, and what classifiers say."""
