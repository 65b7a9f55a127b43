"""Figures of *Road to NTK*: house style, drawings for pages, controls that move them."""

from .figures import BLUE, GRAY, GREEN, LOOKS, ORANGE, PINK, curves, dots, legend, subplots
from .interactive import explore
