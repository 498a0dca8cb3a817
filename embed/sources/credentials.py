"""In whose name object storage is asked: what is set in the environment, and the files of the command line tools.

Nobody is asked for credentials over a network that may not answer: a machine of the provider says by its hardware that it is one.
"""

import configparser
import os
from pathlib import Path

from embed.errors import InputError

VENDOR = Path("/sys/class/dmi/id/sys_vendor")
ENDPOINTS = (
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT",
    "AWS_ENDPOINT_URL_S3",
    "GOOGLE_BASE_URL",
    "AZURE_STORAGE_ENDPOINT",
)
S3, GOOGLE, AZURE = ("s3", "s3a"), ("gs",), ("az", "azure", "adl", "abfs", "abfss")

# Variables of which one is enough, for each kind of storage; what else is enough; and what to say where nothing is there.
_KNOWN = {
    S3: (
        (
            "AWS_ACCESS_KEY_ID",
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "AWS_SKIP_SIGNATURE",
        ),
        "Amazon EC2",
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run `aws configure`; AWS_SKIP_SIGNATURE=true"
        " reads what is public",
    ),
    GOOGLE: (
        (
            "GOOGLE_APPLICATION_CREDENTIALS",
            "GOOGLE_SERVICE_ACCOUNT",
            "GOOGLE_SERVICE_ACCOUNT_PATH",
            "GOOGLE_SERVICE_ACCOUNT_KEY",
            "GOOGLE_SKIP_SIGNATURE",
        ),
        "Google",
        "set GOOGLE_APPLICATION_CREDENTIALS to a key file, or run `gcloud auth application-default login`;"
        " GOOGLE_SKIP_SIGNATURE=true reads what is public",
    ),
    AZURE: (
        (
            "AZURE_STORAGE_ACCOUNT_KEY",
            "AZURE_STORAGE_ACCESS_KEY",
            "AZURE_STORAGE_SAS_KEY",
            "AZURE_STORAGE_SAS_TOKEN",
            "AZURE_CLIENT_ID",
            "AZURE_STORAGE_CLIENT_ID",
            "AZURE_FEDERATED_TOKEN_FILE",
            "AZURE_STORAGE_TOKEN",
            "AZURE_USE_AZURE_CLI",
            "AZURE_STORAGE_USE_EMULATOR",
            "AZURE_SKIP_SIGNATURE",
        ),
        "Microsoft Corporation",
        "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or AZURE_USE_AZURE_CLI=true after `az login`;"
        " AZURE_SKIP_SIGNATURE=true reads what is public",
    ),
}
_GCLOUD = Path("~/.config/gcloud/application_default_credentials.json")


def check_credentials(scheme: str, url: str) -> None:
    """Raise InputError where there are no credentials for a URL."""
    variables, vendor, advice = next(known for schemes, known in _KNOWN.items() if scheme in schemes)
    if any(os.environ.get(name) for name in variables) or _is_machine_of(vendor):
        return
    if (scheme in S3 and _profile()) or (scheme in GOOGLE and _GCLOUD.expanduser().is_file()):
        return
    raise InputError(f"There are no credentials for {url}: {advice}.")


def settings(scheme: str) -> dict[str, str] | None:
    """Return what the files of the command line tools say, where the environment does not; None where that is nothing."""
    if scheme not in S3:
        return None
    found = {}
    if not os.environ.get("AWS_ACCESS_KEY_ID"):
        found = {
            name: value
            for name in (
                "aws_access_key_id",
                "aws_secret_access_key",
                "aws_session_token",
                "region",
                "endpoint_url",
            )
            if (value := _profile().get(name))
        }
    named = {name.removeprefix("aws_"): value for name, value in found.items() if name.startswith("aws_")}
    if "session_token" in named:
        named["token"] = named.pop("session_token")
    if "region" in found and not (os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")):
        named["region"] = found["region"]
    if "endpoint_url" in found and not (os.environ.get("AWS_ENDPOINT_URL") or os.environ.get("AWS_ENDPOINT")):
        named["endpoint"] = found["endpoint_url"]
    return named or None


def storage_options(url: str) -> dict[str, str]:
    """Return what a library for object storage is to be told beside what it finds in the environment.

    Raises
    ------
    InputError
        There are no credentials.
    """
    scheme = url.partition("://")[0].lower()
    check_credentials(scheme, url)
    found = settings(scheme) or {}
    return {**found, "allow_http": str(is_plain(found)).lower()}


def is_plain(found: dict[str, str] | None) -> bool:
    """Return whether the user names a server without TLS."""
    named = [os.environ.get(name, "") for name in ENDPOINTS] + [(found or {}).get("endpoint", "")]
    return any(endpoint.startswith("http://") for endpoint in named) or bool(
        os.environ.get("AZURE_STORAGE_USE_EMULATOR")
    )


def _profile() -> dict[str, str]:
    """Return what the files of ``aws configure`` say of the profile that is asked for, or of the default one."""
    name = os.environ.get("AWS_PROFILE") or "default"
    files = (
        (
            os.environ.get("AWS_CONFIG_FILE") or "~/.aws/config",
            f"profile {name}" if name != "default" else name,
        ),
        (os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials", name),
    )
    found: dict[str, str] = {}
    for file, section in files:
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read(Path(file).expanduser(), "utf-8")
        except (configparser.Error, OSError, UnicodeDecodeError):
            continue
        if parser.has_section(section):
            found |= dict(parser.items(section))
    return found if found.get("aws_access_key_id") else {}


def _is_machine_of(vendor: str) -> bool:
    """Return whether this is a virtual machine of a provider, which knows in whose name it runs."""
    if os.environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true" and vendor == "Amazon EC2":
        return False
    try:
        return VENDOR.read_text("utf-8", "replace").strip() == vendor
    except OSError:
        return False
