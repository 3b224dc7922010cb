import signal

import pytest

from hypermnesia.experiments.single_run.stopping import StopSignals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_only_asks(number):
    before = signal.getsignal(number)
    with StopSignals() as stop:
        assert not stop()
        signal.raise_signal(number)
        assert stop()
        assert stop.received == number
    assert signal.getsignal(number) == before


def test_the_second_ctrl_c_acts_at_once():
    with pytest.raises(KeyboardInterrupt), StopSignals():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
