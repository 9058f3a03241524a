from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from runyard.errors import UsageError
from services.orchestrator.store.signature import Verifier

from ..world import FOREIGN_KEY, PUBLIC_KEY, document, sign

SIGNED = sign(document())


def test_signature_of_our_key_over_this_text_fits() -> None:
    assert Verifier(PUBLIC_KEY).verify(SIGNED)


@pytest.mark.parametrize(
    "signed",
    [
        sign(document(), FOREIGN_KEY),
        replace(SIGNED, document=SIGNED.document + " "),
        replace(SIGNED, signature=""),
        replace(SIGNED, signature="!" + SIGNED.signature),
        replace(SIGNED, signature=base64.b64encode(bytes(64)).decode()),
    ],
    ids=["foreign_key", "other_text", "none", "no_base64", "zeros"],
)
def test_any_other_does_not(signed: object) -> None:
    assert not Verifier(PUBLIC_KEY).verify(signed)  # type: ignore[arg-type]


def test_key_of_another_length_is_refused() -> None:
    with pytest.raises(UsageError, match="must be the base64 of 32 bytes"):
        Verifier(base64.b64encode(bytes(31)).decode())
