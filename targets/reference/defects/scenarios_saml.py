"""Defects of federation by SAML: specs/sts/scenarios/saml.yaml."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from targets.reference.defects import acts, edits
from targets.reference.defects.registry import Defect
from targets.reference.model import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from xml.etree.ElementTree import Element

    from cryptography.x509 import Certificate

    from targets.reference.constraints import Values
    from targets.reference.model import Caller, FederatedIdentity, Role
    from targets.reference.operations import Result
    from targets.reference.service import Service

    Apply = Callable[[Service], None]
    Identify = Callable[[FederatedIdentity], FederatedIdentity]

_SAML = "assume-role-with-saml"
_OPERATION, _METHOD = "AssumeRoleWithSAML", "assume_role_with_saml"
_A = "{urn:oasis:names:tc:SAML:2.0:assertion}"
_SIGNATURE = "{http://www.w3.org/2000/09/xmldsig#}Signature"
_HOUR = timedelta(hours=1)
_OTHER_ACCOUNT = "999988887777"
_FORMATS = re.compile(r"urn:oasis:names:tc:SAML:[0-9.]+:nameid-format:")


def defects() -> Iterator[Defect]:
    """Yield them."""
    yield from _configuration()
    yield from _answers()
    yield from _signatures()
    yield from _documents()
    yield from _parts()
    yield from _validity()
    yield from _session_policies()
    yield from _managed_policies()
    yield from _tags()
    yield from _tag_limits()
    yield from _durations()
    yield from _credentials()
    yield from _source_identity()


# The ways


def _verifying(name: str, other: Callable[..., Any]) -> Apply:
    """Put another step into the reading of assertions."""
    return lambda service: edits.substitute(service.operations.saml, name, other)


def _unchecked(name: str) -> Apply:
    """Leave a step out that returns nothing."""
    return _verifying(name, lambda *_args: None)


def _identified(change: Identify) -> Apply:
    """Read something else from assertions."""

    def apply(service: Service) -> None:
        verify = service.operations.saml.verify
        edits.substitute(service.operations.saml, "verify", lambda *args, **named: change(verify(*args, **named)))

    return apply


def _replaced(**changes: Any) -> Apply:
    return _identified(lambda identity: replace(identity, **changes))


def _trusted(change: Identify) -> Apply:
    """Hold the trust policy against another identity."""

    def apply(service: Service) -> None:
        check = service.operations.check_may_federate

        def changed(kind: Any, identity: FederatedIdentity, role: Role | None, name: str) -> None:
            check(kind, change(identity), role, name)

        edits.substitute(service.operations, "check_may_federate", changed)

    return apply


def _asking(change: Callable[[Caller], Caller]) -> Apply:
    """Let sessions of AssumeRoleWithSAML ask for roles as another caller."""

    def apply(service: Service) -> None:
        check = service.operations.check_may_assume

        def changed(caller: Caller, *more: Any, **named: Any) -> None:
            check(change(caller) if _is_federated(caller) else caller, *more, **named)

        edits.substitute(service.operations, "check_may_assume", changed)

    return apply


def _is_federated(caller: Caller) -> bool:
    return caller.session is not None and caller.session.origin == "saml"


def _answered(name: str, value: Callable[[Any], Any]) -> Apply:
    return edits.element(_OPERATION, (name,), value)


# What must be there


def _configuration() -> Iterator[Defect]:
    rule = f"{_SAML}.config.provider-entity"
    yield Defect(rule, "trust-unread", "a genuine assertion opens every role that exists", _any_trust)
    yield Defect(
        rule, "role-not-found", "an assertion about a role that does not exist counts as invalid",
        _unknown_role,
    )  # fmt: skip
    yield Defect(
        rule, "provider-not-found", "a provider that does not exist is answered with 404",
        edits.refusal("invalid-identity-token", status=404),
    )  # fmt: skip
    rule = f"{_SAML}.wire.request.provider-arn-form"
    yield Defect(rule, "any-kind", "of the provider's ARN, account and name alone are read", _any_kind)
    yield Defect(
        rule, "unknown", "the ARN of a provider must have a path",
        acts.refused(
            _METHOD, "invalid-identity-token", "Specified provider doesn't exist.",
            lambda _caller, values: values["PrincipalArn"].count("/") == 1,
        ),
    )  # fmt: skip


def _any_trust(service: Service) -> None:
    def exists(_kind: str, _identity: object, role: Role | None, _name: str) -> None:
        if role is None:
            raise Refused("federation-denied", f"Not authorized to perform sts:{_OPERATION}")

    edits.substitute(service.operations, "check_may_federate", exists)


def _unknown_role(service: Service) -> None:
    check = service.operations.check_may_federate

    def checked(kind: Any, identity: FederatedIdentity, role: Role | None, name: str) -> None:
        if role is None:
            raise Refused("invalid-identity-token", "Response names a role that does not exist")
        check(kind, identity, role, name)

    edits.substitute(service.operations, "check_may_federate", checked)


def _any_kind(service: Service) -> None:
    find = service.operations.saml_provider
    edits.substitute(
        service.operations, "saml_provider", lambda arn: find(re.sub(":[a-z-]+/", ":saml-provider/", arn, count=1))
    )


# What is answered


def _answers() -> Iterator[Defect]:
    yield Defect(
        f"{_SAML}.response.subject.source", "session-name", "Subject is the name of the session",
        _identified(lambda identity: replace(identity, subject=identity.session_name or "")),
    )  # fmt: skip
    rule = f"{_SAML}.response.subject-type.prefix-removed"
    yield Defect(
        rule, "prefix-kept", "SubjectType is the whole format",
        _answered("SubjectType", lambda text: f"urn:oasis:names:tc:SAML:2.0:nameid-format:{text}"),
    )  # fmt: skip
    yield Defect(
        rule, "constant", "SubjectType is always persistent", _answered("SubjectType", lambda _: "persistent")
    )
    yield Defect(
        f"{_SAML}.response.subject-type.other-prefix", "cut", "the prefix of SAML 1.1 is cut off, too",
        _answered("SubjectType", lambda text: _FORMATS.sub("", text)),
    )  # fmt: skip
    yield Defect(
        f"{_SAML}.response.issuer.source", "provider", "Issuer is the ARN of the provider",
        _identified(lambda identity: replace(identity, issuer=identity.provider)),
    )  # fmt: skip
    yield Defect(
        f"{_SAML}.response.audience.source", "constant", "Audience is always the global sign-in URL",
        _answered("Audience", lambda _: "https://signin.aws.amazon.com/saml"),
    )  # fmt: skip
    yield Defect(
        f"{_SAML}.response.name-qualifier.formula", "hexadecimal", "the hash is written out before Base64", _in_hex
    )
    yield Defect(
        f"{_SAML}.response.name-qualifier.unique", "of-the-subject", "NameQualifier is another for every subject",
        _identified(lambda identity: replace(identity, name_qualifier=identity.name_qualifier + identity.subject)),
    )  # fmt: skip
    rule = f"{_SAML}.assertion.session-name"
    yield Defect(
        rule, "any", "any text is a session name",
        _verifying("session_name", lambda values: values[0] if values else "unnamed"),
    )  # fmt: skip
    yield Defect(rule, "default", "without a name there is one by default", _named_by_default)


def _in_hex(service: Service) -> None:
    def written(text: str) -> str:
        return base64.b64encode(base64.b64decode(text).hex().encode()).decode()

    _answered("NameQualifier", written)(service)


def _named_by_default(service: Service) -> None:
    read = service.operations.saml.session_name
    _verifying("session_name", lambda values: read(values) if values else "unnamed")(service)


# Signatures


def _signatures() -> Iterator[Defect]:
    rule = f"{_SAML}.assertion.signature"
    yield Defect(
        rule, "missing", "an assertion without a signature is believed",
        _believing(lambda _data, root: next(root.iter(_SIGNATURE), None) is None),
    )  # fmt: skip
    yield Defect(
        rule, "not-verified", "a signature is looked for and not verified",
        _believing(lambda _data, root: next(root.iter(_SIGNATURE), None) is not None),
    )  # fmt: skip
    rule = f"{_SAML}.assertion.signature.own"
    yield Defect(rule, "response-suffices", "a signature of the response is enough", _response_suffices)
    yield Defect(
        rule, "response-unread", "where the assertion is signed, the signature of the response is not verified",
        _believing(lambda _data, root: root.find(_SIGNATURE) is not None and len(list(root.iter(_SIGNATURE))) > 1),
    )  # fmt: skip
    yield Defect(
        f"{_SAML}.assertion.wrapping", "first-assertion", "one signature is verified, the first assertion is read",
        _first_assertion,
    )  # fmt: skip
    yield Defect(
        f"{_SAML}.assertion.wrapping", "own-assertion", "whatever is signed, the response's own assertion is read",
        _verifying("signed_assertion", lambda _data, root, _certificates: root.find(f"{_A}Assertion")),
    )  # fmt: skip
    yield Defect(
        f"{_SAML}.assertion.wrapping", "any-assertion", "whatever is signed, the first assertion anywhere is read",
        _verifying("signed_assertion", lambda _data, root, _certificates: next(root.iter(f"{_A}Assertion"))),
    )  # fmt: skip
    yield Defect(
        f"{_SAML}.assertion.comment", "cut-short", "the NameID is read up to the first comment", _up_to_the_comment
    )


def _believing(when: Callable[[bytes, Element], bool]) -> Apply:
    """Believe the assertion of a response whose signature does not hold, if..."""

    def apply(service: Service) -> None:
        verifier = service.operations.saml
        signed = verifier.signed_assertion

        def believed(data: bytes, root: Element, certificates: tuple[Certificate, ...]) -> Element:
            try:
                return signed(data, root, certificates)
            except Refused:
                found = root.find(f"{_A}Assertion")
                if found is None or not when(data, root):
                    raise
                return found

        edits.substitute(verifier, "signed_assertion", believed)

    return apply


def _first_assertion(service: Service) -> None:
    verifier = service.operations.saml

    def holds(data: bytes, _root: Element, certificates: tuple[Certificate, ...]) -> bool:
        places = ("./", f"./{_A}Assertion/")
        return any(verifier.covered(data, place, key) is not None for place in places for key in certificates)

    def believed(data: bytes, root: Element, certificates: tuple[Certificate, ...]) -> Element:
        found = root.find(f"{_A}Assertion")
        if found is None or not holds(data, root, certificates):
            raise Refused("saml-signature-invalid", "Response signature invalid")
        return found

    edits.substitute(verifier, "signed_assertion", believed)


def _up_to_the_comment(service: Service) -> None:
    signed = service.operations.saml.signed_assertion

    def cut(data: bytes, root: Element, certificates: tuple[Certificate, ...]) -> Element:
        assertion = signed(data, root, certificates)
        name, start = assertion.find(f"{_A}Subject/{_A}NameID"), re.search(rb"NameID[^>]*>([^<]*)<!--", data)
        if name is not None and start is not None:
            name.text = start[1].decode()
        return assertion

    edits.substitute(service.operations.saml, "signed_assertion", cut)


# Documents, and for whom they are


def _documents() -> Iterator[Defect]:
    yield Defect(
        f"{_SAML}.assertion.document", "lax-base64", "what is no Base64 is left out and the rest is read",
        _verifying("decode", base64.b64decode),
    )  # fmt: skip
    yield Defect(
        f"{_SAML}.assertion.document", "server-fault", "what cannot be read is answered as a fault of the server",
        edits.refusal("invalid-identity-token", status=500),
    )  # fmt: skip
    rule = f"{_SAML}.assertion.addressee"
    yield Defect(rule, "recipient", "there need be no recipient", _verifying("recipient", _any_recipient))
    yield Defect(rule, "issuer", "the issuer may be any", _unchecked("check_issuer"))
    yield Defect(f"{_SAML}.assertion.role", "any", "an assertion opens every role", _unchecked("check_pair"))
    yield Defect(f"{_SAML}.assertion.role", "provider", "the provider beside the role is not looked at", _roles_alone)


def _parts() -> Iterator[Defect]:
    yield Defect(
        f"{_SAML}.assertion.response-issuer", "compared", "the issuer of the response must be the provider, too",
        _issuer_of_response,
    )  # fmt: skip
    rule = f"{_SAML}.assertion.parts"
    yield Defect(rule, "conditions", "there need be no conditions", _unchecked("check_conditions"))
    yield Defect(rule, "confirmations", "there may be two confirmations", _verifying("recipient", _any_recipient))
    yield Defect(rule, "statement", "there need be no statement of authentication", _unchecked("check_statement"))
    yield Defect(
        f"{_SAML}.assertion.role.order", "role-first", "the role must be named before the provider", _role_first
    )
    yield Defect(
        f"{_SAML}.trust.principal-keys", "with-arn", "the provider is told as aws:PrincipalArn",
        _identified(_with_condition("aws:principalarn", lambda found: found.provider)),
    )  # fmt: skip
    yield Defect(
        f"{_SAML}.error.wording", "in-other-words", "what is wrong with an assertion is told in other words",
        edits.wording("invalid-identity-token", lambda _: "The assertion is not good."),
    )  # fmt: skip


def _with_condition(
    key: str, value: Callable[[FederatedIdentity], str]
) -> Callable[[FederatedIdentity], FederatedIdentity]:
    return lambda found: replace(found, conditions=(*found.conditions, (key, value(found))))


def _response_suffices(service: Service) -> None:
    verifier = service.operations.saml
    signed = verifier.signed_assertion

    def believed(data: bytes, root: Element, certificates: tuple[Certificate, ...]) -> Element:
        assertion = root.find(f"{_A}Assertion")
        if assertion is None or not any(verifier.covered(data, "./", key) is not None for key in certificates):
            return signed(data, root, certificates)
        return assertion

    edits.substitute(verifier, "signed_assertion", believed)


def _issuer_of_response(service: Service) -> None:
    verifier = service.operations.saml
    signed, check = verifier.signed_assertion, verifier.check_issuer

    def believed(data: bytes, root: Element, certificates: tuple[Certificate, ...]) -> Element:
        assertion, issuer = signed(data, root, certificates), root.find(f"{_A}Issuer")
        if issuer is not None:
            check(root, (assertion.findtext(f"{_A}Issuer") or "").strip())
        return assertion

    edits.substitute(verifier, "signed_assertion", believed)


def _role_first(service: Service) -> None:
    verifier = service.operations.saml
    attributes = verifier.attributes

    def ordered(assertion: Element) -> dict[str, tuple[str, ...]]:
        found = attributes(assertion)
        name = "https://aws.amazon.com/SAML/Attributes/Role"
        return {**found, name: tuple(pair for pair in found.get(name, ()) if ":role/" in pair.partition(",")[0])}

    edits.substitute(verifier, "attributes", ordered)


def _any_recipient(assertion: Element, _now: datetime) -> str:
    data = assertion.find(f"{_A}Subject/{_A}SubjectConfirmation/{_A}SubjectConfirmationData")
    return "" if data is None else data.get("Recipient", "")


def _roles_alone(service: Service) -> None:
    check = service.operations.saml.check_pair

    def checked(roles: tuple[tuple[str, str], ...], role_arn: str, provider_arn: str) -> None:
        check(tuple((role, provider_arn) for role, _ in roles), role_arn, provider_arn)

    edits.substitute(service.operations.saml, "check_pair", checked)


# Time and status


def _validity() -> Iterator[Defect]:
    rule = f"{_SAML}.assertion.period"
    yield Defect(rule, "conditions", "the conditions of an assertion are not read", _unchecked("check_conditions"))
    yield Defect(
        rule, "confirmation", "the end of the confirmation is not read", _verifying("recipient", _any_recipient)
    )
    rule = f"{_SAML}.error.expired-token"
    yield Defect(rule, "age", "an assertion may be redeemed until it ends", _unchecked("check_age"))
    yield Defect(rule, "status", "ExpiredToken travels with 403", edits.refusal("saml-redeemed-late", status=403))
    rule = f"{_SAML}.error.idp-rejected-claim"
    yield Defect(rule, "unread", "the status of a response is not read", _unchecked("check_status"))
    yield Defect(
        rule, "http-status", "IDPRejectedClaim travels with 400", edits.refusal("saml-status-not-success", status=400)
    )


# Policies


def _session_policies() -> Iterator[Defect]:
    yield Defect(
        f"{_SAML}.session-policy.intersection", "not-read", "the session policy is not looked at", _asking(_unbound)
    )
    yield Defect(
        f"{_SAML}.session-policy.intersection", "denies-unread", "only what a session policy allows is looked at",
        edits.parameters(_OPERATION, lambda given: {k: v.replace("Deny", "Allow") for k, v in given.items()}),
    )  # fmt: skip
    yield Defect(f"{_SAML}.session-policy.no-escalation", "added", "the session policy adds rights", _asking(_added))
    yield Defect(
        f"{_SAML}.session-policy.single-inline", "list", "a list of documents is taken",
        acts.policies_unread(lambda text: text.startswith("[")),
    )  # fmt: skip
    yield Defect(f"{_SAML}.policy.new-credentials", "kept", "who asks again gets the same credentials", _kept)
    rule = f"{_SAML}.error.malformed-policy-document"
    yield Defect(rule, "taken", "a text that is no JSON is taken", acts.policies_unread(lambda text: text[:1] != "{"))
    yield Defect(
        rule, "cut-off", "a document that is cut off is taken", acts.policies_unread(lambda text: text[-1:] == "]")
    )


def _unbound(caller: Caller) -> Caller:
    return replace(caller, session=replace(caller.session, policies=None)) if caller.session else caller


def _added(caller: Caller) -> Caller:
    policies = caller.session.policies if caller.session else None
    return replace(caller, policies=(*caller.policies, *(policies or ())))


def _kept(service: Service) -> None:
    handed_out: dict[str, Any] = {}

    def again(_caller: Caller, values: Values, result: Result) -> Result:
        credentials = handed_out.setdefault(values.get("Policy", ""), result["Credentials"])
        return {**result, "Credentials": credentials}

    acts.reworked(_METHOD, again)(service)


def _managed_policies() -> Iterator[Defect]:
    yield Defect(f"{_SAML}.policy-arns.exists", "not-missed", "a policy that is not there says nothing", _not_missed)
    yield Defect(
        f"{_SAML}.policy-arns.same-account", "any-account", "a policy of any account is taken", _of_any_account
    )


def _not_missed(service: Service) -> None:
    read = service.operations.managed_policy

    def found(arn: str, account: str) -> str:
        try:
            return read(arn, account)
        except Refused:
            return '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}'

    edits.substitute(service.operations, "managed_policy", found)


def _of_any_account(service: Service) -> None:
    operations = service.operations
    read = operations.managed_policy
    edits.substitute(operations, "managed_policy", lambda arn, _account: read(arn, operations.arn(arn).account))


# Tags


def _tags() -> Iterator[Defect]:
    yield Defect(f"{_SAML}.tags.optional", "wanted", "an assertion must pass tags", _identified(_wanting_tags))
    yield Defect(f"{_SAML}.tags.override", "role-wins", "a tag of the role wins over the session's", _role_tags_win)
    yield Defect(
        f"{_SAML}.tags.override",
        "ignored",
        "the tags of an assertion are not read",
        _replaced(tags=(), transitive=()),
    )
    yield Defect(
        f"{_SAML}.tags.permission", "not-needed", "tags need no right of their own",
        _trusted(lambda identity: replace(identity, tags=())),
    )  # fmt: skip
    yield Defect(
        f"{_SAML}.tags.permission", "never", "tags are never allowed",
        _trusted(lambda identity: replace(identity, tags=(*identity.tags, ("never", "")) if identity.tags else ())),
    )  # fmt: skip
    rule = f"{_SAML}.tags.transitive"
    yield Defect(rule, "lost", "no tag of an assertion passes on", _replaced(transitive=()))
    yield Defect(
        rule, "all", "all tags of an assertion pass on",
        _identified(lambda identity: replace(identity, transitive=tuple(key for key, _ in identity.tags))),
    )  # fmt: skip


def _wanting_tags(identity: FederatedIdentity) -> FederatedIdentity:
    if not identity.tags:
        raise Refused("invalid-identity-token", "PrincipalTag is required in AuthnResponse")
    return identity


def _role_tags_win(service: Service) -> None:
    caller_of = service.authenticator.caller_of

    def found(session: Any) -> Caller:
        own = {key.lower() for key, _ in caller_of(replace(session, tags=())).principal_tags}
        return caller_of(replace(session, tags=tuple(tag for tag in session.tags if tag[0].lower() not in own)))

    edits.substitute(service.authenticator, "caller_of", found)


def _tag_limits() -> Iterator[Defect]:
    yield Defect(
        f"{_SAML}.tags.max-items", "cut", "the fifty-first tag is left out",
        _identified(lambda identity: replace(identity, tags=identity.tags[:50])),
    )  # fmt: skip
    yield Defect(
        f"{_SAML}.tags.key-max", "cut", "a long key is cut",
        _identified(lambda found: replace(found, tags=tuple((key[:128], value) for key, value in found.tags))),
    )  # fmt: skip
    yield Defect(
        f"{_SAML}.tags.value-max", "cut", "a long value is cut",
        _identified(lambda found: replace(found, tags=tuple((key, value[:256]) for key, value in found.tags))),
    )  # fmt: skip
    yield Defect(
        f"{_SAML}.error.packed-policy-too-large", "tags-not-counted", "the packed size is that of policies alone",
        _tags_not_counted,
    )  # fmt: skip


def _tags_not_counted(service: Service) -> None:
    packed = service.operations.packed
    edits.substitute(service.operations, "packed", lambda inline, arns, _tags: packed(inline, arns, ()))


# How long


def _durations() -> Iterator[Defect]:
    unlimited = edits.without("operations", "check_role_maximum")
    yield Defect(
        f"{_SAML}.duration-seconds.role-max", "not-limited", "the maximum of a role is not looked at", unlimited
    )
    rule = f"{_SAML}.duration-seconds.role-max-range"
    yield Defect(rule, "not-limited", "the maximum of a role is not looked at", unlimited)
    yield Defect(rule, "an-hour", "no federated session lasts longer than an hour", _an_hour_at_most)
    yield Defect(
        f"{_SAML}.duration-seconds.role-chaining", "not-limited", "a federated session is not chained", _unchained
    )
    yield Defect(
        f"{_SAML}.duration.session-end-below-minimum", "900-at-least", "no session is cut below 900 seconds",
        _ending_late,
    )  # fmt: skip
    rule = f"{_SAML}.duration.session-duration-attribute"
    yield Defect(rule, "not-read", "the attribute is not read", _replaced(session_seconds=None))
    yield Defect(rule, "lengthening", "the attribute takes the place of the default", _session_seconds)
    rule = f"{_SAML}.duration.session-not-on-or-after"
    yield Defect(rule, "not-read", "SessionNotOnOrAfter is not read", _replaced(not_on_or_after=None))
    yield Defect(rule, "wins", "SessionNotOnOrAfter wins over DurationSeconds", _the_assertions_end)


def _ending_late(service: Service) -> None:
    def late(identity: FederatedIdentity) -> FederatedIdentity:
        least = service.clock.now() + timedelta(seconds=900)
        end = identity.not_on_or_after
        return replace(identity, not_on_or_after=None if end is None else max(end, least))

    _identified(late)(service)


def _session_seconds(service: Service) -> None:
    edits.substitute(
        service.operations, "saml_seconds", lambda seconds, identity: identity.session_seconds or seconds
    )


def _an_hour_at_most(service: Service) -> None:
    given = acts.given(_METHOD, lambda values: {**values, "DurationSeconds": min(values["DurationSeconds"], 3600)})
    given(service)


def _unchained(service: Service) -> None:
    check = service.operations.check_duration

    def checked(caller: Caller, role: Role, values: Values) -> None:
        check(replace(caller, session=None) if _is_federated(caller) else caller, role, values)

    edits.substitute(service.operations, "check_duration", checked)


def _the_assertions_end(service: Service) -> None:
    ends: list[datetime | None] = []

    def seen(identity: FederatedIdentity) -> FederatedIdentity:
        ends[:] = [identity.not_on_or_after]
        return identity

    def until(found: Any) -> Any:
        return {**found, "Expiration": ends[0]} if ends and ends[0] is not None else found

    _identified(seen)(service)
    _answered("Credentials", until)(service)


# What the credentials are good for


def _credentials() -> Iterator[Defect]:
    for method, name in (
        ("get_federation_token", "no-get-federation-token"),
        ("get_session_token", "no-get-session-token"),
    ):
        yield Defect(
            f"{_SAML}.credentials.{name}", "taken", "federated sessions may call it, as users may",
            acts.any_session(method, "saml"),
        )  # fmt: skip
    rule = f"{_SAML}.credentials.other-sts-allowed"
    yield Defect(rule, "identity-only", "federated sessions may call GetCallerIdentity alone", _identity_only)
    yield Defect(rule, "rights-unread", "federated sessions may assume whatever trusts the account", _asking(_free))
    yield Defect(
        f"{_SAML}.credentials.account", "of-another", "federated sessions are of an account of their own",
        acts.reworked(
            "get_caller_identity",
            lambda caller, _values, found: {**found, "Account": _OTHER_ACCOUNT} if _is_federated(caller) else found,
        ),
    )  # fmt: skip


def _identity_only(service: Service) -> None:
    check = service.operations.check_other_calls

    def checked(caller: Caller, operation: str) -> None:
        if _is_federated(caller):
            raise Refused("session-credentials-not-accepted", f"Cannot call {operation} with session credentials")
        check(caller, operation)

    edits.substitute(service.operations, "check_other_calls", checked)


def _free(caller: Caller) -> Caller:
    allow = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
    return replace(caller, policies=(allow,))


# The source identity


def _source_identity() -> Iterator[Defect]:
    rule = f"{_SAML}.source-identity.origin"
    yield Defect(rule, "not-read", "the source identity of an assertion is not read", _replaced(source_identity=None))
    yield Defect(
        rule, "subject", "the source identity is the subject",
        _identified(lambda identity: replace(identity, source_identity=identity.subject)),
    )  # fmt: skip
    rule = f"{_SAML}.source-identity.condition-key"
    yield Defect(
        rule, "any-will-do", "any source identity is the one demanded",
        _trusted(lambda found: replace(found, source_identity="alice") if found.source_identity else found),
    )  # fmt: skip
    yield Defect(
        rule, "not-missed", "without a source identity the one demanded is taken",
        _trusted(lambda found: found if found.source_identity else replace(found, source_identity="alice")),
    )  # fmt: skip
    yield Defect(
        f"{_SAML}.source-identity.immutable", "changed", "a federated session may change its source identity",
        _asked_first,
    )  # fmt: skip
    rule = f"{_SAML}.source-identity.persists"
    yield Defect(rule, "forgotten", "the next session has no source identity", _forgotten)
    for name, says, value in (
        ("not-in-requests", "the source identity is no condition key of later requests", None),
        ("invented", "every later request has the source identity that is demanded", "alice"),
    ):
        yield Defect(rule, name, says, _asking(partial(_identified_as, value)))


def _asked_first(service: Service) -> None:
    held = service.operations.source_identity

    def asked(caller: Caller, values: Values) -> str | None:
        wanted: str | None = values.get("SourceIdentity")
        return wanted or held(caller, values)

    edits.substitute(service.operations, "source_identity", asked)


def _forgotten(service: Service) -> None:
    edits.substitute(
        service.operations, "source_identity", lambda _caller, values: values.get("SourceIdentity")
    )


def _identified_as(value: str | None, caller: Caller) -> Caller:
    return replace(caller, session=replace(caller.session, source_identity=value)) if caller.session else caller
