"""Launches that wait for another try travel through the page sealed (facts/security 2.2, 2.3)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from errors import Forged, SessionEnded
from models import Vault
from services.portals.launches import Launch
from services.portals.postponed_launches import PostponedLaunches
from tests.doors import key, settings_for
from tests.services.clocks import Clock

LAUNCH = Launch("access-canary", "refresh-canary", "application-canary", "m" * 32, "acme.bitrix24.com", "", "ru")


def vault() -> Vault:
    return Vault(settings_for("sqlite://", secret_keys=key("k1")).secret_keys)


def test_an_launch_comes_out_as_it_went_in_and_nothing_of_it_can_be_read_meanwhile() -> None:
    postponed = PostponedLaunches(vault())
    sealed = postponed.sealed(LAUNCH, "entry")
    assert "canary" not in sealed
    assert postponed.unsealed(sealed, "entry") == LAUNCH
    assert postponed.unsealed(postponed.sealed(replace(LAUNCH, refresh_token=""), "entry"), "entry").refresh_token == ""


def test_a_sealed_launch_is_good_for_ten_minutes() -> None:
    clock = Clock()
    postponed = PostponedLaunches(vault(), clock=clock)
    sealed = postponed.sealed(LAUNCH, "entry")
    clock.move(minutes=10)
    postponed.unsealed(sealed, "entry")
    clock.move(seconds=1)
    with pytest.raises(SessionEnded):
        postponed.unsealed(sealed, "entry")


@pytest.mark.parametrize(
    "text", ["x", "v1.k1.", "v1.k1.AAAA", "v1.k2.AAAA", "v1.k1.\u00e4", "v1.k1." + "A" * 5000, "\0"]
)
def test_what_was_not_sealed_here_is_forged(text: str) -> None:
    with pytest.raises(Forged):
        PostponedLaunches(vault()).unsealed(text, "entry")


def test_an_launch_is_good_at_the_door_for_which_it_was_sealed_and_with_our_keys_only() -> None:
    postponed = PostponedLaunches(vault())
    sealed = postponed.sealed(LAUNCH, "entry")
    for other, door in ((postponed, "install"), (PostponedLaunches(vault()), "entry")):
        with pytest.raises(Forged):
            other.unsealed(sealed, door)
