"""Controls that no statement can decide: what to look at, by hand, on the server's machine."""

from __future__ import annotations

from workbench.areas.security.posture.model import Control

_INSTALLATION = "1 Installation and patches"
_FILES = "2 Directory and file permissions"
_ACCESS = "4 User access and authorization"
_LOGIN = "5 Connection and login"
_SETTINGS = "6 PostgreSQL settings"
_REPLICATION = "7 Replication"
_SPECIAL = "8 Special considerations"

_BY_HAND: tuple[tuple[str, str, str], ...] = (
    (
        _INSTALLATION,
        "Ensure packages are obtained from authorized repositories",
        "list the package's origin: apt-cache policy, dnf info",
    ),
    (
        _INSTALLATION,
        "Ensure systemd service files are enabled",
        "systemctl is-enabled of the server's service",
    ),
    (
        _INSTALLATION,
        "Verify that PGPASSWORD is not set in users' profiles or in use",
        "search profiles and /proc/*/environ of the machine for PGPASSWORD",
    ),
    (_FILES, "Ensure the file permissions mask is correct", "umask of the server's account: 077"),
    (
        _FILES,
        "Ensure the extension directory has appropriate ownership and permissions",
        "ls -ld of pg_config --sharedir/extension: root's, and nobody else writes",
    ),
    (_FILES, "Disable the command history of psql", "no .psql_history in the homes of administrators"),
    (
        _FILES,
        "Ensure passwords are not stored in the service file",
        "search pg_service.conf and ~/.pg_service.conf for password=",
    ),
    (
        _ACCESS,
        "Ensure sudo is configured correctly",
        "sudo -l -U of the server's account and of administrators",
    ),
    (
        _LOGIN,
        "Do not specify passwords on the command line",
        "ps of the machine and its scripts: no connection string with a password",
    ),
    (
        _SETTINGS,
        "Ensure a FIPS 140 validated OpenSSL library is used, where it is required",
        "openssl version, and /proc/sys/crypto/fips_enabled",
    ),
    (
        _REPLICATION,
        "Ensure base backups are configured and functional",
        "restore the last backup: workbench does not see the backup tool",
    ),
    (
        _SPECIAL,
        "Ensure subdirectories are placed outside of the data cluster",
        "log_directory, archive and tablespaces lie on other file systems than the data",
    ),
    (
        _SPECIAL,
        "Ensure the backup and restore tool is installed and configured",
        "pgbackrest check, barman check",
    ),
)


def by_hand() -> tuple[Control, ...]:
    """The controls of the CIS benchmark that are decided outside of the database."""
    return tuple(
        Control(
            section,
            title,
            "",
            "server",
            "not checkable",
            detail="it is decided outside of the database",
            helps=helps,
        )
        for section, title, helps in _BY_HAND
    )
