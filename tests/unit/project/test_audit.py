"""The audit finds what is planted in a small repository of its own, part by part."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PYTHON = ROOT / ".venv-audit" / "bin" / "python"
HASH = "--hash=sha256:" + "0" * 64
POLICY = """
[licences]
allowed = ["MIT", "Apache-2.0"]
allowed_for_tools = ["GPL-3.0-only"]
shipped = ["libs/common/requirements.txt"]
exempt = [{ package = "leftover", licence = "MIT", reason = "x" }]
[vulnerabilities]
[secrets]
exempt_kinds = [{ files = "tests/*", kinds = ["Secret Keyword"], reason = "x" }]
"""
# Put together here, so that the audit does not find them in this file.
OWN_KEY = "marquee_" + "0123456789ab" + "_" + "Zq7" * 14 + "x"
CLOUD_KEY = "AKIA" + "Q3EGRT7XWPL2MNBV"

pytestmark = pytest.mark.skipif(
    not PYTHON.exists() and os.environ.get("CI") != "true", reason="needs `make .venv-audit/READY`"
)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a policy, and nothing in it that is wrong."""
    write(tmp_path, "tests/audit/policy.toml", POLICY)
    write(tmp_path, "requirements-tools.txt", f"tool==1 \\\n    {HASH}\n")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def commit(root: Path) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "add", "-A"], cwd=root, check=True)
    subprocess.run(["git", *who, "commit", "-qm", "x"], cwd=root, check=True)


def audit(root: Path, *arguments: str) -> tuple[int, str]:
    command: list[str | Path] = [PYTHON, ROOT / "tests/audit/audit.py", "--root", root, *arguments]
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout


def test_a_secret_is_found_in_a_file_and_its_value_is_not_printed(repository: Path) -> None:
    write(repository, "deploy/key.py", f'key = "{OWN_KEY}"\n')
    write(repository, "deploy/cloud.yml", f"id: {CLOUD_KEY}\n")
    made_up = "password = " + '"kGh72' + 'xPq9w"\n'
    write(repository, "tests/test_a.py", made_up + f'key = "{OWN_KEY}"\n')
    write(repository, "libs/b.py", made_up)
    commit(repository)
    status, said = audit(repository, "secrets")
    assert status == 1
    assert "deploy/key.py:1: Marquee key" in said
    assert "deploy/cloud.yml:1: AWS Access Key" in said
    assert "libs/b.py:1: Secret Keyword" in said
    assert "tests/test_a.py:1:" not in said
    assert "tests/test_a.py:2: Marquee key" in said
    assert OWN_KEY not in said
    assert CLOUD_KEY not in said


def test_a_secret_that_was_taken_out_is_found_in_the_history(repository: Path) -> None:
    write(repository, "deploy/key.py", f'key = "{OWN_KEY}"\n')
    commit(repository)
    write(repository, "deploy/key.py", "key = read()\n")
    commit(repository)
    assert audit(repository, "secrets")[0] == 0
    status, said = audit(repository, "history")
    assert status == 1
    assert "history of deploy/key.py: Marquee key" in said


def test_every_licence_that_is_not_allowed_is_named(repository: Path) -> None:
    shipped = [
        f"{name}==1 {HASH}" for name in ("choice", "copyleft", "mixed", "silent", "unlisted")
    ]
    write(repository, "libs/common/requirements.txt", "\n".join(shipped))
    rows = {
        "choice": "GPL-3.0-only OR MIT",
        "copyleft": "GPL-3.0-only",
        "gone": "MIT",
        "mixed": "MIT AND LicenseRef-Proprietary",
        "silent": "unknown",
        "tool": "GPL-3.0-only",
    }
    table = "".join(f"{name},1,{licence},expression\n" for name, licence in rows.items())
    write(repository, "tests/audit/licences.csv", "package,version,licence,source\n" + table)
    status, said = audit(repository, "licences")
    assert status == 1
    assert "copyleft==1 has the licence GPL-3.0-only, which the policy does not allow" in said
    assert "mixed==1 has the licence MIT AND LicenseRef-Proprietary" in said
    assert "the metadata of silent==1 say no licence" in said
    assert "unlisted==1 is not in tests/audit/licences.csv" in said
    assert "gone==1 is in no lock" in said
    assert "no lock has leftover: remove its exception" in said
    assert "choice" not in said
    assert "tool" not in said


def test_a_lock_with_an_open_version_or_without_a_hash_is_refused(repository: Path) -> None:
    for line in (f"tool>=1 {HASH}", "tool==1"):
        write(repository, "requirements-tools.txt", line + "\n")
        status, said = audit(repository, "licences")
        assert status == 2
        assert "is not one version with a hash" in said


def test_an_exception_without_a_reason_is_refused(repository: Path) -> None:
    write(repository, "tests/audit/policy.toml", POLICY.replace('"x"', '" "'))
    status, said = audit(repository, "licences")
    assert status == 2
    assert "the exception for leftover has no reason" in said


def test_unsafe_code_and_a_loose_dockerfile_are_found(repository: Path) -> None:
    write(repository, "pyproject.toml", "[tool.bandit]\nskips = []\n")
    write(repository, "libs/a.py", "import os\n\nos.system(input())\n")
    write(repository, "services/a/Dockerfile", "FROM python:latest\nRUN sudo true\n")
    status, said = audit(repository, "code")
    assert status == 1
    assert "libs/a.py:3: B605" in said
    status, said = audit(repository, "dockerfiles")
    assert status == 1
    assert "services/a/Dockerfile:1: DL3007" in said


def test_a_bill_has_every_package_of_the_lock_with_its_licence(repository: Path) -> None:
    folders = json.loads(
        subprocess.check_output(
            [PYTHON, "-c", "import json, sbom; print(json.dumps(dict(sbom.LOCKS)))"],
            cwd=ROOT / "tests/audit",
        )
    )
    assert set(folders) == {
        str(path.parent.relative_to(ROOT))
        for pattern in ("libs/*", "services/*", "clients/*", "deploy/*")
        for path in ROOT.glob(f"{pattern}/pyproject.toml")
    }
    write(repository, "libs/common/marquee/__init__.py", '__version__ = "7.8.9"\n')
    write(
        repository,
        "tests/audit/licences.csv",
        "package,version,licence,source\ntool,1,MIT,licence\n",
    )
    for folder, lock in folders.items():
        name = folder.rpartition("/")[2]
        project = f'[project]\nname = "marquee-{name}"\nlicense = "Apache-2.0"\n'
        write(repository, f"{folder}/pyproject.toml", project)
        write(repository, lock, f"tool==1 {HASH}\nother==2 {HASH}\n")
    assert audit(repository, "sbom")[0] == 0
    bill = json.loads((repository / "reports/sbom/marquee-gateway.cdx.json").read_text())
    assert bill["metadata"]["component"]["version"] == "7.8.9"
    packages = {part["name"]: part for part in bill["components"]}
    assert {name: part["version"] for name, part in packages.items()} == {"tool": "1", "other": "2"}
    assert packages["tool"]["licenses"] == [{"license": {"id": "MIT"}}]
    assert packages["tool"]["purl"] == "pkg:pypi/tool@1"
    assert len(list((repository / "reports/sbom").iterdir())) == len(folders)


class Advisories(BaseHTTPRequestHandler):
    """The query of OSV: one advisory, on every version of the package `tool`."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        known = asked["package"]["name"] == "tool"
        body = json.dumps({"vulns": [ADVISORY]} if known else {}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


ADVISORY = {
    "id": "PYSEC-2026-1",
    "aliases": ["CVE-2026-0001"],
    "summary": "planted",
    "affected": [
        {
            "package": {"name": "tool", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2"}]}],
            "versions": ["1"],
        }
    ],
}


@contextmanager
def service() -> Iterator[str]:
    """Run the service; yield its options for pip-audit."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Advisories) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"--pip-audit=-s osv --osv-url http://127.0.0.1:{server.server_port}/v1/query"
        server.shutdown()


def test_a_vulnerable_pin_is_found_unless_it_is_excepted_with_a_reason(repository: Path) -> None:
    with service() as options:
        status, said = audit(repository, "vulnerabilities", options)
        assert status == 1
        assert "requirements-tools.txt: tool==1: PYSEC-2026-1, mended in 2" in said
        excepted = 'exempt = [{ id = "CVE-2026-0001", reason = "not reached" }]'
        policy = POLICY.replace("[vulnerabilities]", f"[vulnerabilities]\n{excepted}")
        write(repository, "tests/audit/policy.toml", policy)
        assert audit(repository, "vulnerabilities", options)[0] == 0
        write(repository, "requirements-tools.txt", f"other==1 {HASH}\n")
        status, said = audit(repository, "vulnerabilities", options)
        assert status == 1
        assert "nothing has CVE-2026-0001: remove its exception" in said


def test_a_service_that_is_away_is_no_success_unless_it_is_said(repository: Path) -> None:
    with service() as options:
        pass
    status, said = audit(repository, "vulnerabilities", options)
    assert status == 2
    assert "vulnerabilities: NOT CHECKED: pip-audit checked nothing" in said
    status, said = audit(repository, "vulnerabilities", options, "--without-vulnerabilities")
    assert status == 0
    assert "NOT CHECKED, as --without-vulnerabilities says" in said


def test_a_service_that_knows_no_package_is_no_success() -> None:
    unknown = {"name": "tool", "skip_reason": "Dependency not found on PyPI"}
    known = {"name": "other", "version": "1", "vulns": []}
    program = (
        "import json, sys, vulnerabilities as v;"
        "v.refuse_unknown('lock', json.loads(sys.argv[1]), '')"
    )

    def status(*packages: Mapping[str, object]) -> int:
        command: list[str | Path] = [PYTHON, "-c", program, json.dumps(packages)]
        return subprocess.run(command, cwd=ROOT / "tests/audit", stderr=sys.stdout).returncode

    assert status(unknown, known) == 0
    assert status(unknown, unknown) != 0
