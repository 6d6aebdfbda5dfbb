"""Where the key-encryption keys are: one module a provider, each by its service's own client."""

from workbench.areas.security.encryption.providers.aws import AwsKms
from workbench.areas.security.encryption.providers.gcp import GcpKms
from workbench.areas.security.encryption.providers.local_file import LocalFile
from workbench.areas.security.encryption.providers.model import GeneratedKey, KeyProvider
from workbench.areas.security.encryption.providers.vault import VaultTransit

__all__ = ["AwsKms", "GcpKms", "GeneratedKey", "KeyProvider", "LocalFile", "VaultTransit"]
