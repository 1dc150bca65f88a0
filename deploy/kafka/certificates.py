"""Make an authority and certificates for Kafka: `certificates.py FOLDER --host kafka …`.

FOLDER gets `ca.pem` and `ca.key` (once: keep the key where no process reads it), `broker.pem` (key
and certificate of a broker, CN=kafka) and `client.pem` (key and certificate of a client, for
brokers that ask for one). A later call renews the two and keeps the authority.
"""

import argparse
import ipaddress
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
AUTHORITY_DAYS = 3650


def main() -> int:
    """Parse the command line, make the files, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--host", action="append", help="name or address of a broker; repeatable")
    parser.add_argument("--days", type=int, default=365, help="how long certificates are valid")
    args = parser.parse_args()
    if shutil.which("openssl") is None:
        print("certificates: openssl is not on the PATH: install it", file=sys.stderr)
        return 2
    make_authority(args.folder)
    hosts = args.host or ["kafka", "localhost", "127.0.0.1"]
    make_certificate(args.folder, "broker", "kafka", hosts, args.days)
    make_certificate(args.folder, "client", "marquee-client", [], args.days)
    print(f"{args.folder}: ca.pem, broker.pem for {', '.join(hosts)}, client.pem")
    return 0


def make_authority(folder: Path) -> None:
    """Make the key and the certificate of an authority, unless the folder has one."""
    # Containers read single files of it, each as a user of its own: the folder is closed, not they.
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    key, certificate = folder / "ca.key", folder / "ca.pem"
    if certificate.exists():
        return
    files = ["-keyout", str(key), "-out", str(certificate)]
    openssl(
        "req", "-x509", *KEY, "-subj", "/CN=Marquee Kafka", "-days", str(AUTHORITY_DAYS), *files
    )
    key.chmod(0o600)


def make_certificate(folder: Path, file: str, name: str, hosts: list[str], days: int) -> Path:
    """Make FOLDER/FILE.pem, a key and the certificate of the folder's authority for it.

    Args:
        folder: The folder with the authority.
        file: Name of the file, without its ending.
        name: The common name, by which a broker knows who shows the certificate.
        hosts: Names and addresses for which it holds.
        days: How long it is valid; negative: it has expired.
    """
    result = folder / f"{file}.pem"
    with tempfile.TemporaryDirectory() as made:
        work = Path(made)
        key, request, certificate, extra = (work / part for part in ("key", "csr", "crt", "ext"))
        extra.write_text(extensions(hosts))
        openssl("req", *KEY, "-subj", f"/CN={name}", "-keyout", str(key), "-out", str(request))
        authority = ["-CA", str(folder / "ca.pem"), "-CAkey", str(folder / "ca.key")]
        serial = ["-CAserial", str(work / "serial"), "-CAcreateserial"]
        files = ["-in", str(request), "-out", str(certificate), "-extfile", str(extra)]
        openssl("x509", "-req", *authority, *serial, *files, "-days", str(days))
        result.write_text(key.read_text() + certificate.read_text())
    return result


def extensions(hosts: list[str]) -> str:
    """Return the extensions of a certificate in the form of OpenSSL."""
    lines = ["basicConstraints=CA:FALSE", "extendedKeyUsage=serverAuth,clientAuth"]
    if hosts:
        lines.append("subjectAltName=" + ",".join(alternative_name(host) for host in hosts))
    return "\n".join(lines) + "\n"


def alternative_name(host: str) -> str:
    """Return a host as the subject's alternative name of a certificate."""
    try:
        return f"IP:{ipaddress.ip_address(host)}"
    except ValueError:
        return f"DNS:{host}"


def openssl(*arguments: str) -> None:
    """Run OpenSSL, which prints only its errors."""
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"certificates: openssl {arguments[0]} failed: {done.stderr.strip()}")


if __name__ == "__main__":
    sys.exit(main())
