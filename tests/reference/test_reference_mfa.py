"""MFA codes: those that the device shows about now are taken, each once; all else is refused in AWS's words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from targets.identity.totp import code, new_seed, wrong_code
from targets.reference.mfa import MfaChecker
from targets.reference.model import MfaDevice, Refused

NOW = datetime(2026, 11, 22, 7, 30, 5, tzinfo=UTC)
SEED = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # of RFC 6238, appendix B
DEVICE = MfaDevice("arn:aws:iam::123456789012:mfa/alice", SEED)
OTHER = MfaDevice("arn:aws:iam::123456789012:mfa/other", new_seed())


def test_codes_are_those_of_rfc_6238() -> None:
    # Appendix B gives eight digits: 94287082 at 59 s, 07081804 at 1111111109 s.
    assert code(SEED, datetime.fromtimestamp(59, UTC)) == "287082"
    assert MfaChecker().check(DEVICE, "081804", datetime.fromtimestamp(1111111109, UTC))


@pytest.mark.parametrize("steps", [-2, -1, 0, 1, 2])
def test_a_code_is_good_two_steps_either_way(steps: int) -> None:
    assert MfaChecker().check(DEVICE, code(SEED, NOW, steps=steps), NOW)


@pytest.mark.parametrize("steps", [-4, -3, 3, 4])
def test_a_code_is_bad_further_off(steps: int) -> None:
    assert not MfaChecker().check(DEVICE, code(SEED, NOW, steps=steps), NOW)


def test_each_code_is_taken_once() -> None:
    checker = MfaChecker()
    assert checker.check(DEVICE, code(SEED, NOW), NOW)
    assert not checker.check(DEVICE, code(SEED, NOW), NOW)
    assert not checker.check(DEVICE, code(SEED, NOW), NOW + timedelta(seconds=30))
    assert checker.check(DEVICE, code(SEED, NOW, steps=1), NOW)


def test_one_device_does_not_use_up_the_codes_of_another() -> None:
    checker = MfaChecker()
    twin = MfaDevice("arn:aws:iam::123456789012:mfa/twin", SEED)
    assert checker.check(DEVICE, code(SEED, NOW), NOW)
    assert checker.check(twin, code(SEED, NOW), NOW)


def test_a_device_made_anew_begins_anew() -> None:
    checker, anew = MfaChecker(), MfaDevice(DEVICE.serial, new_seed())
    assert checker.check(DEVICE, code(SEED, NOW), NOW)
    assert checker.check(anew, code(anew.seed, NOW), NOW)


def test_the_memory_is_bounded_and_forgets_the_oldest() -> None:
    checker = MfaChecker(memory=2)
    for steps in (-1, 0, 1):
        assert checker.check(DEVICE, code(SEED, NOW, steps=steps), NOW)
    assert checker.check(DEVICE, code(SEED, NOW, steps=-1), NOW)
    assert not checker.check(DEVICE, code(SEED, NOW, steps=1), NOW)


def test_a_wrong_code_is_wrong() -> None:
    assert not MfaChecker().check(DEVICE, wrong_code(SEED, NOW), NOW)


def test_other_digits_are_no_code() -> None:
    fullwidth = code(SEED, NOW).translate({ord("0") + digit: 0xFF10 + digit for digit in range(10)})
    assert fullwidth.isdigit()
    assert not MfaChecker().check(DEVICE, fullwidth, NOW)


@given(st.text(max_size=12) | st.from_regex("[0-9]{0,8}", fullmatch=True))
def test_no_text_is_a_code_by_chance(text: str) -> None:
    right = {code(SEED, NOW, steps=steps) for steps in (-1, 0, 1)}
    assert MfaChecker().check(DEVICE, text, NOW) == (text in right)


def test_early_in_1970_there_are_fewer_codes() -> None:
    moment = datetime.fromtimestamp(3, UTC)
    assert MfaChecker().check(DEVICE, code(SEED, moment), moment)


# What a request must give


def test_a_good_code_of_the_callers_device_proves_mfa() -> None:
    assert MfaChecker().require([OTHER, DEVICE], DEVICE.serial, code(SEED, NOW), NOW) is True


def test_a_request_without_either_proves_nothing() -> None:
    assert MfaChecker().require([DEVICE], None, None, NOW) is False


@pytest.mark.parametrize(
    ("serial", "given_code", "message"),
    [
        (DEVICE.serial, None, "must provide both MFA serial number and one time pass code."),
        (None, "123456", "must provide both MFA serial number and one time pass code."),
        ("GAHT12345678", code(SEED, NOW), "unable to validate MFA code.  Please verify your MFA serial number"),
        (OTHER.serial, code(OTHER.seed, NOW), "unable to validate MFA code.  Please verify your MFA serial number"),
        (DEVICE.serial, wrong_code(SEED, NOW), "with invalid MFA one time pass code."),
        (DEVICE.serial, "", "with invalid MFA one time pass code."),
    ],
    ids=["no-code", "no-serial", "unknown-device", "anothers-device", "wrong-code", "empty-code"],
)
def test_refusals(serial: str | None, given_code: str | None, message: str) -> None:
    with pytest.raises(Refused) as refused:
        MfaChecker().require([DEVICE], serial, given_code, NOW)
    assert refused.value.refusal == "mfa-failed"
    assert message in str(refused.value.message)


def test_a_used_code_is_refused() -> None:
    checker = MfaChecker()
    assert checker.require([DEVICE], DEVICE.serial, code(SEED, NOW), NOW)
    with pytest.raises(Refused, match="invalid MFA one time pass code"):
        checker.require([DEVICE], DEVICE.serial, code(SEED, NOW), NOW)
