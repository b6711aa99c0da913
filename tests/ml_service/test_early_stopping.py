from __future__ import annotations

from ml_service.early_stopping import EarlyStopping


def test_update__counts_checks_without_enough_improvement() -> None:
    stopping = EarlyStopping(patience=2, threshold=0.1)
    verdicts = []
    for loss in (1.0, 0.95, 0.85, 0.8, 0.79):
        stopping.update(loss)
        verdicts.append(stopping.should_stop)
    assert verdicts == [False, False, False, False, True]
    assert stopping.reference_loss == 0.85


def test_update__small_steps_add_up_to_an_improvement() -> None:
    stopping = EarlyStopping(patience=3, threshold=0.1)
    for loss in (1.0, 0.95, 0.89):
        stopping.update(loss)
    assert stopping.checks_without_improvement == 0
