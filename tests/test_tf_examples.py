"""Records of TFDS against those that TFDS writes."""

import numpy as np
import pytest
import tensorflow_datasets as tfds

from exogan_jax.files.tf_examples import examples_of


def written(features, example):
    serializer = tfds.core.example_serializer.ExampleSerializer(
        tfds.features.FeaturesDict(features).get_serialized_info()
    )
    return serializer.serialize_example(example)


def test_lists_of_all_kinds_come_back():
    example = {
        "floats": np.linspace(-1, 3, 300).astype(np.float32),
        "one": np.float32(1e-7),
        "whole": np.array([-(2**62), -1, 0, 1, 127, 128, 2**62], np.int64),
        "text": "HD 189733 b é",
        "none": np.zeros(0, np.float32),
    }
    features = {
        "floats": tfds.features.Tensor(shape=(None,), dtype=np.float32),
        "one": tfds.features.Tensor(shape=(), dtype=np.float32),
        "whole": tfds.features.Tensor(shape=(7,), dtype=np.int64),
        "text": tfds.features.Text(),
        "none": tfds.features.Tensor(shape=(None,), dtype=np.float32),
    }
    encoded = tfds.features.FeaturesDict(features).encode_example(example)
    found = examples_of(written(features, encoded))
    assert set(found) == set(example)
    for name in ("floats", "whole"):
        np.testing.assert_array_equal(found[name], example[name])
        assert found[name].dtype == example[name].dtype
    assert found["one"].tolist() == [np.float32(1e-7)] and len(found["none"]) == 0
    assert [x.decode() for x in found["text"]] == ["HD 189733 b é"]


def test_numbers_that_are_not_packed_are_read_too():
    floats = b"".join(b"\x0d" + np.float32(x).tobytes() for x in (1.5, -2.0))
    whole = b"\x08\x05\x08\x80\x01"

    def entry(name, number, values):
        feature = bytes([number << 3 | 2, len(values)]) + values
        pair = b"\x0a\x01" + name + b"\x12" + bytes([len(feature)]) + feature
        return b"\x0a" + bytes([len(pair)]) + pair

    features = entry(b"f", 2, floats) + entry(b"i", 3, whole)
    found = examples_of(b"\x0a" + bytes([len(features)]) + features)
    assert found["f"].tolist() == [1.5, -2.0] and found["i"].tolist() == [5, 128]


@pytest.mark.parametrize("record", [b"\x0a\x7f", b"\x0b", b"\x80" * 12, b"\x0a\x03\x0a\x01\x0a"])
def test_what_is_no_example_is_refused(record):
    with pytest.raises(ValueError):
        examples_of(record)
