"""A mistake in a target file is told without what may be a secret, wherever it stands; keys hold no controls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from specs.loader import SpecError
from specs.shown import shown_problem
from targets.credentials import Credentials, sendable
from targets.profile import read_target_file
from targets.supplied import SuppliedFixture
from targets.target import TargetError, resolve

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY12"
SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
URL = "endpoint: http://127.0.0.1:9\n"
KEYS = "access-key-id: AKIAMINE"
FIXTURE = "fixtures:\n  user-0123abcd:\n    arn: arn:aws:iam::123456789012:user/x\n"

# A text with a secret (SECRET or SEED) in it, the line that is told, and words of the message.
MISTAKES: dict[str, tuple[int, str]] = {
    f"{SECRET}\n": (1, "found a text, expected a mapping"),
    f"- {SECRET}\n": (1, "found a list, expected a mapping"),
    f"{URL}credentials: {SECRET}\n": (2, "'credentials': found a text, expected"),
    f"{URL}credentials: AKIAMINE:{SECRET}\n": (2, "'credentials': found a text"),
    f"{URL}credentials: [AKIAMINE, {SECRET}]\n": (2, "'credentials': found a list"),
    f"{URL}credentials: {{{KEYS}, secret-access-key: [{SECRET}]}}\n": (2, "'credentials.secret-access-key': found a"),
    f"{URL}credentials: {{{KEYS}, secret-access-key: {{a: {SECRET}}}}}\n": (2, "secret-access-key': found a mapping"),
    f"{URL}credentials: {{{KEYS}, secret-access-key: 123456789012345678}}\n": (2, "found a number, expected a text"),
    f"{URL}credentials: {{{KEYS}, secret-access-key:{SECRET}}}\n": (2, "found an unknown key in 'credentials'"),
    f"{URL}credentials: {{{KEYS}, {SECRET}: x}}\n": (2, "found an unknown key in 'credentials', expected one of"),
    f"{URL}credentials: {{AKIAMINE: {SECRET}}}\n": (2, "found an unknown key in 'credentials'"),
    f"{URL}{SECRET}: x\n": (2, "found an unknown key, expected one of"),
    f"{URL}{SECRET}: x\n{SECRET}: y\n": (3, "found a key again (first in line 2)"),
    f"{URL}? [{SECRET}]\n: x\n": (2, "found a mapping or list as a key"),
    f"{URL}credentials:\n  secret-access-key: *{SECRET}\n": (3, "found an alias, expected the text itself"),
    f"{URL}credentials:\n  secret-access-key: &{SECRET}\n": (3, "found an anchor, expected none"),
    f"{URL}credentials:\n  secret-access-key: !{SECRET}\n": (3, "found a tag, expected a plain value"),
    f"{URL}credentials:\n  secret-access-key: !!{SECRET} x\n": (3, "found a tag"),
    f"{URL}credentials:\n  secret-access-key: !{SECRET}! x\n": (3, "not YAML: did not find expected tag"),
    f"{URL}credentials:\n  secret-access-key: !{SECRET}!x y\n": (3, "not YAML: found undefined tag handle"),
    f"{URL}credentials:\n  secret-access-key: '{SECRET}\n": (4, "not YAML"),
    f"{URL}credentials:\n  secret-access-key: \"{SECRET}\\q\"\n": (3, "not YAML"),
    f"{URL}credentials:\n  secret-access-key: %{SECRET}\n": (3, "not YAML"),
    f"{URL}credentials:\n  secret-access-key: @{SECRET}\n": (3, "not YAML"),
    f"{URL}credentials:\n  secret-access-key: {SECRET}: x\n": (3, "not YAML"),
    f"{URL}credentials:\n  secret-access-key: a\n {SECRET}\n": (4, "not YAML"),
    f"{URL}%{SECRET} x\n---\n": (2, ""),
    f"{URL}provision: {SECRET}\n": (2, "'provision': found a text"),
    f"{URL}role-max-session-seconds: {SECRET}\n": (2, "'role-max-session-seconds': found a text"),
    f"{URL}policy-arns: [{SECRET}]\n": (2, "'policy-arns': found a list"),
    f"{URL}policy-arns: {SECRET}\n": (2, "'policy-arns': found a text"),
    f"{URL}name: [{SECRET}]\n": (2, "'name': found a list"),
    f"{URL}name: 123456789012345678\n": (2, "'name': found a number"),
    f"{URL}region: {SECRET}/\n": (2, "'region': is no region"),
    f"{URL}user: {{access-key-id: A, secret-access-key-from: {SECRET}}}\n": (
        2, "'user.secret-access-key-from': the environment variable named there is not set"
    ),
    f"{URL}user: {{access-key-id: A, secret-access-key-from: {SEED}}}\n": (2, "variable named there is not set"),
    f"{URL}user: {{{KEYS}, secret-access-key: \"{SECRET}\\r\\nX: y\"}}\n": (
        2, "'user.secret-access-key': holds a control character"
    ),
    f"{URL}user: {{{KEYS}, secret-access-key: x, session-token: \"{SECRET}\\r\\nX: y\"}}\n": (
        2, "'user.session-token': holds a space, a control character"
    ),
    f"{URL}root: {{access-key-id: \"{SECRET}\\n\", secret-access-key: x}}\n": (2, "'root.access-key-id': holds a"),
    f"{URL}second-account: {{access-key-id: {SECRET}\u00e9, secret-access-key: x}}\n": (
        2, "'second-account.access-key-id': holds a"
    ),
    f"{URL}fixtures: {SECRET}\n": (2, "'fixtures': found a text"),
    f"{URL}fixtures: {{{SECRET}: {{arn: x}}}}\n": (2, "'fixtures....': no case needs this"),
    f"{URL}fixtures: {{{SECRET}: x}}\n": (2, "'fixtures....': found a text"),
    f"{URL}fixtures: {{{SECRET}: {{}}}}\n": (2, "found no 'arn' in 'fixtures....'"),
    f"{URL}{FIXTURE}    mfa: {SEED}\n": (5, "'fixtures.user-0123abcd.mfa': found a text"),
    f"{URL}{FIXTURE}    mfa: {{serial-number: x, seed: [{SEED}]}}\n": (5, "mfa.seed': found a list"),
    f"{URL}{FIXTURE}    mfa: {{serial-number: x, {SEED}: x}}\n": (5, "found an unknown key in"),
    f"{URL}{FIXTURE}    secret-access-key: {{x: {SECRET}}}\n": (5, "found a mapping"),
    f"{URL}openid-provider: {{issuer: 'https://u:{SECRET}@x', key: none, key-id: k}}\n": (2, "no such file"),
    f"{URL}openid-provider: {{issuer: 'ftp://u:{SECRET}@x', key: k, key-id: k}}\n": (2, "expected the URL of an"),
    f"{URL}openid-provider: {{serve: 'https://u:{SECRET}@localhost:1'}}\n": (2, "expected a URL like"),
    f"{URL}openid-provider: {{serve: 'https://localhost:1', algorithm: {SECRET}}}\n": (2, "found a text, expected"),
    f"{URL}openid-provider: {{serve: 'https://localhost:1', thumbprint: {SECRET}}}\n": (2, "found a text, expected"),
    f"{URL}saml-provider: {{entity-id: x, key: \"-----BEGIN\\n{SECRET}\", certificate: c}}\n": (
        2, "'saml-provider.key': is no name of a file"
    ),
    f"{URL}saml-provider: {{entity-id: x, key: MIIE{SECRET * 3}, certificate: c}}\n": (2, "is no name of a file"),
}  # fmt: skip


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_told_without_the_secret(tmp_path: Path, text: str) -> None:
    line, words = MISTAKES[text]
    path = tmp_path / "x.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TargetError) as caught:
        resolve(str(path))
    told = str(caught.value)
    assert told.startswith(f"{path}:{line}: ")
    assert words in told
    assert not {SECRET[n : n + 6] for n in range(len(SECRET) - 5)} & {told[n : n + 6] for n in range(len(told))}
    assert SEED[:6] not in told
    assert "123456789" not in told.replace(str(path), "")
    assert "\n" not in told


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("provision: maybe", "'provision': found 'maybe', expected a valid boolean"),
        ("role-max-session-seconds: long", "'role-max-session-seconds': found 'long', expected a valid integer"),
        ("regoin: y", "found the unknown key 'regoin', expected 'region'"),
        ("credentials: {access-key-id: a, secret-acess-key: b}", "'credentials.secret-acess-key', expected"),
        ("name: x\nname: y", "found the key 'name' again (first in line 2)"),
        ("credentials: null\nuser: true", "'user': found true"),
    ],
)
def test_what_is_harmless_is_quoted(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(f"{URL}{text}\n", encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        read_target_file(path)
    assert words in str(caught.value)


def test_a_variable_is_named_if_it_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(f"{URL}user:\n  access-key-id: A\n  secret-access-key-from: MY_SECRET\n", encoding="utf-8")
    monkeypatch.delenv("MY_SECRET", raising=False)
    with pytest.raises(TargetError) as caught:
        resolve(str(path))
    assert str(caught.value) == (
        f"{path}:4: 'user.secret-access-key-from': the environment variable MY_SECRET is not set, "
        "expected a secret access key in it"
    )
    monkeypatch.setenv("MY_SECRET", f"{SECRET}\r\n")
    with pytest.raises(TargetError) as caught:
        resolve(str(path))
    assert str(caught.value).startswith(f"{path}:4: 'user.secret-access-key-from': the environment variable holds a")
    assert SECRET not in str(caught.value)


def test_no_repr_shows_a_secret(tmp_path: Path) -> None:
    keys = f"{{access-key-id: AKIAMINE, secret-access-key: {SECRET}, session-token: {SECRET}}}"
    fixture = f"{FIXTURE}    access-key-id: AKIAMINE\n    secret-access-key: {SECRET}\n"
    path = tmp_path / "x.yaml"
    accounts = "".join(f"{name}: {keys}\n" for name in ("credentials", "user", "root", "second-account"))
    path.write_text(f"{URL}{accounts}{fixture}    mfa: {{serial-number: x, seed: {SEED}}}\n", encoding="utf-8")
    file = read_target_file(path)
    assert file.fixtures["user-0123abcd"].mfa is not None
    assert file.fixtures["user-0123abcd"].mfa.seed == SEED
    path.write_text(f"{URL}{accounts}", encoding="utf-8")
    target = resolve(str(path))
    assert target.credentials.secret_access_key == SECRET
    supplied = SuppliedFixture("arn", "first", keys=Credentials("A", SECRET, SECRET), seed=SEED)
    for shown in (repr(file), str(file), repr(target), repr(supplied)):
        assert SECRET not in shown
        assert SEED not in shown


@pytest.mark.parametrize(
    ("text", "can_be"),
    [
        ("a", True),
        ("!~", True),
        ("a" * 32768, True),
        ("a" * 32769, False),
        ("", False),
        ("a b", False),
        ("a\n", False),
        ("\x7f", False),
        ("\u00e9", False),
        ("\u0661", False),
    ],
)
def test_what_a_header_can_carry(text: str, can_be: bool) -> None:
    assert sendable(text) is can_be


def test_what_a_parser_in_python_would_say_is_not_quoted() -> None:
    """Where libyaml is not built in, PyYAML parses itself, and quotes."""
    quoted = 0
    for text in MISTAKES:
        try:
            list(yaml.parse(text, Loader=yaml.SafeLoader))
        except yaml.MarkedYAMLError as error:
            problem = str(error.problem)
            quoted += SECRET in problem
            assert SECRET not in shown_problem(problem, secret=True)
            assert shown_problem(problem, secret=False) == problem
    assert quoted
    assert shown_problem("expected <block end>, but found '<scalar>'", secret=True).endswith("found '<scalar>'")
