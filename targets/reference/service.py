"""The reference as a whole: read the request, authenticate, validate, authorize and act, render.

`build` puts one together. What it is made of are plain attributes: a defect changes one of them, see `defects`.
"""

from __future__ import annotations

import json
import uuid
from contextlib import ExitStack
from dataclasses import dataclass, field
from random import Random, SystemRandom
from typing import TYPE_CHECKING

from specs.contract import API_VERSION, load
from targets.reference import constraints, reading, rendering
from targets.reference.authentication import Authenticator, RootKey
from targets.reference.authorize import context_of, permitted
from targets.reference.clock import Clock, seconds_of
from targets.reference.iam import Iam
from targets.reference.mfa import MfaChecker
from targets.reference.model import HttpAnswer, HttpRequest, Refused
from targets.reference.operations import Operations
from targets.reference.outbound import Outbound
from targets.reference.refusals import Reply, replies
from targets.reference.saml import check_metadata
from targets.reference.tokens import Mint
from targets.reference.web_identity import HttpsKeys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from targets.reference.model import Caller
    from targets.reference.operations import Result
    from targets.reference.reading import Query
    from targets.reference.rendering import Stamp

IAM_VERSION = "2010-05-08"
ACCOUNT = "111122223333"
SECOND_ACCOUNT = "444455556666"
MEMBER_ACCOUNT = "777788889999"  # of the organization whose management account is ACCOUNT
# Whoever can reach the loopback interface is the administrator, as with other emulators.
ROOT_KEYS = (RootKey("test", "test", ACCOUNT), RootKey("test-second", "test", SECOND_ACCOUNT))
BODY_LIMIT = 10_000_000  # bytes (observed.yaml, proto-body-limit-ok)
_CONTROL = "/_reference/"
_CLOCK = "x-reference-clock"  # by how many seconds the clock is ahead for this request


@dataclass(frozen=True, slots=True)
class Settings:
    """What a reference is started with."""

    region: str = "us-east-1"
    seed: int | None = None  # for tests: the same seed gives the same ids, keys and tokens


@dataclass
class Service:
    """Answers requests."""

    settings: Settings
    clock: Clock
    entropy: Random
    iam: Iam
    operations: Operations
    authenticator: Authenticator
    members: dict[str, constraints.Table]  # constraints by operation
    signed: dict[str, bool]  # whether an operation needs a signature
    wrappers: dict[str, str]  # the result element by operation
    replies: dict[str, Reply] = field(default_factory=replies)
    body_limit: int = BODY_LIMIT
    # Where defects come in; there are none in a correct reference.
    before: list[Callable[[HttpRequest], HttpRequest | HttpAnswer]] = field(default_factory=list)
    during: list[Callable[[str, Result], Result]] = field(default_factory=list)
    after: list[Callable[[HttpRequest, HttpAnswer], HttpAnswer]] = field(default_factory=list)

    def answer(self, request: HttpRequest) -> HttpAnswer:
        """Answer one request; never raises for anything that a client can send."""
        with ExitStack() as stack:
            try:
                stack.enter_context(self.clock.ahead(_ahead(request)))
            except (ValueError, OverflowError):
                return self._malformed()
            return self._answer_now(request)

    def _answer_now(self, request: HttpRequest) -> HttpAnswer:
        if request.target.startswith(_CONTROL):
            return self._control(request)
        for change in self.before:
            changed = change(request)
            if isinstance(changed, HttpAnswer):
                return changed
            request = changed
        answer = self._answer(request)
        for rework in self.after:
            answer = rework(request, answer)
        return answer

    def _answer(self, request: HttpRequest) -> HttpAnswer:
        stamp = self.stamp()
        as_json = False
        try:
            reading.check_size(request, self.body_limit)
            query = reading.read(request)
            if query.version == IAM_VERSION:
                return self._iam(query, stamp)
            as_json = query.wants_json
            return self._act(query, stamp)
        except reading.Elsewhere as elsewhere:
            return rendering.bare(
                elsewhere.status, elsewhere.body, elsewhere.headers, stamp, named=elsewhere.identified
            )
        except Refused as refused:
            return rendering.failure(self.error(refused), stamp, as_json=as_json)

    def _act(self, query: Query, stamp: Stamp) -> HttpAnswer:
        action = query.action
        self.check_operation(query)
        caller = self.caller(query)
        values = self.validate(action, query.parameters)
        result = getattr(self.operations, _METHODS[action])(caller, values)
        for change in self.during:
            result = change(action, result)
        return rendering.success(action, self.wrappers[action], result, stamp, as_json=query.wants_json)

    def check_operation(self, query: Query) -> None:
        """Refuse actions and versions that do not exist (observed.yaml, proto-unknown-action, -missing-version)."""
        version = query.version
        if version == API_VERSION and query.action in _METHODS:
            return
        named = "NO_VERSION_SPECIFIED" if version is None else version
        refusal = "unknown-action" if version else "missing-version"
        raise Refused(refusal, f"Could not find operation {query.action} for version {named}")

    def caller(self, query: Query) -> Caller | None:
        """Find out who calls; None for the operations that need no signature."""
        if not self.signed[query.action]:
            return None
        return self.authenticator.authenticate(query, "sts")

    def validate(self, action: str, parameters: Mapping[str, str]) -> constraints.Values:
        """Hold the members against their constraints."""
        return constraints.validate(self.members[action], parameters)

    def _iam(self, query: Query, stamp: Stamp) -> HttpAnswer:
        caller = self.authenticator.authenticate(query, "iam")
        session = caller.session
        if session is not None and (
            session.origin == "federation" or (session.origin == "session-token" and not session.mfa)
        ):
            raise Refused("unknown-key", "The security token included in the request is invalid.")
        permitted(caller, f"iam:{query.action}", "*", context_of(caller, now=self.clock.now()))
        who = caller.principal
        name = who.arn.rpartition("/")[2] if who.kind == "user" else None
        status, body = self.iam.call(
            who.account, tuple(query.parameters.items()), caller=name, request_id=stamp.request_id
        )
        return rendering.document(status, body.decode(), stamp)

    def error(self, refused: Refused) -> rendering.ErrorBody:
        """Word a refusal."""
        reply = self.replies[refused.refusal]
        return rendering.ErrorBody(reply.status, reply.code, refused.message, reply.namespace, reply.type)

    def stamp(self) -> Stamp:
        """Mark an answer."""
        now = self.clock.now()
        request_id = str(uuid.UUID(int=self.entropy.getrandbits(128), version=4))
        nonce = "".join(self.entropy.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", k=8))
        return rendering.Stamp(request_id, rendering.extended_id(self.settings.region, now, nonce), now)

    # What a mock lets its user do, and AWS does not

    def _control(self, request: HttpRequest) -> HttpAnswer:
        """Serve /_reference/clock?move=SECONDS and /_reference/fixtures, unsigned, in JSON."""
        path, _, query = request.target.removeprefix(_CONTROL).partition("?")
        given = reading.decode(query.encode("latin-1"))
        served: dict[tuple[str, str], Callable[[dict[str, str]], dict[str, str]]] = {
            ("POST", "clock"): self._move_clock,
            ("POST", "fixtures"): self._fixtures,
        }
        handler = served.get((request.method, path))
        stamp = self.stamp()
        if handler is None:
            return rendering.document(404, "{}", stamp, content_type="application/json")
        try:
            content = handler(given)
        except (KeyError, ValueError, OverflowError):
            return self._malformed()
        return rendering.document(200, json.dumps(content), stamp, content_type="application/json")

    def _malformed(self) -> HttpAnswer:
        return rendering.document(400, "{}", self.stamp(), content_type="application/json")

    def _move_clock(self, given: dict[str, str]) -> dict[str, str]:
        self.clock.move(seconds_of(given.get("move", "0")))
        return {"now": self.clock.now().isoformat()}

    def _fixtures(self, given: dict[str, str]) -> dict[str, str]:
        """Hand out what on AWS other services and products would."""
        root = self.authenticator.root_callers()[0]
        return {
            "encoded-message": self.operations.encoded_message(root, "ec2:RunInstances", "*"),
            "trade-in-token": self.operations.trade_in_token(given["role-arn"]),
            "member-account": MEMBER_ACCOUNT,
        }


def _ahead(request: HttpRequest) -> float:
    """Return by how many seconds the clock is to be ahead for this request; ValueError for what is no number."""
    told = [value for name, value in request.headers if name == _CLOCK]
    if len(told) > 1:
        raise ValueError("told twice")
    return seconds_of(told[0]) if told else 0.0


_METHODS = {
    "AssumeRole": "assume_role",
    "AssumeRoleWithSAML": "assume_role_with_saml",
    "AssumeRoleWithWebIdentity": "assume_role_with_web_identity",
    "AssumeRoot": "assume_root",
    "DecodeAuthorizationMessage": "decode_authorization_message",
    "GetAccessKeyInfo": "get_access_key_info",
    "GetCallerIdentity": "get_caller_identity",
    "GetDelegatedAccessToken": "get_delegated_access_token",
    "GetFederationToken": "get_federation_token",
    "GetSessionToken": "get_session_token",
    "GetWebIdentityToken": "get_web_identity_token",
}


@dataclass(frozen=True)
class Storage:
    """What a reference remembers; services that differ in their defects may share it."""

    clock: Clock
    entropy: Random
    iam: Iam
    mint: Mint
    outbound: Outbound


def storage(settings: Settings) -> Storage:
    """Return an empty storage."""
    clock = Clock()
    entropy = SystemRandom() if settings.seed is None else Random(settings.seed)  # noqa: S311 - seeds are for tests
    iam = Iam((ACCOUNT, SECOND_ACCOUNT), now=clock.now, check_metadata=check_metadata)
    return Storage(clock, entropy, iam, Mint(entropy), Outbound(entropy))


def build(settings: Settings, kept: Storage | None = None) -> Service:
    """Put a correct reference together, on an empty storage or on one that is `kept`."""
    kept = kept or storage(settings)
    now = kept.clock.now
    contract = load()
    return Service(
        settings=settings,
        clock=kept.clock,
        entropy=kept.entropy,
        iam=kept.iam,
        operations=Operations(
            iam=kept.iam,
            mint=kept.mint,
            mfa=MfaChecker(),
            keys=HttpsKeys(),
            outbound=kept.outbound,
            members=frozenset({MEMBER_ACCOUNT}),
            now=now,
        ),
        authenticator=Authenticator(
            region=settings.region, root_keys=ROOT_KEYS, iam=kept.iam, mint=kept.mint, now=now
        ),
        members=constraints.tables(),
        signed={name: spec.authentication == "sigv4" for name, spec in contract.operations.items()},
        wrappers={name: spec.result_wrapper for name, spec in contract.operations.items()},
    )
