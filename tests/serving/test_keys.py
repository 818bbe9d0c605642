"""API keys: shown once, stored as a digest, rotated with an overlap, revoked at once."""

from datetime import timedelta
from hashlib import sha256

import pytest
from sqlalchemy import text

from serving.database import Database
from serving.keys import (
    KeyRefused,
    create_key,
    list_keys,
    note_used,
    revoke_key,
    rotate_key,
    token_id,
)
from tests.serving.operations import NOW, YEAR, new_key

HOUR = timedelta(hours=1)


def test_a_key_is_256_bits_and_only_its_digest_is_stored(database: Database) -> None:
    token, key = new_key(database, "score", "list", now=NOW)
    prefix, key_id, secret = token.split("_", 2)
    assert (prefix, key_id) == ("setia", key.id)
    assert len(secret) == 43  # 256 bits, six to a character
    assert token_id(token) == key.id
    with database.reading() as connection:
        stored = str(connection.execute(text("SELECT * FROM api_keys")).all())
    assert secret not in stored
    assert sha256(token.encode()).hexdigest() in stored
    assert list_keys(database) == [key]


def test_no_two_keys_are_alike(database: Database) -> None:
    tokens = {new_key(database)[0] for _ in range(5)}
    assert len({token.split("_", 2)[2] for token in tokens}) == 5


def test_what_has_not_the_shape_of_a_key_has_no_id() -> None:
    for odd in ("", "setia_", "setia_0123456789ab_short", "x" * 10_000, "Setia_é"):
        assert token_id(odd) is None


def test_a_key_is_active_until_it_expires(database: Database) -> None:
    _, key = new_key(database, now=NOW)
    assert key.state(NOW + YEAR - HOUR) == "active"
    assert key.state(NOW + YEAR) == "expired"


def test_a_rotated_key_holds_for_the_overlap_and_its_successor_has_its_rights(
    database: Database,
) -> None:
    _, old = new_key(database, "list", "outreach", per_minute=7, now=NOW)
    token, new = rotate_key(database, old.id, HOUR, YEAR, NOW + HOUR)
    before, after = list_keys(database)
    assert before.state(NOW + 2 * HOUR - timedelta(seconds=1)) == "active"
    assert before.state(NOW + 2 * HOUR) == "expired"
    assert after == new
    assert (new.scopes, new.requests_per_minute, new.replaces) == (old.scopes, 7, old.id)
    assert token_id(token) == new.id != old.id


def test_rotation_does_not_lengthen_a_life(database: Database) -> None:
    _, old = new_key(database, now=NOW, lifetime=HOUR)
    rotate_key(database, old.id, 24 * HOUR, YEAR, NOW + HOUR / 2)
    assert list_keys(database)[0].expires_at == NOW + HOUR


def test_a_revoked_key_is_revoked_for_good(database: Database) -> None:
    _, key = new_key(database, now=NOW)
    revoke_key(database, key.id, NOW + HOUR)
    assert list_keys(database)[0].state(NOW + HOUR) == "revoked"
    with pytest.raises(KeyRefused, match=f"key {key.id} is revoked already"):
        revoke_key(database, key.id, NOW + HOUR)
    with pytest.raises(KeyRefused, match="is revoked already"):
        rotate_key(database, key.id, HOUR, YEAR, NOW + HOUR)
    with pytest.raises(KeyRefused, match="no key has the id 'nobody'"):
        revoke_key(database, "nobody", NOW)


def test_a_key_that_would_open_nothing_is_refused(database: Database) -> None:
    with pytest.raises(KeyRefused, match="without a scope opens nothing"):
        create_key(database, "crm", [], 10, NOW + YEAR, NOW)
    with pytest.raises(KeyRefused, match="expires at 2026-01-02 03:04 UTC opens nothing"):
        create_key(database, "crm", ["score"], 10, NOW, NOW)


def test_last_use_is_stored(database: Database) -> None:
    _, key = new_key(database, now=NOW)
    note_used(database, {key.id: NOW + HOUR})
    assert list_keys(database)[0].last_used_at == NOW + HOUR
