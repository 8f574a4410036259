"""What cases need to exist at an endpoint: found out, made through IAM, and removed again.

`prepare` probes first (is this an STS at all?), then makes a user with keys and a role, then mints one session
of each kind. What cannot be had is remembered with its reason, and makes cases `untestable`.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

from generators.answer import local_name
from generators.case import CORRECT, Case, Request, plain_request
from generators.expectation import describe, shorten
from generators.plain import MANAGED_POLICIES, plain
from generators.restrain import restrained
from specs.contract import load
from specs.model import Level
from targets.credentials import Credentials, handed_out
from targets.federation import let_tokens_be_vended, take_fixtures
from targets.fixtures import Fixtures
from targets.http import Exchange
from targets.iam import PATH, create, document, is_gone, removal, role_request
from targets.identity.openid import Algorithm, OpenIdIssuer
from targets.identity.saml import SamlIssuer
from targets.providers import Providers
from targets.tagged import Tagged
from targets.wire import Signer, filled, prepare

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from generators.answer import Answer
    from generators.case import Fixture, Recipe
    from targets.http import Client
    from targets.iam import IamCall, Undo
    from targets.redactor import Redactor
    from targets.target import Target

IAM_VERSION = "2010-05-08"
_REQUEST_ID = re.compile(r"(<(?:\w+:)?(?:RequestId|RequestID|HostId)>)[^<]*", re.ASCII)
_IS_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_IS_ROOT = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:root", re.ASCII)
_IAM_AT_ONCE = 8  # calls under way
_DEAD_AFTER = 8  # calls without an answer, one after another; what comes then is not sent
_AWS_SETTLES_SECONDS = 60  # IAM is eventually consistent
_NO_SUCH_ACTION = "StsConformanceNoSuchAction"


class NotAnSts(Exception):  # noqa: N818 - the name says what the endpoint is
    """The endpoint is no STS; the text is one line."""


@dataclass
class Estate:
    """What a run has: callers, values for placeholders, needs that are met, and those that are not."""

    callers: dict[str, Credentials] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict, repr=False)  # tokens among them
    has: set[str] = field(default_factory=set)
    missing: dict[str, str] = field(default_factory=dict)  # need -> why
    unsupported: dict[str, str] = field(default_factory=dict)  # operation -> how it answered
    server: str = ""
    partition: str = "aws"
    seeds: dict[str, str] = field(default_factory=dict, repr=False)  # of MFA devices, by their users' fixtures
    used_codes: dict[str, str] = field(default_factory=dict, repr=False)  # the last that each of these devices showed
    issuers: dict[str, SamlIssuer | OpenIdIssuer] = field(default_factory=dict)  # by fixture
    audiences: dict[str, str] = field(default_factory=dict)  # of OpenID Connect providers: what tokens are for

    def to_json(self) -> str:
        """Return this as text, secrets included: for a worker process's pipe, nowhere else."""
        issuers = {
            key: {"kind": "saml" if isinstance(issuer, SamlIssuer) else "openid", **issuer.saved()}
            for key, issuer in self.issuers.items()
        }
        return json.dumps(asdict(replace(self, issuers={})) | {"has": sorted(self.has), "issuers": issuers})

    @classmethod
    def from_json(cls, text: str) -> Estate:
        """Read what `to_json` wrote."""
        data = json.loads(text)
        callers = {name: Credentials(**keys) for name, keys in data.pop("callers").items()}
        issuers = {
            key: (SamlIssuer if saved.pop("kind") == "saml" else OpenIdIssuer).restored(saved)
            for key, saved in data.pop("issuers").items()
        }
        return cls(callers=callers, has=set(data.pop("has")), issuers=issuers, **data)

    def arn(self, resource: str, account: str = "first") -> str:
        """Return the ARN that a resource of IAM has in an account of the run, 'first' or 'second'."""
        number = self.values["account" if account == "first" else "second-account"]
        return f"arn:{self.partition}:iam::{number}:{resource}"

    def lacks(self, needs: frozenset[str]) -> str:
        """Say which of `needs` is not met, and why; '' if all are."""
        for need in sorted(needs):
            if need not in self.has:
                return self.missing.get(need) or f"needs {need.replace('-', ' ')}, which this run does not have"
        return ""

    def cannot_sign(self, recipes: Iterable[Recipe]) -> str:
        """Say for which of `recipes` there is no key; '' if there is one for all. Their fixtures have been made."""
        for recipe in recipes:
            issuer, named = self.issuers.get(recipe.issuer), json.loads(recipe.says).get("algorithm")
            algorithm = next((known for known in get_args(Algorithm) if known == named), None)
            if isinstance(issuer, OpenIdIssuer) and not issuer.signs(algorithm):
                return f"needs a key that signs {algorithm}: the one of the OpenID Connect provider given does not"
        return ""


class Provisioner:
    """Prepares an endpoint for a run, and cleans up after it."""

    def __init__(self, target: Target, client: Client, iam: Client | None, redactor: Redactor) -> None:
        self._target = target
        self._client = client
        self._iam = iam
        self._redactor = redactor
        self._undo_parts: Undo = []
        self._undo_wholes: Undo = []
        self._run = secrets.token_hex(4)
        self._slots = asyncio.Semaphore(_IAM_AT_ONCE)
        self._unanswered = 0
        self.estate = Estate(partition=target.endpoint.partition)
        on_aws, supplied = target.endpoint.is_aws, target.supplied
        self._arn = f"arn:{target.endpoint.partition}"
        self._iam_call: IamCall = Tagged(partial(self._iam_call_as, target.credentials), self._run)
        accounts: dict[str, IamCall] = {}
        if iam is not None:
            accounts["first"] = self._iam_call
            if target.second_account is not None:
                accounts["second"] = Tagged(partial(self._iam_call_as, target.second_account), self._run)
        self._providers = Providers(
            self._run, self.estate, supplied, accounts.get("first"), self._words, self._undo_parts,
            self._try_token, on_aws,
        )  # fmt: skip
        self._fixtures_made = Fixtures(
            self._run, self.estate, supplied, accounts, self._providers, self._words, redactor,
            self._undo_parts, self._undo_wholes, is_aws=on_aws,
            partition=target.endpoint.partition,
        )  # fmt: skip
        for secret in target.secrets():
            redactor.add(secret)

    async def prepare(self) -> Estate:
        """Probe, make, mint. Raises NotAnSts."""
        estate, target = self.estate, self._target
        estate.callers["target"] = target.credentials
        await self._identify()
        await asyncio.gather(self._policies(), self._principals(), self._root(), self._second_account())
        self._bad_callers()
        if target.has_fixtures:
            await self._fixtures()
        if target.one_region:
            estate.has.add("one-region")
        else:
            self._miss("one-region", "needs an endpoint that serves one region only; a target file may say so")
        return estate

    async def have(self, fixture: Fixture) -> str:
        """Have what a case needs, made once a run or given; returns '', or what is missing."""
        return await self._fixtures_made.have(fixture)

    async def remove(self, fixture: Fixture) -> str:
        """Remove a role before the end of the run; returns '', or what hinders that."""
        return await self._fixtures_made.remove(fixture)

    def renew(self) -> None:
        """Have what was removed made again when it is asked for: for another run with the same estate."""
        self._fixtures_made.renew()

    async def clean_up(self) -> list[str]:
        """Remove what was made, a user after what belongs to it; returns what could not be removed."""
        await self._fixtures_made.finish()
        self._unanswered = 0  # perhaps it answers again
        left: list[str] = []
        for steps in (self._undo_parts, self._undo_wholes):
            undone = await asyncio.gather(*(step() for step in steps))
            left += [
                f"{step.what}: {step.action} was answered {self._words(exchange)}"
                for step, exchange in zip(steps, undone, strict=True)
                if not is_gone(step, exchange)
            ]
            steps.clear()
        self._providers.close()
        return left

    async def _fixtures(self) -> None:
        """Have what only a reference hands out, and a clock that can be told to be ahead."""
        await let_tokens_be_vended(self.estate, self._iam_call, self._undo_parts)
        await take_fixtures(self.estate, self._client)
        self.estate.has.add("clock-ahead")
        for name in ("encoded-message", "trade-in-token"):
            self._redactor.add(self.estate.values.get(name))

    async def _principals(self) -> None:
        """Have a user; then, side by side, what can only be had as one."""
        await self._user()
        await asyncio.gather(self._role_and_sessions(), self._operations())

    async def _role_and_sessions(self) -> None:
        await self._role()
        await self._sessions()

    # What is it?

    async def _identify(self) -> None:
        exchange = await self._sts(plain(load(), "GetCallerIdentity"), self._target.credentials)
        answer = exchange.answer
        if answer is None:
            raise NotAnSts(f"{self._target.endpoint.url}: {exchange.failure}; expected an STS that answers there")
        if not _speaks_query(answer):
            raise NotAnSts(
                f"{self._target.endpoint.url}: is not an STS: GetCallerIdentity was answered "
                f"{self._words(exchange)}; expected XML of the Query protocol"
            )
        self.estate.server = self._redactor.clean(answer.header("server") or "")
        account = exchange.name_at("GetCallerIdentityResult/Account")
        self.estate.values["account"] = account if _IS_ACCOUNT.fullmatch(account) else "123456789012"
        arn = exchange.name_at("GetCallerIdentityResult/Arn")
        if arn and ":user/" in arn:
            self.estate.values["user-arn"] = arn
        if arn and _IS_ROOT.fullmatch(arn):
            self._take_root(self._target.credentials)

    async def _root(self) -> None:
        """Have the root user, if the target file names its keys and they are; or if the caller is it."""
        if "root" in self.estate.has:
            return
        keys = self._target.root
        self._miss("root", "needs the root user of the account: name its keys in a target file")
        if keys is not None:
            who = (await self._sts(plain(load(), "GetCallerIdentity"), keys)).name_at("GetCallerIdentityResult/Arn")
            if _IS_ROOT.fullmatch(who):
                self._take_root(keys)
            else:
                self._miss("root", f"needs the root user: the keys given for it are those of {self._clean(who)!r}")

    def _take_root(self, keys: Credentials) -> None:
        self.estate.callers["root"] = keys
        self.estate.has.add("root")

    async def _second_account(self) -> None:
        keys = self._target.second_account
        self._miss("second-account", "needs a second account: name keys of its administrator in a target file")
        if keys is None:
            account = self._target.supplied.second_account_id
            if account not in {"", self.estate.values["account"]}:
                self.estate.values["second-account"] = account
            return
        asked = await self._sts(plain(load(), "GetCallerIdentity"), keys)
        account = asked.name_at("GetCallerIdentityResult/Account")
        if _IS_ACCOUNT.fullmatch(account) and account != self.estate.values["account"]:
            self.estate.values["second-account"] = account
            self.estate.has.add("second-account")
        else:
            words = self._words(asked) if not account else f"the account {self._clean(account)}, the same again"
            self._miss("second-account", f"needs a second account: its keys were answered {words}")

    async def _operations(self) -> None:
        """Find the operations that are answered as an action that does not exist."""
        contract = load()
        bogus = [plain_request(_NO_SUCH_ACTION, (), signed=signed) for signed in (True, False)]
        callers = (self._caller(), None)
        unknown = [(await self._sts(request, caller)).answer for request, caller in zip(bogus, callers, strict=True)]
        if unknown[0] is None or unknown[0].status < 300:  # noqa: PLR2004 - takes anything: cannot tell
            return
        # What is not signed may be answered by another part of the server, in its own words.
        nothing = {_fingerprint(answer, _NO_SUCH_ACTION) for answer in unknown if answer is not None}
        names = [name for name in contract.operations if name != "GetCallerIdentity"]
        asked = [(name, signed) for name in names for signed in (True, False)]
        answers = await asyncio.gather(*(self._plain(name, signed=signed) for name, signed in asked))
        served = {
            name
            for (name, _), answer in zip(asked, answers, strict=True)
            if answer is not None and _fingerprint(answer, name) not in nothing
        }
        for (name, _), answer in zip(asked, answers, strict=True):
            if answer is not None and name not in served:
                self.estate.unsupported[name] = self._clean(describe(answer))

    async def _plain(self, operation: str, *, signed: bool) -> Answer | None:
        """Send the plain request; one that needs no signature also with one, one that needs one only with it."""
        request = plain(load(), operation)
        if request.signing.by == "none" and signed:
            request = replace(request, signing=CORRECT)
        elif request.signing.by != "none" and not signed:
            return None
        values = {
            "role-arn": f"{self._arn}:iam::123456789012:role{PATH}none",
            "user-access-key-id": "AKIAIOSFODNN7EXAMPLE",
        }
        if self._target.endpoint.is_aws:
            request = _restrained(request)
        caller = None if request.signing.by == "none" else self._caller()
        return (await self._sts(request, caller, values)).answer

    # What is there to be had?

    async def _user(self) -> None:
        estate, target = self.estate, self._target
        if target.user is not None:
            self._take_user(target.user)
            await self._name_user(target.user)
        elif self._iam is not None:
            await self._make_user()
        else:
            self._miss("user", "needs an IAM user with keys: give one in a target file, or let one be made")
        if "user" not in estate.has:
            estate.callers["user"] = target.credentials
            estate.values["user-access-key-id"] = target.credentials.access_key_id
            if target.credentials.session_token is None:
                estate.has.add("long-term-keys")
            else:
                self._miss("long-term-keys", "needs long-term keys of an IAM user; the caller's are a session's")

    def _take_user(self, keys: Credentials) -> None:
        self.estate.callers["user"] = keys
        self.estate.values["user-access-key-id"] = keys.access_key_id
        self.estate.has |= {"user", "long-term-keys"}

    async def _name_user(self, keys: Credentials) -> None:
        """Learn the ARN of the user whose keys are given; the caller's own would be another's."""
        arn = (await self._sts(plain(load(), "GetCallerIdentity"), keys)).name_at("GetCallerIdentityResult/Arn")
        self.estate.values.pop("user-arn", None)
        if ":user/" in arn:
            self.estate.values["user-arn"] = arn

    async def _make_user(self) -> None:
        name = f"sts-conformance-{self._run}"
        arn, made = await create(
            self._undo_wholes,
            self._iam_call("CreateUser", UserName=name),
            "CreateUserResult/User/Arn",
            lambda _: removal(self._iam_call, "DeleteUser", UserName=name),
        )
        if not made.granted:
            self._miss("user", f"needs an IAM user: CreateUser was answered {self._words(made)}")
            return
        document = _policy("Allow", "sts:*")
        allowed, key = await asyncio.gather(
            self._iam_call("PutUserPolicy", UserName=name, PolicyName="sts", PolicyDocument=document),
            self._iam_call("CreateAccessKey", UserName=name),
        )
        if allowed.granted:
            self._undo_parts.append(
                removal(self._iam_call, "DeleteUserPolicy", UserName=name, PolicyName="sts")
            )
        keys = handed_out(key.answer)
        if keys is None:
            self._miss("user", f"needs an IAM user with keys: CreateAccessKey was answered {self._words(key)}")
            return
        self._undo_parts.append(
            removal(self._iam_call, "DeleteAccessKey", UserName=name, AccessKeyId=keys.access_key_id)
        )
        self._redactor.add_handed_out(keys.secret_access_key, keys.session_token)
        self._take_user(keys)
        if arn:
            self.estate.values["user-arn"] = arn
        await self._settled(self._works_as_user)

    async def _works_as_user(self) -> bool:
        exchange = await self._sts(plain(load(), "GetCallerIdentity"), self._caller())
        return exchange.granted

    async def _role(self) -> None:
        estate, target = self.estate, self._target
        if target.role_arn is not None:
            estate.values["role-arn"] = target.role_arn
            estate.has.add("role")
            if target.role_max_session_seconds >= 43200:  # noqa: PLR2004 - twelve hours
                estate.has.add("role-12-hours")
            if target.role_arn.count("/") > 1:
                estate.has.add("role-with-path")
        elif self._iam is not None:
            await self._make_role()
        else:
            self._miss("role", "needs a role: give its ARN in a target file, or let one be made")

    async def _make_role(self) -> None:
        # The account alone would do on AWS; an emulator that takes only named users can then be tested too.
        values = self.estate.values
        named = [values["user-arn"]] if "user" in self.estate.has and "user-arn" in values else []
        trusted = [f"{self._arn}:iam::{values['account']}:root", *named]
        trust = document(
            {
                "Effect": "Allow",
                "Principal": {"AWS": trusted},
                "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity", "sts:SetContext"],
            }
        )
        name = f"sts-conformance-{self._run}"
        arn, made = await create(
            self._undo_parts,
            role_request(self._iam_call, name, trust),
            "CreateRoleResult/Role/Arn",
            lambda _: removal(self._iam_call, "DeleteRole", RoleName=name),
        )
        if not arn:
            self._miss("role", f"needs a role: CreateRole was answered {self._words(made)}")
            return
        values["role-arn"] = arn
        self.estate.has |= {"role", "role-12-hours", "role-with-path"}
        await self._settled(self._role_works)

    async def _role_works(self) -> bool:
        exchange = await self._sts(_restrained(plain(load(), "AssumeRole")), self._caller())
        return exchange.granted

    async def _policies(self) -> None:
        """Have managed policies to name: those given, AWS's own on AWS, made ones elsewhere."""
        of_aws = (arn.replace("arn:aws:", f"{self._arn}:", 1) for arn in MANAGED_POLICIES)
        arns = list(self._target.policy_arns or of_aws)
        if not self._target.policy_arns and not self._target.endpoint.is_aws:
            if self._iam is None:
                self._miss("managed-policies", "needs managed policies: give policy-arns in a target file")
                return
            made = await asyncio.gather(*(self._make_policy(n) for n in range(1, len(arns) + 1)))
            arns = [arn for arn, _ in made]
            refused = next((exchange for arn, exchange in made if not arn), None)
            if refused is not None:
                why = self._words(refused)
                self._miss("managed-policies", f"needs managed policies: CreatePolicy was answered {why}")
                return
        self.estate.values |= {f"policy-arn-{n}": arn for n, arn in enumerate(arns, 1)}

    async def _make_policy(self, number: int) -> tuple[str, Exchange]:
        name = f"sts-conformance-{self._run}-{number}"
        return await create(
            self._undo_parts,
            self._iam_call("CreatePolicy", PolicyName=name, Path=PATH, PolicyDocument=_policy("Deny", "*")),
            "CreatePolicyResult/Policy/Arn",
            lambda arn: removal(self._iam_call, "DeletePolicy", PolicyArn=arn),
            self.estate.arn(f"policy{PATH}{name}"),
        )

    async def _settled(self, works: Callable[[], Awaitable[bool]]) -> None:
        if not self._target.endpoint.is_aws:
            return
        for _ in range(_AWS_SETTLES_SECONDS // 2):
            if await works():
                return
            await asyncio.sleep(2)
        raise NotAnSts(
            f"{self._target.endpoint.url}: what was made through IAM was not accepted within "
            f"{_AWS_SETTLES_SECONDS} s; give a user and a role in a target file"
        )

    async def _sessions(self) -> None:
        """Mint one session of each kind, for the cases that call with one."""
        await asyncio.gather(
            self._mint("session", "AssumeRole"),
            self._mint("federated-user", "GetFederationToken"),
            self._mint("session-token-user", "GetSessionToken"),
        )

    async def _mint(self, need: str, operation: str) -> None:
        estate = self.estate
        if operation == "AssumeRole" and "role" not in estate.has:
            self._miss(need, estate.missing.get("role", "needs a role"))
            return
        request = plain(load(), operation)
        if self._target.endpoint.is_aws:
            request = _restrained(request)
        exchange = await self._sts(request, self._caller())
        session = handed_out(exchange.answer)
        if session is None or not session.session_token:
            self._miss(need, f"needs a session: {operation} was answered {self._words(exchange)}")
            return
        self._redactor.add_handed_out(session.secret_access_key, session.session_token)
        estate.callers[need] = session
        estate.has.add(need)
        if need == "session":
            estate.values["session-access-key-id"] = session.access_key_id
            if arn := exchange.name_at("AssumeRoleResult/AssumedRoleUser/Arn"):
                estate.values["session-arn"] = arn

    def _bad_callers(self) -> None:
        callers, user = self.estate.callers, self._caller()
        callers["unknown-key"] = Credentials("AKIABOGUS00000000000", secrets.token_urlsafe(30), None)
        callers["wrong-secret"] = replace(user, secret_access_key=secrets.token_urlsafe(30))
        session = callers.get("session")
        if session is not None:
            callers["session-without-token"] = replace(session, session_token=None)
            callers["session-with-garbage-token"] = replace(session, session_token="garbage")  # noqa: S106 - not one
            callers["session-wrong-secret"] = replace(session, secret_access_key=secrets.token_urlsafe(30))

    # How to ask

    def _caller(self) -> Credentials:
        return self.estate.callers.get("user", self._target.credentials)

    def _miss(self, need: str, why: str) -> None:
        self.estate.missing[need] = why

    def _words(self, exchange: Exchange) -> str:
        return self._clean(describe(exchange.answer) if exchange.answer is not None else exchange.failure)

    def _clean(self, text: str) -> str:
        """Take secrets out of what an endpoint sent, then what would not show as itself, then cut it."""
        return shorten(" ".join(self._redactor.clean(text).split()))

    async def _sts(
        self, request: Request, caller: Credentials | None, spare: dict[str, str] | None = None
    ) -> Exchange:
        values = (spare or {}) | self.estate.values
        signer = Signer(self._target.endpoint, self._target.region)
        request = filled(request, values, self._target.endpoint.partition)
        return await self._client.send(prepare(request, signer, caller, datetime.now(UTC)))

    async def _try_token(self, role: str, token: str) -> Exchange:
        self._redactor.add(token)
        members = (("RoleArn", role), ("RoleSessionName", "trial"), ("WebIdentityToken", token))
        return await self._sts(plain_request("AssumeRoleWithWebIdentity", members, signed=False), None)

    async def _iam_call_as(self, caller: Credentials, action: str, **parameters: str) -> Exchange:
        assert self._iam is not None  # noqa: S101 - callers have looked
        request = Request(action, (("Action", action), ("Version", IAM_VERSION), *parameters.items()))
        signer = Signer(self._iam.endpoint, self._iam.endpoint.iam_region, "iam")
        prepared = prepare(request, signer, caller, datetime.now(UTC))
        async with self._slots:  # so that what waits for its turn learns of the silence too
            if self._unanswered >= _DEAD_AFTER:
                return Exchange(prepared, None, "not sent: IAM answers no more")
            exchange = await self._iam.send(prepared)
        self._unanswered = 0 if exchange.answer is not None else self._unanswered + 1
        return exchange


def _restrained(request: Request) -> Request:
    case = Case("", (), request.operation, "", Level.MUST, request, None)  # type: ignore[arg-type]
    return restrained(case).request


def _speaks_query(answer: Answer) -> bool:
    if answer.root is not None:
        return local_name(answer.root).lower() not in {"html", "rss", "svg", "feed"}
    try:
        data: Any = json.loads(answer.body)
    except (ValueError, RecursionError):
        return False
    return isinstance(data, dict) and bool({"Error", "GetCallerIdentityResponse", "__type"} & data.keys())


def _fingerprint(answer: Answer, action: str) -> tuple[int, str, str]:
    """Return what is left of an answer when the action's name and what varies are taken out."""
    body = answer.text.replace(action, "ACTION")
    body = _REQUEST_ID.sub(r"\1ID", body)
    body = re.sub(r"[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|[0-9a-zA-Z]{26,}", "ID", body)
    return answer.status, answer.error_code or answer.foreign_code() or "", body


def _policy(effect: str, action: str) -> str:
    return document({"Effect": effect, "Action": action, "Resource": "*"})
