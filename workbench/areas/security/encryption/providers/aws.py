"""AWS Key Management Service, by boto3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workbench.areas.security.encryption.errors import KeyUnavailable
from workbench.areas.security.encryption.providers.clients import client_library
from workbench.areas.security.encryption.providers.model import GeneratedKey


class AwsKms:
    """A provider whose wrapping key *key* (an id, ARN or alias) never leaves AWS KMS.

    Login and region are boto3's own affair (environment, profile, role); *options* go to its client, such
    as ``region_name`` or ``endpoint_url``. The context is the service's encryption context, which stands in
    clear in CloudTrail. Raises FeatureUnavailable without boto3.

    Tested through the real client against moto's KMS over HTTP, not against AWS.
    """

    name = "AWS KMS"

    def __init__(self, key: str, **options: Any) -> None:
        self._errors = client_library("botocore.exceptions", self.name)
        self._client = client_library("boto3", self.name).client("kms", **options)
        self.key_id = key

    def generate(self, context: Mapping[str, str]) -> GeneratedKey:
        made = self._call(
            "generate_data_key", KeyId=self.key_id, KeySpec="AES_256", EncryptionContext=_filled(context)
        )
        return GeneratedKey(made["Plaintext"], made["CiphertextBlob"], made["KeyId"])

    def wrap(self, plain: bytes, context: Mapping[str, str]) -> tuple[bytes, str]:
        made = self._call("encrypt", KeyId=self.key_id, Plaintext=plain, EncryptionContext=_filled(context))
        return made["CiphertextBlob"], made["KeyId"]

    def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        # the blob names its key, which may be a former one; what came out is compared with the key's id
        opened = self._call("decrypt", CiphertextBlob=wrapped, EncryptionContext=_filled(context))
        return bytes(opened["Plaintext"])

    def destroy(self, key_id: str) -> str:
        own = key_id.rpartition(":key/")[2]  # neither operation reaches another account, so the id will do
        self._call("disable_key", KeyId=own)
        planned = self._call("schedule_key_deletion", KeyId=own, PendingWindowInDays=7)
        return (
            f"unusable at once, deleted by the service on {planned['DeletionDate']:%Y-%m-%d} unless cancelled"
        )

    def _call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        try:
            return dict(getattr(self._client, operation)(**arguments))
        except (self._errors.ClientError, self._errors.BotoCoreError) as exc:
            said = getattr(exc, "response", {}).get("Error", {}).get("Code", type(exc).__name__)
            raise KeyUnavailable(f"{self.name}, {operation}: {said}") from None

    def __repr__(self) -> str:
        return f"AwsKms({self.key_id!r})"


def _filled(context: Mapping[str, str]) -> dict[str, str]:
    """The service takes no empty values."""
    return {name: value for name, value in context.items() if value}
