"""Secrets that the server needs again lie sealed: nobody reads one, changes one or puts one elsewhere."""

from __future__ import annotations

import base64

import pytest

from ptolemy.kernel.sealing import Sealer
from ptolemy.webhooks.signatures import new_secret

SECRET, HERE = b"whsec_what nobody is to read", b"this webhook"
SEALER = Sealer("the key of the server", "secrets of webhooks")


def test_a_sealed_secret_comes_back_and_can_not_be_read() -> None:
    sealed = SEALER.seal(SECRET, bound_to=HERE)
    assert SECRET[6:] not in sealed
    assert SEALER.open(sealed, bound_to=HERE) == SECRET


def test_one_secret_sealed_twice_looks_different() -> None:
    assert len({SEALER.seal(SECRET, bound_to=HERE) for _ in range(100)}) == 100


def test_a_sealed_secret_of_which_one_bit_was_changed_opens_no_more() -> None:
    sealed = SEALER.seal(SECRET, bound_to=HERE)
    for place in range(8 * len(sealed)):
        changed = bytearray(sealed)
        changed[place // 8] ^= 1 << place % 8
        assert SEALER.open(bytes(changed), bound_to=HERE) is None


@pytest.mark.parametrize("kept", [0, 1, 11, 12, 27])
def test_what_is_left_of_a_sealed_secret_opens_nothing(kept: int) -> None:
    assert SEALER.open(SEALER.seal(SECRET, bound_to=HERE)[:kept], bound_to=HERE) is None


def test_it_opens_with_its_own_key_for_its_own_purpose_at_its_own_place_alone() -> None:
    sealed = SEALER.seal(SECRET, bound_to=HERE)
    assert SEALER.open(sealed, bound_to=b"another webhook") is None
    assert Sealer("the key of another server", "secrets of webhooks").open(sealed, bound_to=HERE) is None
    assert Sealer("the key of the server", "something else").open(sealed, bound_to=HERE) is None


def test_the_secret_of_a_webhook_has_256_bits_and_is_never_the_same() -> None:
    made = {new_secret() for _ in range(1000)}
    assert len(made) == 1000
    assert {len(base64.b64decode(secret.removeprefix("whsec_"))) for secret in made} == {32}
