"""Values encrypted by the application: who reads the database, its log or its backups has ciphertext."""

from workbench.areas.security.encryption.blind_index import BlindIndex
from workbench.areas.security.encryption.column import ColumnCipher
from workbench.areas.security.encryption.errors import (
    EncryptionError,
    KeyFileRefused,
    KeyUnavailable,
    NonceBudgetSpent,
    ValueRefused,
)
from workbench.areas.security.encryption.existing import Encrypted, encrypt_column, reencrypt_column
from workbench.areas.security.encryption.key_table import KeyTable
from workbench.areas.security.encryption.keyring import Keyring

__all__ = [
    "BlindIndex",
    "ColumnCipher",
    "Encrypted",
    "EncryptionError",
    "KeyFileRefused",
    "KeyTable",
    "KeyUnavailable",
    "Keyring",
    "NonceBudgetSpent",
    "ValueRefused",
    "encrypt_column",
    "reencrypt_column",
]
