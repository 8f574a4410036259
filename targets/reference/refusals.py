"""What each refusal looks like on the wire: as AWS was last seen to answer, else as modelled, else as documented."""

from __future__ import annotations

from dataclasses import dataclass

from specs.contract import XML_NAMESPACE, load
from specs.model import Authority

_ORDER = (Authority.OBSERVED, Authority.MODELLED, Authority.DOCUMENTED)


@dataclass(frozen=True, slots=True)
class Reply:
    """Status, code and namespace of a refusal."""

    status: int
    code: str
    namespace: str = XML_NAMESPACE
    type: str = "Sender"


# Where the contract's observed answer is one by analogy, or of a wider case, the model's own error is meant.
_MODELLED = {
    "idp-communication-error": Reply(400, "IDPCommunicationError"),  # wi-jwks is of an issuer that does answer
    "inherited-tag": Reply(400, "InvalidParameterValue"),  # as ar-tag-duplicate-case
    "unknown-access-key": Reply(403, "InvalidClientTokenId"),  # as auth-unknown-key
    "unknown-managed-policy": Reply(400, "ValidationError"),  # as ar-malformed-rolearn
}


def replies() -> dict[str, Reply]:
    """Return the reply to every refusal by its name; those that are HTTP's alone have none."""
    found: dict[str, Reply] = {}
    for name, refusal in load().refusals.items():
        coded = [answer for answer in refusal.answers if answer.code is not None]
        if coded:
            newest_first = sorted(coded, key=lambda answer: answer.seen or "", reverse=True)
            chosen = min(newest_first, key=lambda answer: _ORDER.index(answer.authority))
            assert chosen.code is not None  # noqa: S101 - filtered above
            found[name] = Reply(chosen.status, chosen.code, refusal.namespace or XML_NAMESPACE)
    return found | _MODELLED
