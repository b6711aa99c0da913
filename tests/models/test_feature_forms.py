from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.base import ChannelGroup
from models.feature_forms import LEVELS, FormName, Int8Form, cell_bytes, make_form
from models.feature_storage import array_of, npy_bytes
from models.projection import Projection

MAPS = arrays(
    np.float32,
    st.tuples(st.integers(1, 5), st.integers(1, 5), st.just(3)),
    elements=st.floats(-1000, 1000, width=32),
)


@given(MAPS)
@settings(max_examples=60, deadline=None)
def test_int8__off_by_half_a_step_at_most(patches: np.ndarray) -> None:
    form = Int8Form(3)
    read = form.open(array_of(np.frombuffer(npy_bytes(form.encode(patches)), np.uint8)))
    step = (patches.max(axis=(0, 1)) - patches.min(axis=(0, 1))) / LEVELS
    assert read.shape == patches.shape
    assert (np.abs(read.whole() - patches) <= step / 2 + 1e-3).all()
    rows, columns = (axis.ravel() for axis in np.indices(patches.shape[:2]))
    np.testing.assert_array_equal(read[rows, columns].reshape(patches.shape), read.whole())


@given(MAPS)
@settings(max_examples=30, deadline=None)
def test_npy_bytes__round_trip_and_every_cut_is_told(patches: np.ndarray) -> None:
    data = npy_bytes(patches)
    np.testing.assert_array_equal(array_of(np.frombuffer(data, np.uint8)), patches)
    for kept in (0, 5, 100, len(data) - 1):
        with pytest.raises(ValueError, match=r"cut off|version|magic|header|\.npy"):
            array_of(np.frombuffer(data[:kept], np.uint8))
    with pytest.raises(ValueError, match="cut off"):
        array_of(np.frombuffer(data + b"\0", np.uint8))


@pytest.mark.parametrize("name", list(FormName))
def test_encode__what_is_not_finite_is_refused(name: FormName) -> None:
    patches = np.ones((2, 2, 3), np.float32)
    form = make_form(name, 3, Projection.fit([patches], (), 3))
    patches[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        form.encode(patches)


@pytest.mark.parametrize("name", list(FormName))
def test_encode__constant_channels(name: FormName) -> None:
    patches = np.full((2, 3, 3), 7.5, np.float32)
    form = make_form(name, 3, Projection.fit([patches], (), 3))
    np.testing.assert_allclose(form.open(form.encode(patches)).whole(), patches, atol=1e-5)


@pytest.mark.parametrize("name", list(FormName))
def test_open__another_form_is_told(name: FormName) -> None:
    patches = np.zeros((2, 2, 4), np.float32)
    stored = make_form(name, 4, Projection.fit([patches], (), 4)).encode(patches)
    for other in FormName:
        form = make_form(other, 3, Projection.fit([patches[..., :3]], (), 3))
        with pytest.raises(ValueError, match=r"holds no|has shape"):
            form.open(stored)


def test_cell_bytes__what_is_written() -> None:
    patches = np.random.default_rng(0).standard_normal((20, 20, 200)).astype(np.float32)
    for name in FormName:
        form = make_form(name, 200, Projection.fit([patches], (), 128))
        assert 0 <= form.encode(patches).nbytes - 400 * cell_bytes(name, 200) <= 1600


def test_projection_fit__keeps_what_varies_in_every_group() -> None:
    random = np.random.default_rng(1)
    # Two directions among ten channels, in groups of very different size and scale.
    hidden = random.standard_normal((30, 30, 2))
    mixing = np.hstack([random.standard_normal((2, 9)), [[100.0], [0.0]]])
    patches = (hidden @ mixing).astype(np.float32)
    groups = (ChannelGroup("many", 9), ChannelGroup("one", 1))
    projection = Projection.fit([patches[:15], patches[15:]], groups, 2)
    assert projection is not None
    again = Projection.from_array(array_of(np.frombuffer(npy_bytes(projection.to_array()), np.uint8)))
    form = make_form(FormName.PCA_INT8, 10, again)
    error = np.abs(form.open(form.encode(patches)).whole() - patches).max(axis=(0, 1))
    assert (error < 0.02 * patches.std(axis=(0, 1))).all()


def test_projection_from_array__something_else() -> None:
    with pytest.raises(ValueError, match="expected mean, encoding, decoding"):
        Projection.from_array(np.zeros(3))
