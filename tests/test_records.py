"""Records: the bytes that TFDS writes for the same features, and back."""

import hashlib

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exogan_jax.files.records import RecordFormat, Spectra
from exogan_jax.layout import PUBLISHED

FLOATS = st.floats(width=32, allow_nan=False)
#: Of the record that the first version made, see below.
DIGEST = "1cfbf0a66efa3710a6c8fdeb0067447e65357b06b0faa57de8f27379f2a2ed3e"
FORMATS = [RecordFormat(PUBLISHED.n_wavelength, len(PUBLISHED.parameters)), RecordFormat(30, 9)]
both = pytest.mark.parametrize("form", FORMATS, ids=["published", "another"])


@both
@given(st.data())
def test_unpack_is_the_inverse_of_pack(form, data):
    n = data.draw(st.integers(1, 4))
    depth, theta = (
        data.draw(hnp.arrays(np.float32, (n, size), elements=FLOATS, fill=FLOATS))
        for size in form.features.values()
    )
    back = form.unpack(form.pack(Spectra(depth, theta)))
    np.testing.assert_array_equal(back.depth, depth)
    np.testing.assert_array_equal(back.theta, theta)
    assert back.depth.dtype == back.theta.dtype == np.float32


@both
def test_the_bytes_are_those_of_tfds(form):
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.example_serializer import ExampleSerializer

    rng = np.random.default_rng(0)
    spectra = Spectra(*(rng.random((3, n), np.float32) for n in form.features.values()))
    features = tfds.features.FeaturesDict(
        {k: tfds.features.Tensor(shape=(n,), dtype=np.float32) for k, n in form.features.items()}
    )
    serializer = ExampleSerializer(features.get_serialized_info())
    for i, record in enumerate(form.pack(spectra)):
        example = {name: x[i] for name, x in spectra._asdict().items()}
        assert serializer.get_tf_example(example).SerializeToString(deterministic=True) == record
        assert len(record) == form.n_bytes


def test_published_records_are_what_they_were():
    """Datasets on disk are read by their bytes: those of the first version."""
    form = RecordFormat(515, 7)
    depth = np.linspace(0.01, 0.02, 515, dtype=np.float32)[None]
    (record,) = form.pack(Spectra(depth, np.arange(7, dtype=np.float32)[None]))
    assert form.n_bytes == 2125
    assert hashlib.sha256(record).hexdigest() == DIGEST


@both
def test_other_records_are_refused(form):
    (good,) = form.pack(Spectra(*(np.zeros((1, n)) for n in form.features.values())))
    for record in (b"", bytes(form.n_bytes), b"x" * (form.n_bytes + 1)):
        with pytest.raises(ValueError, match="record 1 "):
            form.unpack([good, record])


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"theta must be \(2, 9\), got \(2, 1\)"):
        FORMATS[1].pack(Spectra(np.zeros((2, 30)), np.zeros((2, 1))))


@both
def test_no_records_are_no_spectra(form):
    depth, theta = form.unpack([])
    assert depth.shape == (0, form.n_wavelength) and theta.shape == (0, form.n_parameters)
