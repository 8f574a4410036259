"""JSON Web Tokens for services outside of AWS, as GetWebIdentityToken hands them out."""

from __future__ import annotations

import json
import uuid
from functools import cached_property
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from targets.reference.model import Principal, Refused

if TYPE_CHECKING:
    from datetime import datetime
    from random import Random


# With the ids of their keys; that of ES384 was seen (observed.yaml, gwit-success-es384).
ALGORITHMS = {"RS256": "RSA_0", "ES384": "EC384_0"}
_LARGEST = 16_384  # characters of claims; how many AWS takes is not known


class Outbound:
    """Signs tokens with keys of its own, made when they are first needed."""

    def __init__(self, entropy: Random) -> None:
        self._entropy = entropy

    @cached_property
    def _rsa(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @cached_property
    def _ec(self) -> ec.EllipticCurvePrivateKey:
        return ec.generate_private_key(ec.SECP384R1())

    def token(
        self,
        issuer: str,
        principal: Principal,
        audience: list[str],
        algorithm: str,
        tags: tuple[tuple[str, str], ...],
        now: datetime,
        expires: datetime,
    ) -> str:
        """Return a signed token; `algorithm` is one of ALGORITHMS. Raises Refused, jwt-payload-too-large."""
        keys: dict[str, Any] = {"RS256": lambda: self._rsa, "ES384": lambda: self._ec}
        claims = {
            "iss": issuer,
            "sub": principal.arn,
            "aud": audience[0] if len(audience) == 1 else audience,  # observed.yaml, gwit-audience-several
            "iat": int(now.timestamp()),
            "exp": int(expires.timestamp()),
            "jti": str(uuid.UUID(int=self._entropy.getrandbits(128), version=4)),
            "https://sts.amazonaws.com/": {"aws_account": principal.account, "request_tags": dict(tags)},
        }
        if len(json.dumps(claims)) > _LARGEST:
            raise Refused("jwt-payload-too-large", "The requested token payload size exceeds the maximum allowed.")
        return jwt.encode(claims, keys[algorithm](), algorithm=algorithm, headers={"kid": ALGORITHMS[algorithm]})
