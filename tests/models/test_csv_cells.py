from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.csv_cells import guarded, unguarded


@given(text=st.text() | st.text("'=+-@\t\r a", max_size=6))
def test_unguarded__is_the_inverse_and_nothing_is_run(text: str) -> None:
    cell = guarded(text)
    assert isinstance(cell, str)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert unguarded(cell) == text


@pytest.mark.parametrize(
    ("value", "cell"),
    [("=1+1", "'=1+1"), ("-", "'-"), ("'@x", "''@x"), ("'quoted'", "'quoted'"), ("a=b", "a=b"), (-1.5, -1.5), ("", "")],
)
def test_guarded__text_alone(value: object, cell: object) -> None:
    assert guarded(value) == cell
