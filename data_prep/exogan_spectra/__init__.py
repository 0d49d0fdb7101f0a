"""The TFDS dataset `exogan_spectra`."""

from data_prep.exogan_spectra.exogan_spectra_dataset_builder import Builder, SpectraConfig

__all__ = ["Builder", "SpectraConfig"]
