import pytest

from db.errors import InvalidInputError
from db.service_log import configure_log


def test_configure_log__unknown_level(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEWCLICK_LOG_LEVEL", "loud")
    with pytest.raises(InvalidInputError, match="FEWCLICK_LOG_LEVEL=loud: expected one of DEBUG, INFO, WARNING, ERROR"):
        configure_log()
