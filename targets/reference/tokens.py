"""Temporary credentials: made here, and read again from the session token, which carries all of the session.

A token is encrypted with a key of this process: nobody else can make one, and nothing has to be remembered.
The account stands in the key id, as in AWS's own: GetAccessKeyInfo needs no memory either.
"""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from targets.reference.model import Principal, Session

if TYPE_CHECKING:
    from random import Random

_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_NONCE = 12  # bytes, of AES-GCM
_ACCOUNT_BASE = 2**39  # the first bit of the 40 that hold half of the account number


class UnreadableToken(ValueError):  # noqa: N818 - the name says what it is
    """Not a token of ours."""


class Mint:
    """Makes credentials, and reads session tokens."""

    def __init__(self, entropy: Random) -> None:
        self._entropy = entropy
        self._cipher = AESGCM(entropy.randbytes(32))

    def key_id(self, prefix: str, account: str) -> str:
        """Return a key id of 20 characters that holds the account."""
        number = int(account)
        half = base64.b32encode((number // 2 + _ACCOUNT_BASE).to_bytes(5)).decode()
        parity = self._entropy.choice(_BASE32[16:] if number % 2 else _BASE32[:16])
        rest = "".join(self._entropy.choices(_BASE32, k=20 - len(prefix) - len(half) - 1))
        return f"{prefix}{half}{parity}{rest}"

    def secret(self) -> str:
        """Return a secret key of 40 characters."""
        return base64.b64encode(self._entropy.randbytes(30)).decode()

    def seal(self, session: Session) -> str:
        """Return the token that carries `session`."""
        record = asdict(session) | {"issued": session.issued.timestamp(), "expires": session.expires.timestamp()}
        text = zlib.compress(json.dumps(record, separators=(",", ":")).encode())
        return self.encrypt(text)

    def encrypt(self, data: bytes) -> str:
        """Return `data` so that only `decrypt` can read it, in base64."""
        nonce = self._entropy.randbytes(_NONCE)
        return base64.b64encode(nonce + self._cipher.encrypt(nonce, data, None)).decode()

    def decrypt(self, text: str) -> bytes:
        """Read what `encrypt` made; raises UnreadableToken."""
        try:
            sealed = base64.b64decode(text.encode("ascii"), validate=True)
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], None)
        except (ValueError, InvalidTag) as error:  # binascii.Error is a ValueError
            raise UnreadableToken from error

    def open(self, token: str) -> Session:
        """Read a token that `seal` made; raises UnreadableToken."""
        try:
            record: dict[str, Any] = json.loads(zlib.decompress(self.decrypt(token)))
            return _session(record)
        except (zlib.error, ValueError, TypeError, KeyError) as error:
            raise UnreadableToken from error


def _session(record: dict[str, Any]) -> Session:
    pairs = {name: tuple((key, value) for key, value in record[name]) for name in ("tags", "federated")}
    policies = record["policies"]
    return Session(
        **record
        | pairs
        | {
            "issued": datetime.fromtimestamp(record["issued"], UTC),
            "expires": datetime.fromtimestamp(record["expires"], UTC),
            "principal": Principal(**record["principal"]),
            "transitive": tuple(record["transitive"]),
            "policies": tuple(policies) if policies is not None else None,
        }
    )


def account_of(access_key_id: str) -> str | None:
    """Return the account that a key id of 20 characters holds; None if it holds none."""
    if len(access_key_id) != 20 or not access_key_id.isascii():  # noqa: PLR2004 - the length of key ids
        return None
    try:
        half = int.from_bytes(base64.b32decode(access_key_id[4:12])) - _ACCOUNT_BASE
    except ValueError:
        return None
    number = 2 * half + (access_key_id[12] in _BASE32[16:])
    return f"{number:012d}" if 0 <= number < 10**12 else None
