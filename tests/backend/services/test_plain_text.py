"""No folder of this machine in a text for clients."""

from __future__ import annotations

import pytest

from backend.services.plain_text import without_folders


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/home/me/session/features/ab/abc.npy is damaged", "abc.npy is damaged"),
        ("[Errno 28] No space left: '/home/me/my session/a b.npy'", "[Errno 28] No space left: 'a b.npy'"),
        ("cannot read C:\\data\\a.png: truncated", "cannot read a.png: truncated"),
        ("images/a/b.png is empty (0 bytes)", "images/a/b.png is empty (0 bytes)"),
        ("GET /api/checkpoints lists them", "GET /api/checkpoints lists them"),
        ("loss 0.3 on 5/6 images and/or more", "loss 0.3 on 5/6 images and/or more"),
        ("see http://localhost/docs/a", "see http://localhost/docs/a"),
    ],
)
def test_without_folders(text: str, expected: str) -> None:
    assert without_folders(text) == expected
