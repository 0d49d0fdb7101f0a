"""Records: the bytes that TFDS writes for the same features, and back."""

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exogan_jax.files.records import FEATURES, RECORD_BYTES, Spectra, pack, unpack

FLOATS = st.floats(width=32, allow_nan=False)


@given(
    st.integers(1, 4).flatmap(
        lambda n: st.tuples(
            hnp.arrays(np.float32, (n, 515), elements=FLOATS, fill=FLOATS),
            hnp.arrays(np.float32, (n, 7), elements=FLOATS),
        )
    )
)
def test_unpack_is_the_inverse_of_pack(arrays):
    depth, theta = unpack(pack(Spectra(*arrays)))
    np.testing.assert_array_equal(depth, arrays[0])
    np.testing.assert_array_equal(theta, arrays[1])
    assert depth.dtype == theta.dtype == np.float32


def test_the_bytes_are_those_of_tfds():
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.example_serializer import ExampleSerializer

    rng = np.random.default_rng(0)
    spectra = Spectra(*(rng.random((3, n), np.float32) for n in FEATURES.values()))
    features = tfds.features.FeaturesDict(
        {k: tfds.features.Tensor(shape=(n,), dtype=np.float32) for k, n in FEATURES.items()}
    )
    serializer = ExampleSerializer(features.get_serialized_info())
    for i, record in enumerate(pack(spectra)):
        example = {name: x[i] for name, x in spectra._asdict().items()}
        assert serializer.get_tf_example(example).SerializeToString(deterministic=True) == record


@pytest.mark.parametrize("record", [b"", bytes(RECORD_BYTES), b"x" * (RECORD_BYTES + 1)])
def test_other_records_are_refused(record):
    good = pack(Spectra(np.zeros((1, 515)), np.zeros((1, 7))))
    with pytest.raises(ValueError, match="record 1 "):
        unpack([*good, record])


def test_no_records_are_no_spectra():
    depth, theta = unpack([])
    assert depth.shape == (0, 515) and theta.shape == (0, 7)
