"""Defects of federation by tokens of OpenID Connect providers: specs/sts/scenarios/web-identity.yaml."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from targets.reference.arns import parse_arn
from targets.reference.defects import acts, edits
from targets.reference.defects.claims import ALLOW_ALL
from targets.reference.defects.registry import Defect
from targets.reference.model import FederatedIdentity, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from targets.reference.constraints import Values
    from targets.reference.model import Caller, OpenIdProvider, Role, Session
    from targets.reference.operations import Result
    from targets.reference.service import Service

    Apply = Callable[[Service], None]
    Json = dict[str, Any]
    When = Callable[[Json, Json, str], bool]  # header, claims and the whole token

_OWN = "assume-role-with-web-identity"
_OPERATION, _METHOD = "AssumeRoleWithWebIdentity", "assume_role_with_web_identity"
_INVALID = "invalid-identity-token"


def defects() -> Iterator[Defect]:
    """Yield them."""
    yield from _signatures()
    yield from _algorithms()
    yield from _forms()
    yield from _times()
    yield from _forms_of_claims()
    yield from _issuers()
    yield from _audiences()
    yield from _providers()
    yield from _trust()
    yield from _session_policies()
    yield from _policy_texts()
    yield from _tag_limits()
    yield from _tags()
    yield from _durations()
    yield from _credentials()
    yield from _answers()
    yield from _source_identities()


# Tokens


def _signatures() -> Iterator[Defect]:
    rule = f"{_OWN}.web-identity-token.signature"
    lenient: tuple[tuple[str, str, When], ...] = (
        ("empty-taken", "an empty signature is taken", lambda _h, _c, token: token.endswith(".")),
        ("none-taken", "the algorithm none is taken", lambda header, _c, _t: header["alg"] == "none"),
        (
            "none-by-case", "the algorithm nOnE is taken, which is not the none that is refused",
            lambda header, _c, _t: header["alg"] != "none" and header["alg"].lower() == "none",
        ),
        ("hmac-taken", "the public key is a shared secret", lambda header, _c, _t: header["alg"] == "HS256"),
        ("key-from-header", "the key that a token brings along is trusted", lambda header, _c, _t: "jwk" in header),
        ("not-compared", "what looks like a signature is one", _looks_signed),
        ("claims-not-covered", "the signature may be of other claims", _tampered),
    )  # fmt: skip
    for name, says, when in lenient:
        yield Defect(rule, name, says, _taken(_INVALID, when))
    yield Defect(rule, "unknown-key", "what no known key signed is taken", _taken("verification-key-missing"))


def _looks_signed(header: Json, _claims: Json, token: str) -> bool:
    return header["alg"] == "RS256" and "jwk" not in header and not token.endswith(".")


def _tampered(header: Json, claims: Json, token: str) -> bool:
    return _looks_signed(header, claims, token) and claims["sub"] == "attacker"


def _algorithms() -> Iterator[Defect]:
    rule = f"{_OWN}.web-identity-token.algorithms"
    yield Defect(rule, "rsa-alone", "elliptic curves are not known", _refused(lambda h, _: h["alg"].startswith("ES")))
    yield Defect(rule, "sha-256-alone", "no other hash is known", _refused(lambda h, _: not h["alg"].endswith("256")))
    yield Defect(
        rule, "curves-not-compared", "signatures by elliptic curves are not compared",
        _taken(_INVALID, lambda header, _c, _t: header["alg"].startswith("ES")),
    )  # fmt: skip


def _forms() -> Iterator[Defect]:
    rule = f"{_OWN}.web-identity-token.kind"
    yield Defect(rule, "opaque-taken", "an opaque token is taken", _granted(lambda token: not token.startswith("ey")))
    yield Defect(
        rule, "two-parts-taken", "a token without a signature part is taken",
        _granted(lambda token: token.startswith("ey") and token.count(".") == 1),
    )  # fmt: skip
    yield Defect(
        f"{_OWN}.web-identity-token.critical", "not-read", "headers that must be understood are passed over",
        _granted(lambda token: "crit" in _parts(token)[0]),
    )  # fmt: skip
    rule = f"{_OWN}.web-identity-token.claims"
    yield Defect(rule, "issuer-missing", "no issuer is needed", _granted(lambda token: "iss" not in _parts(token)[1]))
    for name, says in (("sub", "no subject is needed"), ("aud", "no audience is needed")):
        yield Defect(rule, f"{name}-missing", says, _taken(_INVALID, _lacks(name)))


def _lacks(claim: str) -> When:
    return lambda _header, claims, _token: claim not in claims


def _times() -> Iterator[Defect]:
    yield Defect(
        f"{_OWN}.error.expired-token", "not-looked-at", "tokens are good for ever", _taken("expired-federation-token")
    )
    yield Defect(
        f"{_OWN}.web-identity-token.too-old", "not-looked-at", "tokens may be of any age",
        _taken("web-identity-too-old"),
    )
    yield Defect(
        f"{_OWN}.web-identity-token.times", "exp-missing", "a token need not expire", _taken(_INVALID, _lacks("exp"))
    )
    yield Defect(
        f"{_OWN}.web-identity-token.timestamps", "word-taken", "a word is taken for a time to come",
        _taken(_INVALID, lambda _h, claims, _t: isinstance(claims.get("exp"), str)),
    )  # fmt: skip
    yield Defect(
        f"{_OWN}.web-identity-token.not-before", "not-looked-at", "the claim nbf is not read",
        _taken(_INVALID, lambda _h, claims, _t: "nbf" in claims),
    )  # fmt: skip


def _forms_of_claims() -> Iterator[Defect]:
    rule = f"{_OWN}.web-identity-token.leeway"
    for name, says, claim, is_past in (
        ("exp", "a token is good to the second at which it ends", "exp", True),
        ("nbf", "a token is good from the second at which it begins", "nbf", False),
        ("iat", "a token is good from the second at which it was issued", "iat", False),
    ):
        yield Defect(rule, f"none-for-{name}", says, _refused(_beyond(claim, is_past=is_past)))
    rule = f"{_OWN}.web-identity-token.timestamp-forms"
    yield Defect(
        rule, "texts-refused", "a text of digits is no time", _refused(lambda _, c: isinstance(c.get("nbf"), str))
    )
    yield Defect(
        rule, "fractions-taken", "a time may have a fraction",
        _taken(_INVALID, lambda _h, claims, _t: isinstance(claims.get("exp"), float)),
    )  # fmt: skip
    rule = f"{_OWN}.web-identity-token.subject"
    yield Defect(rule, "short-refused", "a subject has six characters", _refused(lambda _, c: len(c["sub"]) < 6))  # noqa: PLR2004
    yield Defect(rule, "cut", "a subject is cut to 255 characters", _identity(_cut_subject))
    rule = f"{_OWN}.web-identity-token.key-id"
    yield Defect(
        rule, "any-key", "a token that names no key is taken of any",
        _taken("verification-key-missing", lambda header, _c, _t: "kid" not in header),
    )  # fmt: skip
    yield Defect(
        f"{_OWN}.tags.form", "texts-taken", "a tag's value may stand without a list",
        _taken(_INVALID, lambda _h, claims, _t: "https://aws.amazon.com/tags" in claims),
    )  # fmt: skip
    yield Defect(
        f"{_OWN}.duration-seconds.token-end", "cut", "a session lasts an hour at most, as tokens do",
        acts.given(_METHOD, lambda values: values | {"DurationSeconds": min(3600, values["DurationSeconds"])}),
    )  # fmt: skip
    yield Defect(
        f"{_OWN}.response.packed-policy-size.percentage", "of-something-else",
        "PackedPolicySize is one more than SessionTokenUtilization",
        edits.element(_OPERATION, ("PackedPolicySize",), lambda value: value + 1),
    )  # fmt: skip
    yield Defect(
        f"{_OWN}.error.wording", "in-other-words", "what is wrong with a token is told in other words",
        edits.wording(_INVALID, lambda _: "The token is not good."),
    )  # fmt: skip


def _beyond(claim: str, *, is_past: bool) -> Callable[[Json, Json], bool]:
    def found(_header: Json, claims: Json) -> bool:
        moment = claims.get(claim)
        if not isinstance(moment, int):
            return False
        return moment < time.time() if is_past else moment > time.time() + 1

    return found


def _cut_subject(found: FederatedIdentity) -> FederatedIdentity:
    return replace(found, subject=found.subject[:255])


def _issuers() -> Iterator[Defect]:
    yield Defect(
        f"{_OWN}.web-identity-token.issuer", "any-taken", "it does not matter who the issuer is",
        _granted(lambda token: "iss" in _parts(token)[1]),
    )  # fmt: skip
    yield Defect(
        f"{_OWN}.web-identity-token.issuer-keys", "one-pool", "the keys of all providers sign for each of them",
        _taken("verification-key-missing"),
    )  # fmt: skip


def _audiences() -> Iterator[Defect]:
    unknown = "web-identity-audience-unknown"
    yield Defect(f"{_OWN}.web-identity-token.audience", "any-taken", "any audience will do", _taken(unknown))
    rule = f"{_OWN}.web-identity-token.audiences"
    yield Defect(
        rule, "several-taken", "of several audiences none need be known",
        _taken(unknown, lambda _h, claims, _t: isinstance(claims.get("aud"), list)),
    )  # fmt: skip
    yield Defect(
        rule, "party-taken", "whoever names an authorized party is let in",
        _taken(unknown, lambda _h, claims, _t: "azp" in claims),
    )  # fmt: skip
    yield Defect(
        rule, "none-taken", "a token need not be for anybody",
        _taken(_INVALID, lambda _h, claims, _t: claims.get("aud") == []),
    )  # fmt: skip
    yield Defect(
        rule, "one-alone", "a token may be for one audience only",
        _refused(lambda _, claims: isinstance(claims.get("aud"), list)),
    )  # fmt: skip


def _providers() -> Iterator[Defect]:
    yield Defect(
        f"{_OWN}.error.idp-communication-error", "taken-unseen", "where no key can be fetched, none is needed",
        _taken("idp-communication-error"),
    )  # fmt: skip
    rule = f"{_OWN}.error.idp-rejected-claim"
    yield Defect(
        rule, "not-asked", "whoever names an OAuth 2.0 provider is let in",
        acts.granted(_METHOD, "idp-rejected-claim", lambda _: True, _made_up),
    )  # fmt: skip
    yield Defect(
        rule, "another-code", "what the provider turned down is answered as invalid",
        edits.refusal("idp-rejected-claim", status=400, code="InvalidIdentityToken"),
    )  # fmt: skip
    yield Defect(
        f"{_OWN}.provider-id.not-for-oidc", "named-as-issuer", "whatever ProviderId says is the provider",
        acts.granted(
            _METHOD, "idp-rejected-claim", lambda _: True, lambda v: _made_up(v) | {"Provider": v["ProviderId"]}
        ),
    )  # fmt: skip


# Trust


def _trust() -> Iterator[Defect]:
    for name in ("subject", "audience", "methods"):
        yield Defect(
            f"{_OWN}.trust.{name}", "not-read", "conditions of trust policies are not read", _held(_unconditional)
        )
    for name, key in (("subject", ":sub"), ("audience", ":aud")):
        yield Defect(
            f"{_OWN}.trust.{name}", "never-met", f"the condition key {key} is not known",
            _identity(_without(key)),
        )  # fmt: skip


def _without(key: str) -> Callable[[FederatedIdentity], FederatedIdentity]:
    return lambda found: replace(found, conditions=tuple(c for c in found.conditions if not c[0].endswith(key)))


def _unconditional(identity: FederatedIdentity, role: Role) -> tuple[FederatedIdentity, Role]:
    trust = json.loads(role.trust)
    for statement in trust["Statement"]:
        statement.pop("Condition", None)
    return identity, replace(role, trust=json.dumps(trust))


def _held(change: Callable[[FederatedIdentity, Role], tuple[FederatedIdentity, Role]]) -> Apply:
    """Hold another identity against the trust policy, or another policy against the identity."""

    def apply(service: Service) -> None:
        check = service.operations.check_may_federate

        def changed(kind: Any, identity: FederatedIdentity, role: Role | None, name: str) -> None:
            if role is not None:
                identity, role = change(identity, role)
            check(kind, identity, role, name)

        edits.substitute(service.operations, "check_may_federate", changed)

    return apply


# Session policies


def _session_policies() -> Iterator[Defect]:
    rule = f"{_OWN}.session-policy.intersection"
    yield Defect(
        rule, "not-read", "session policies are not looked at",
        _acting(lambda session: replace(session, policies=None)),
    )  # fmt: skip
    yield Defect(rule, "managed-allow-all", "a managed session policy takes nothing away", _managed_allow_all)
    yield Defect(f"{_OWN}.session-policy.no-escalation", "granting", "a session policy grants rights", _granting)
    rule = f"{_OWN}.policy-arns.same-account"
    yield Defect(rule, "any-account", "managed policies may be of any account", _of_any_account)
    rule = f"{_OWN}.policy-arns.existing"
    yield Defect(rule, "passed-over", "a managed policy that does not exist is passed over", _passed_over)
    yield Defect(
        f"{_OWN}.policy.new-credentials", "remembered", "the same call gets the same credentials", _remembered
    )


def _managed_allow_all(service: Service) -> None:
    edits.substitute(service.operations, "managed_policy", lambda _arn, _account: ALLOW_ALL)


def _of_any_account(service: Service) -> None:
    found = service.operations.managed_policy
    edits.substitute(service.operations, "managed_policy", lambda arn, _: found(arn, parse_arn(arn).account))


def _passed_over(service: Service) -> None:
    found = service.operations.managed_policy

    def or_none(arn: str, account: str) -> str:
        try:
            return found(arn, account)
        except Refused:
            return ALLOW_ALL

    edits.substitute(service.operations, "managed_policy", or_none)


def _granting(service: Service) -> None:
    caller_of = service.authenticator.caller_of

    def found(session: Session) -> Caller:
        caller = caller_of(session)
        return replace(caller, policies=(*caller.policies, *(session.policies or ())))

    edits.substitute(service.authenticator, "caller_of", found)


def _remembered(service: Service) -> None:
    known: dict[tuple[str, str], Any] = {}

    def same(_caller: Caller, values: Values, result: Result) -> Result:
        key = (values["RoleArn"], values.get("Policy", ""))
        return result | {"Credentials": known.setdefault(key, result["Credentials"])}

    acts.reworked(_METHOD, same)(service)


def _policy_texts() -> Iterator[Defect]:
    rule = f"{_OWN}.session-policy.single-inline"
    yield Defect(rule, "first-read", "what follows a policy is not read", edits.values(_OPERATION, _first_read))
    yield Defect(rule, "list-taken", "a list of policies is read", edits.values(_OPERATION, _first_of_list))
    yield Defect(
        f"{_OWN}.error.malformed-policy-document", "not-read", "session policies are taken unread",
        acts.policies_unread(lambda _: True),
    )  # fmt: skip


def _first_read(values: dict[str, Any]) -> dict[str, Any]:
    if not values.get("Policy", "").startswith("{"):
        return values
    end = json.JSONDecoder().raw_decode(values["Policy"])[1]
    return {**values, "Policy": values["Policy"][:end]}


def _first_of_list(values: dict[str, Any]) -> dict[str, Any]:
    if not values.get("Policy", "").startswith("["):
        return values
    return {**values, "Policy": json.dumps(json.loads(values["Policy"])[0])}


# Tags


def _tag_limits() -> Iterator[Defect]:
    limits: tuple[tuple[str, str, int, Callable[[FederatedIdentity], int]], ...] = (
        ("max-items", "number of tags", 50, lambda found: len(found.tags)),
        ("key-max", "length of a key", 128, lambda found: max((len(tag[0]) for tag in found.tags), default=0)),
        ("value-max", "length of a value", 256, lambda found: max((len(tag[1]) for tag in found.tags), default=0)),
    )
    for name, what, limit, size in limits:
        rule = f"{_OWN}.tags.{name}"
        yield Defect(rule, "not-limited", f"the {what} is not limited", _tags_taken(limit, size))
        yield Defect(rule, "one-too-narrow", f"the {what} may be {limit - 1} at most", _tags_refused(limit - 1, size))


def _tags_taken(limit: int, size: Callable[[FederatedIdentity], int]) -> Apply:
    def apply(service: Service) -> None:
        members = service.operations.identity_tags

        def unlimited(identity: FederatedIdentity) -> Values:
            if size(identity) <= limit:
                return members(identity)
            return {"Tags": [{"Key": key, "Value": value} for key, value in identity.tags]}

        edits.substitute(service.operations, "identity_tags", unlimited)

    return apply


def _tags_refused(limit: int, size: Callable[[FederatedIdentity], int]) -> Apply:
    def apply(service: Service) -> None:
        members = service.operations.identity_tags

        def narrower(identity: FederatedIdentity) -> Values:
            if size(identity) > limit:
                raise Refused("constraint-violation", "1 validation error detected: the tags are too large")
            return members(identity)

        edits.substitute(service.operations, "identity_tags", narrower)

    return apply


def _tags() -> Iterator[Defect]:
    rule = f"{_OWN}.tags.optional"
    yield Defect(rule, "demanded", "a token must pass tags", _tags_demanded)
    yield Defect(rule, "lost", "tags of a token are not read", _identity(lambda found: replace(found, tags=())))
    yield Defect(
        f"{_OWN}.tags.override", "role-tag-wins", "the tag of the role counts, not that of the session",
        _acting(lambda session: replace(session, tags=())),
    )  # fmt: skip
    rule = f"{_OWN}.tags.permission"
    yield Defect(
        rule, "not-needed", "tags need no right of their own",
        _held(lambda identity, role: (replace(identity, tags=()), role)),
    )  # fmt: skip
    yield Defect(rule, "all-or-none", "the right to tag is one to all tags", _held(_unconditional))
    rule = f"{_OWN}.tags.transitive"
    yield Defect(
        rule, "lost", "which tags are transitive is not read", _identity(lambda found: replace(found, transitive=()))
    )
    yield Defect(
        rule, "all-pass-on", "all tags of a token are transitive",
        _identity(lambda found: replace(found, transitive=tuple(key for key, _ in found.tags))),
    )  # fmt: skip
    yield Defect(
        f"{_OWN}.error.packed-policy-too-large", "tags-not-counted", "the packed size is that of policies alone",
        _tags_not_counted,
    )  # fmt: skip


def _tags_demanded(service: Service) -> None:
    def check(found: FederatedIdentity) -> FederatedIdentity:
        if not found.tags:
            raise Refused(_INVALID, "The token passes no session tags")
        return found

    _identity(check)(service)


def _tags_not_counted(service: Service) -> None:
    packed = service.operations.packed
    edits.substitute(service.operations, "packed", lambda inline, arns, _: packed(inline, arns, ()))


# Durations and credentials


def _durations() -> Iterator[Defect]:
    for name in ("role-max", "role-max-range"):
        yield Defect(
            f"{_OWN}.duration-seconds.{name}", "not-limited", "the maximum of a role is not looked at",
            edits.without("operations", "check_role_maximum"),
        )  # fmt: skip
    yield Defect(
        f"{_OWN}.duration-seconds.role-max", "one-too-narrow", "a second less than the maximum is the most",
        _maximum(lambda maximum: maximum - 1),
    )  # fmt: skip
    yield Defect(
        f"{_OWN}.duration-seconds.role-max-range", "six-hours", "no session lasts more than six hours",
        _maximum(lambda maximum: min(maximum, 21600)),
    )  # fmt: skip


def _maximum(change: Callable[[int], int]) -> Apply:
    def apply(service: Service) -> None:
        check = service.operations.check_role_maximum

        def narrower(role: Role, seconds: int) -> None:
            check(replace(role, max_session_seconds=change(role.max_session_seconds)), seconds)

        edits.substitute(service.operations, "check_role_maximum", narrower)

    return apply


def _credentials() -> Iterator[Defect]:
    for name in ("get-federation-token", "get-session-token"):
        yield Defect(
            f"{_OWN}.credentials.no-{name}", "let-in", "sessions of web identities may call it as well",
            acts.any_session(name.replace("-", "_"), "web-identity"),
        )  # fmt: skip
    rule = f"{_OWN}.credentials.other-sts-allowed"
    for name in ("get_caller_identity", "get_access_key_info", "assume_role"):
        yield Defect(
            rule, f"no-{name.replace('_', '-')}", f"web identities cannot call {name}",
            acts.refused(name, "session-credentials-not-accepted", "Cannot call it", _is_web_identity),
        )  # fmt: skip
    yield Defect(rule, "everything", "web identities may do everything", _with_every_right)
    yield Defect(f"{_OWN}.credentials.account", "of-none", "web identities are of no account", _of_no_account)


def _is_web_identity(caller: Caller, _values: Values) -> bool:
    return caller.session is not None and caller.session.origin == "web-identity"


def _with_every_right(service: Service) -> None:
    caller_of = service.authenticator.caller_of
    edits.substitute(
        service.authenticator, "caller_of", lambda session: replace(caller_of(session), policies=(ALLOW_ALL,))
    )


def _of_no_account(service: Service) -> None:
    def nowhere(caller: Caller, values: Values, result: Result) -> Result:
        return result | {"Account": "000000000000"} if _is_web_identity(caller, values) else result

    acts.reworked("get_caller_identity", nowhere)(service)


# Answers


def _answers() -> Iterator[Defect]:
    elements: tuple[tuple[str, str, str, str, Callable[[str], str]], ...] = (
        (
            "session-name-in-arn", "another-name", "the ARN ends with a name of its own", "Arn",
            lambda text: text.rpartition("/")[0] + "/web-identity",
        ),
        (
            "session-name-in-arn", "id-alone", "AssumedRoleId has no session name", "AssumedRoleId",
            lambda text: text.partition(":")[0],
        ),
        (
            "response.assumed-role-user.role-id", "another-role", "all roles have one id", "AssumedRoleId",
            lambda text: f"AROA3XFRBF535PLBIFPI4:{text.partition(':')[2]}",
        ),
        (
            "wire.response.role-id", "another-form", "the id of a role is shorter", "AssumedRoleId",
            lambda text: f"ARO123EXAMPLE123:{text.partition(':')[2]}",
        ),
    )  # fmt: skip
    for name, defect, says, element, change in elements:
        yield Defect(
            f"{_OWN}.{name}", defect, says, edits.element(_OPERATION, ("AssumedRoleUser", element), change)
        )
    for name, element, text in (
        ("response.subject.source", "SubjectFromWebIdentityToken", "somebody"),
        ("response.audience.source", "Audience", "sts-conformance"),
        ("response.provider.oidc", "Provider", "accounts.example.com"),
    ):
        yield Defect(
            f"{_OWN}.{name}", "always-one", f"{element} is {text} whatever the token says",
            edits.element(_OPERATION, (element,), _always(text)),
        )  # fmt: skip


def _always(text: str) -> Callable[[Any], str]:
    return lambda _: text


def _source_identities() -> Iterator[Defect]:
    rule = f"{_OWN}.source-identity.origin"
    yield Defect(rule, "lost", "no claim is read", _identity(lambda found: replace(found, source_identity=None)))
    yield Defect(
        rule, "subject", "the subject is the source identity",
        _identity(lambda found: replace(found, source_identity=found.subject)),
    )  # fmt: skip
    rule = f"{_OWN}.source-identity.condition-key"
    yield Defect(rule, "not-read", "conditions of trust policies are not read", _held(_unconditional))
    yield Defect(
        rule, "never-met", "the condition key is not known",
        _held(lambda identity, role: (replace(identity, source_identity=None), role)),
    )  # fmt: skip
    rule = f"{_OWN}.source-identity.immutable"
    yield Defect(rule, "replaced", "the next session sets another", _next_identity(lambda held, asked: asked or held))
    yield Defect(
        f"{_OWN}.source-identity.persists", "forgotten", "the next session has none",
        _next_identity(lambda _, asked: asked),
    )  # fmt: skip


def _next_identity(chosen: Callable[[str | None, str | None], str | None]) -> Apply:
    def apply(service: Service) -> None:
        def source_identity(caller: Caller, values: Values) -> str | None:
            held = caller.session.source_identity if caller.session is not None else None
            return chosen(held, values.get("SourceIdentity"))

        edits.substitute(service.operations, "source_identity", source_identity)

    return apply


# The ways to do it


def _taken(refusal: str, when: When = lambda _header, _claims, _token: True) -> Apply:
    """Believe what tokens claim that would be refused for that reason."""

    def apply(service: Service) -> None:
        verify = service.operations.identity_of

        def believed(token: str, provider: OpenIdProvider) -> FederatedIdentity:
            try:
                return verify(token, provider)
            except Refused as found:
                header, claims = _parts(token)
                if found.refusal != refusal or not when(header, claims, token):
                    raise
                return _claimed(claims, provider)

        edits.substitute(service.operations, "identity_of", believed)

    return apply


def _claimed(claims: Json, provider: OpenIdProvider) -> FederatedIdentity:
    subject = claims.get("sub", "nobody")
    given = claims.get("aud", provider.client_ids[0])
    audience = (given or provider.client_ids)[0] if isinstance(given, list) else given
    base = provider.url.removeprefix("https://")
    conditions = ((f"{base}:aud", audience), (f"{base}:sub", subject))
    return FederatedIdentity(subject, provider.url, audience, provider.url, conditions)


def _refused(when: Callable[[Json, Json], bool]) -> Apply:
    """Refuse good tokens, by header and claims."""

    def apply(service: Service) -> None:
        verify = service.operations.identity_of

        def checked(token: str, provider: OpenIdProvider) -> FederatedIdentity:
            if when(*_parts(token)):
                raise Refused(_INVALID, "Token is not supported")
            return verify(token, provider)

        edits.substitute(service.operations, "identity_of", checked)

    return apply


def _identity(change: Callable[[FederatedIdentity], FederatedIdentity]) -> Apply:
    """Read something else out of tokens."""

    def apply(service: Service) -> None:
        verify = service.operations.identity_of
        edits.substitute(service.operations, "identity_of", lambda token, provider: change(verify(token, provider)))

    return apply


def _granted(when: Callable[[str], bool]) -> Apply:
    """Grant what is not even read as a token of a known provider."""
    return acts.granted(_METHOD, _INVALID, lambda values: when(values["WebIdentityToken"]), _made_up)


def _made_up(values: Values) -> Result:
    role = parse_arn(values["RoleArn"])
    name = values["RoleSessionName"]
    arn = f"arn:aws:sts::{role.account}:assumed-role/{values['RoleArn'].rpartition('/')[2]}/{name}"
    return {
        "Credentials": None,
        "SubjectFromWebIdentityToken": "somebody",
        "AssumedRoleUser": {"AssumedRoleId": f"AROA3XFRBF535PLBIFPI4:{name}", "Arn": arn},
        "Provider": "www.example.com",
        "Audience": "sts-conformance",
    }


def _acting(change: Callable[[Session], Session]) -> Apply:
    """Take the bearers of sessions for those of others."""

    def apply(service: Service) -> None:
        caller_of = service.authenticator.caller_of
        edits.substitute(service.authenticator, "caller_of", lambda session: caller_of(change(session)))

    return apply


def _parts(token: str) -> tuple[Json, Json]:
    """Return header and claims; what cannot be read holds nothing."""
    read = [_read(part) for part in (*token.split("."), "", "")[:2]]
    return read[0], read[1]


def _read(part: str) -> Json:
    try:
        found = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
