"""What a target file gives instead of its being made, and the list of what that can be."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509 import load_pem_x509_certificate

from generators import everything
from targets.by_hand import main, readable
from targets.credentials import Credentials
from targets.identity.certificates import self_signed
from targets.identity.openid import CannotSign, OpenIdIssuer, Token
from targets.identity.saml import SamlIssuer
from targets.target import Target, TargetError, resolve

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

    from generators.case import Case, Fixture

ARN = "arn:aws:iam::123456789012:"
FIXTURES: dict[str, Fixture] = {made.key: made for case in everything.cases() for made in case.fixtures}


def key_of(**wanted: object) -> str:
    """Return the key of some fixture like this."""
    return next(key for key, made in FIXTURES.items() if all(getattr(made, n) == v for n, v in wanted.items()))


ROLE = key_of(kind="role", account="first")
IN_SECOND = key_of(kind="role", account="second")
USER = key_of(kind="user", keys="active", mfa=False)
DELETED = key_of(kind="user", keys="deleted")
HOLDER = key_of(kind="user", mfa=True)
REMOVED = key_of(kind="role", removed=True)
OTHER_AUDIENCES = next(k for k, f in FIXTURES.items() if f.kind == "openid" and len(f.audiences) > 1)
NOT_GIVEN = {k for k, f in FIXTURES.items() if f.kind in {"saml", "openid"}} - {
    "saml-provider-arn",
    "openid-provider-arn",
}
SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
KEYS = "access-key-id: AKIA1, secret-access-key: hidden-hidden"


def read(folder: Path, *lines: str) -> Target:
    path = folder / "t.yaml"
    path.write_text("\n".join(("endpoint: http://127.0.0.1:9", *lines)) + "\n", encoding="utf-8")
    return resolve(str(path))


def pem(key: PrivateKeyTypes, password: str = "") -> str:
    locked = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked).decode()


# Roles, users, policies


def test_what_is_given_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIDDEN", "from-the-environment")
    monkeypatch.setenv("SEED", SEED.lower())
    supplied = read(
        tmp_path,
        "fixtures:",
        f"  {ROLE}: {{arn: '{ARN}role/team/r', id: AROA1}}",
        f"  {IN_SECOND}: {{arn: 'arn:aws:iam::444455556666:role/far'}}",
        f"  {USER}: {{arn: '{ARN}user/u', access-key-id: AKIA1, secret-access-key-from: HIDDEN}}",
        f"  {DELETED}: {{arn: '{ARN}user/d', access-key-id: AKIA2}}",
        f"  {HOLDER}: {{arn: '{ARN}user/h', {KEYS}, mfa: {{serial-number: '{ARN}mfa/h', seed-from: SEED}}}}",
    ).supplied
    role, user, deleted, holder = (supplied.fixtures[key] for key in (ROLE, USER, DELETED, HOLDER))
    assert (role.arn, role.name, role.id, role.account_id) == (f"{ARN}role/team/r", "r", "AROA1", "123456789012")
    assert user.keys == Credentials("AKIA1", "from-the-environment")
    assert (deleted.access_key_id, deleted.keys) == ("AKIA2", None)
    assert (holder.device, holder.seed) == (f"{ARN}mfa/h", SEED)
    assert supplied.second_account_id == "444455556666"
    assert SEED not in repr(supplied)
    assert "hidden" not in repr(supplied)


def test_secrets_of_what_is_given_are_known_as_such(tmp_path: Path) -> None:
    mfa = f"mfa: {{serial-number: '{ARN}mfa/h', seed: {SEED}}}"
    second = "second-account: {access-key-id: AKIA3, secret-access-key: of-the-second}"
    target = read(tmp_path, second, "fixtures:", f"  {HOLDER}: {{arn: '{ARN}user/h', {KEYS}, {mfa}}}")
    assert {"hidden-hidden", SEED, "of-the-second"} <= set(target.secrets())


MISTAKES = [
    ("role-00000000: {arn: x}", "no case needs this, expected a key of another: python -m targets.fixtures lists"),
    (f"{ROLE}: {{}}", "found no 'arn'"),
    (f"{ROLE}: {{arn: ''}}", "'fixtures."),
    (f"{ROLE}: {{arn: x, access-key-id: AKIA1}}", "is a role, expected neither keys nor mfa"),
    (f"{USER}: {{arn: x}}", "is a user, expected its access-key-id"),
    (f"{USER}: {{arn: x, access-key-id: AKIA1}}", "is a user that calls, expected its secret-access-key"),
    (
        f"{USER}: {{arn: x, access-key-id: AKIA1, access-key-id-from: A}}",
        "either access-key-id or access-key-id-from",
    ),
    (f"{USER}: {{arn: x, {KEYS}, mfa: {{serial-number: s, seed: {SEED}}}}}", "expected no mfa"),
    (f"{HOLDER}: {{arn: x, {KEYS}}}", "expected its mfa: serial-number and seed"),
    (f"{HOLDER}: {{arn: x, {KEYS}, mfa: {{serial-number: s}}}}", "either seed or seed-from"),
    (f"{HOLDER}: {{arn: x, {KEYS}, mfa: {{serial-number: s, seed: FCF6383A44EE}}}}", "seed': expected base32"),
    ("saml-provider-arn: {arn: x}", "is an identity provider, expected it as saml-provider"),
    (f"{REMOVED}: {{arn: x}}", "is removed in the middle of a run, expected it not to be given"),
    (f"{OTHER_AUDIENCES}: {{arn: x}}", "is an identity provider, expected it as openid-provider"),
]


@pytest.mark.parametrize(("line", "words"), MISTAKES)
def test_mistakes_are_told_with_their_place(tmp_path: Path, line: str, words: str) -> None:
    with pytest.raises(TargetError) as caught:
        read(tmp_path, "name: mine", "fixtures:", f"  {line}")
    assert re.match(rf"{re.escape(str(tmp_path))}/t\.yaml:4: ", str(caught.value)), caught.value
    assert words in str(caught.value)
    assert "FCF6" not in str(caught.value)  # which is secret


def test_a_variable_that_is_not_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="NO_SUCH_VARIABLE is not set, expected a secret access key"):
        read(
            tmp_path,
            "fixtures:",
            f"  {USER}: {{arn: x, access-key-id: A, secret-access-key-from: NO_SUCH_VARIABLE}}",
        )


def test_as_many_policies_as_cases_name(tmp_path: Path) -> None:
    arns = [f"{ARN}policy/p{n}" for n in range(11)]
    assert read(tmp_path, f"policy-arns: {json.dumps(arns)}").policy_arns == tuple(arns)
    with pytest.raises(TargetError, match=r"t\.yaml:2: 'policy-arns'"):
        read(tmp_path, f"policy-arns: {json.dumps(arns[1:])}")


# Identity providers


@pytest.fixture(scope="module")
def saml() -> dict[str, str]:
    return SamlIssuer("https://idp.example.org/mine").saved()


def test_a_saml_provider(tmp_path: Path, saml: dict[str, str]) -> None:
    for name in ("key", "certificate"):
        (tmp_path / f"{name}.pem").write_text(saml[name], encoding="utf-8")
    files = ["  key: key.pem", "  certificate: certificate.pem", f"  entity-id: {saml['entity-id']}"]
    found = read(tmp_path, "saml-provider:", *files, f"  arn: {ARN}saml-provider/mine").supplied.saml
    assert found is not None
    assert found.issuer.saved() == saml
    assert found.arn == f"{ARN}saml-provider/mine"
    unregistered = read(tmp_path, "saml-provider:", *files).supplied.saml
    assert unregistered is not None
    assert not unregistered.arn


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"key": "none.pem"}, "none.pem: no such file"),
        ({"key": "certificate.pem"}, "certificate.pem holds no RSA key without a password"),
        ({"key": "curve.pem"}, "curve.pem holds no RSA key without a password"),
        ({"key": "locked.pem"}, "locked.pem holds no RSA key without a password"),
        ({"certificate": "key.pem"}, "the file holds no certificate in PEM"),
        ({"certificate": "other.pem"}, "other.pem is not of key.pem, expected its own"),
        ({"arn": "mine"}, "found 'mine', expected an ARN"),
    ],
)
def test_a_saml_provider_that_cannot_be(
    tmp_path: Path, saml: dict[str, str], changed: dict[str, str], words: str
) -> None:
    curve = ec.generate_private_key(ec.SECP256R1())
    texts = {"key": saml["key"], "certificate": saml["certificate"], "curve": pem(curve)}
    texts["locked"] = pem(load_pem_private_key(saml["key"].encode(), None), "password")
    texts["other"] = self_signed(curve, "other").public_bytes(Encoding.PEM).decode()
    for name, text in texts.items():
        (tmp_path / f"{name}.pem").write_text(text, encoding="utf-8")
    told = {"arn": f"{ARN}saml-provider/p", "entity-id": "x", "key": "key.pem", "certificate": "certificate.pem"}
    lines = [f"  {name}: {value}" for name, value in (told | changed).items()]
    with pytest.raises(TargetError) as caught:
        read(tmp_path, "saml-provider:", *lines)
    place = {"arn": 3, "key": 5, "certificate": 6}[next(iter(changed))]
    assert str(caught.value).startswith(f"{tmp_path / 't.yaml'}:{place}: 'saml-provider.{next(iter(changed))}': ")
    assert words in str(caught.value)


def openid(folder: Path, **told: Any) -> Target:
    lines = [f"  {name.replace('_', '-')}: {value}" for name, value in told.items()]
    return read(folder, "openid-provider:", *lines)


def issuer(folder: Path, key: PrivateKeyTypes, **more: Any) -> OpenIdIssuer:
    (folder / "key.pem").write_text(pem(key), encoding="utf-8")
    found = openid(folder, issuer="https://idp.example.org/a", key="key.pem", key_id="k 1-x", **more).supplied.openid
    assert found is not None
    assert not found.served
    return found.issuer


def header(token: str) -> dict[str, Any]:

    return dict(jwt.get_unverified_header(token))


def test_an_openid_provider_signs_with_its_own_key_only(tmp_path: Path) -> None:
    made = issuer(tmp_path, ec.generate_private_key(ec.SECP384R1()))
    assert made.url == "https://idp.example.org/a"
    assert header(made.token()) | {"typ": "JWT"} == {"alg": "ES384", "kid": "k 1-x", "typ": "JWT"}
    assert made.signs(None)
    assert not made.signs("RS256")
    with pytest.raises(CannotSign, match=r"https://idp\.example\.org/a has no key that signs RS256"):
        made.token(Token(algorithm="RS256"))
    again = OpenIdIssuer.restored(made.saved())  # as in a worker process
    assert again.saved() == made.saved()
    assert header(again.token())["alg"] == "ES384"


def test_an_rsa_key_signs_three_algorithms(tmp_path: Path, saml: dict[str, str]) -> None:
    key = load_pem_private_key(saml["key"].encode(), None)
    assert header(issuer(tmp_path, key).token())["alg"] == "RS256"
    made = issuer(tmp_path, key, algorithm="RS512")
    assert header(made.token())["alg"] == "RS512"
    assert header(made.token(Token(algorithm="RS384")))["alg"] == "RS384"
    assert not made.signs("ES256")


def test_an_issuer_that_is_served_where_it_is_expected(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = self_signed(key, "localhost", addresses=("127.0.0.1",)).public_bytes(Encoding.PEM)
    (tmp_path / "key.pem").write_text(pem(key), encoding="utf-8")
    (tmp_path / "certificate.pem").write_bytes(certificate)
    found = openid(
        tmp_path, serve="https://localhost:45699/t/", audience="you", tls_key="key.pem",
        tls_certificate="certificate.pem", arn="localhost",
    ).supplied.openid  # fmt: skip
    assert found is not None
    assert (found.served, found.audience, found.arn) == (True, "you", "localhost")
    with found.issuer as serving:
        assert serving.url == "https://localhost:45699/t"
        assert load_pem_x509_certificate(serving.certificate_pem.encode()) == load_pem_x509_certificate(certificate)
        other = OpenIdIssuer(port=45699)
        with pytest.raises(OSError, match="in use"):
            other.start()


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({}, "either issuer, with key and key-id, or serve"),
        ({"issuer": "https://a", "serve": "https://localhost:1"}, "either issuer, with key and key-id, or serve"),
        ({"issuer": "https://a", "key": "key.pem"}, "an issuer needs key and key-id"),
        ({"serve": "https://localhost:1", "key_id": "x"}, "what is served has keys of its own"),
        ({"serve": "https://localhost:1", "tls_key": "key.pem"}, "tls-key and tls-certificate stand together"),
        ({"serve": "http://localhost:1"}, "serve': expected a URL like https://"),
        ({"serve": "https://localhost"}, "expected a URL like https://localhost:5699"),
        ({"serve": "https://localhost:99999"}, "expected a URL like https://localhost:5699"),
        ({"serve": "https://example.com:1"}, "expected a URL like https://localhost:5699"),
        ({"serve": "https://a@localhost:1"}, "expected a URL like https://localhost:5699"),
        ({"issuer": "idp", "key": "key.pem", "key_id": "x"}, "issuer': expected the URL of an issuer"),
        ({"issuer": "https://a", "key": "none", "key_id": "x"}, "none: no such file"),
        ({"issuer": "https://a", "key": "t.yaml", "key_id": "x"}, "key': the file holds no private key in PEM"),
        ({"issuer": "https://a", "key": "ed.pem", "key_id": "x"}, "expected an RSA or an elliptic curve key"),
        ({"issuer": "https://a", "key": "odd.pem", "key_id": "x"}, "odd.pem holds a key of a curve for no tokens"),
        ({"issuer": "https://a", "key": "key.pem", "key_id": "x", "algorithm": "RS256"}, "expected one that the key"),
        ({"issuer": "https://a", "key": "key.pem", "key_id": "x", "algorithm": "HS256"}, "algorithm': found 'HS256'"),
        ({"issuer": "https://a", "key": "key.pem", "key_id": "x", "thumbprint": "x"}, "thumbprint': found a text"),
        (
            {"serve": "https://localhost:1", "tls_key": "odd.pem", "tls_certificate": "certificate.pem"},
            "certificate.pem is not of odd.pem",
        ),
    ],
)
def test_an_openid_provider_that_cannot_be(tmp_path: Path, told: dict[str, str], words: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    for name, made in (
        ("key", key),
        ("odd", ec.generate_private_key(ec.SECP256K1())),
        ("ed", ed25519.Ed25519PrivateKey.generate()),
    ):
        (tmp_path / f"{name}.pem").write_text(pem(made), encoding="utf-8")
    (tmp_path / "certificate.pem").write_bytes(self_signed(key, "localhost").public_bytes(Encoding.PEM))
    with pytest.raises(TargetError) as caught:
        openid(tmp_path, **told, audience="x")
    assert re.match(rf"{re.escape(str(tmp_path))}/t\.yaml:\d+: 'openid-provider", str(caught.value))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_two_issuers_have_a_key_id_in_common() -> None:
    tokens = [issuer.token(Token(algorithm="ES256", issuer="x")) for issuer in (OpenIdIssuer(), OpenIdIssuer())]
    one, other = (header(token)["kid"] for token in tokens)
    assert one != other


# The list


def cases_of(key: str) -> list[Case]:
    return [case for case in everything.cases() if any(made.key == key for made in case.fixtures)]


def test_machines_are_told_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json"]) == 0
    listed = {one["key"]: one for one in json.loads(capsys.readouterr().out)}
    assert listed.keys() == FIXTURES.keys()
    for key, one in listed.items():
        made = FIXTURES[key]
        assert (one["kind"], one["account"], one["mfa"], one["tags"]) == (
            made.kind, made.account, made.mfa, dict(made.tags),
        )  # fmt: skip
        assert one["trust-policy"] == (json.loads(made.trust) if made.trust else None)
        assert one["policy"] == (json.loads(made.policy) if made.policy else None)
        assert one["max-session-seconds"] == (made.max_session_seconds if made.kind == "role" else None)
        assert one["access-key"] == (made.keys if made.kind == "user" else None)
        assert one["can-be-given"] == (key not in {REMOVED, *NOT_GIVEN})
        assert set(one["rules"]) == {case.rule for case in cases_of(key)}
    order = list(listed)
    for key, one in listed.items():
        named = re.findall(r"\$\{([a-z0-9-]+)", json.dumps(one))
        assert all(order.index(name) < order.index(key) for name in named if name in listed)


def test_people_are_told_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    text = capsys.readouterr().out
    assert re.findall(r"^([a-z0-9-]+): ", text, re.MULTILINE) == list(FIXTURES)
    assert not re.search(r"\$\{(?!aws:)", text)  # IAM has placeholders of its own
    for words in (
        "  longest session: 43200 s\n",
        f"\n{IN_SECOND}: role, second account\n", f"\n{HOLDER}: user\n", "  MFA device: switched on\n",
        "  access key: deleted\n", '"arn:aws:iam::<account>:root"',
        "goes into a target file as saml-provider\n", '"Federated": "<ARN of openid-provider-arn>"',
        "  how: only the run can make it\n",
        "  keys: cannot be fetched\n", "assume-role.mfa.denied",
    ):  # fmt: skip
        assert words in text, words


def test_placeholders_in_words() -> None:
    text = "${account} ${second-account} ${user-arn} ${role-1} ${openid-provider-arn.issuer}:aud"
    told = "<account> <second account> <ARN of the user> <ARN of role-1> <issuer of openid-provider-arn>:aud"
    assert readable(text) == told


def test_no_other_options(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--xml"])
    assert ended.value.code == 2
    assert "unrecognized arguments: --xml" in capsys.readouterr().err
