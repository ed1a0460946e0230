"""Encryption of what is kept: AES-GCM under one of several keys, bound to the place that it is kept at. Nothing about stores."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from graph_memory.errors import ConfigurationError, StoreError
from graph_memory.urls import extra

Key = str | bytes
"""16, 24 or 32 bytes, or text that is their base64."""

_NONCE_BYTES = 12
_SIZES = (16, 24, 32)


def new_key() -> str:
    """A new random key of 256 bits, as text for a secret store or an environment variable."""
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


class Keyring:
    """Keys by what they are called: a part of their hash, so that nobody has to name them.

    Args:
        keys: one, or several: the first seals, all of them open.

    Attributes:
        names: what the keys are called, in the same order.

    Raises:
        ConfigurationError: there is none, or one is no key.
        MissingExtraError: `cryptography` is not installed.
    """

    def __init__(self, keys: Key | Sequence[Key]) -> None:
        with extra("Encryption", "encryption"):
            from cryptography.exceptions import InvalidTag
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        some = [keys] if isinstance(keys, str | bytes) else list(keys)
        if not some:
            raise ConfigurationError("encryption needs a key: make one with graph_memory.new_key()")
        raw = [_raw(key) for key in some]
        self._ciphers = {sha256(b"graph_memory" + key).hexdigest()[:8]: AESGCM(key) for key in raw}
        self.names = tuple(self._ciphers)
        self._invalid: type[Exception] = InvalidTag

    def seal(self, data: bytes, about: bytes) -> tuple[str, bytes]:
        """What a key is called, and the sealed data. It opens only with the same `about`, which is not in it."""
        nonce = os.urandom(_NONCE_BYTES)
        return self.names[0], nonce + self._ciphers[self.names[0]].encrypt(nonce, data, about)

    def open(self, name: str, sealed: bytes, about: bytes) -> bytes:
        """The data.

        Raises:
            StoreError: the key is not among these, or what is there was not sealed with it for this place.
        """
        if name not in self._ciphers:
            raise StoreError(
                f"what is stored was encrypted with the key {name!r}, which is not among the keys given: add it"
            )
        try:
            return self._ciphers[name].decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], about)
        except (self._invalid, ValueError) as exc:
            raise StoreError("what is stored cannot be decrypted: it was changed, or moved from another place") from exc


class Cipher:
    """A keyring as LangGraph's `EncryptedSerializer` takes it."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
        """The key's name and the sealed data."""
        return self._keyring.seal(plaintext, b"checkpoint")

    def decrypt(self, ciphername: str, ciphertext: bytes) -> bytes:
        """The data."""
        return self._keyring.open(ciphername, ciphertext, b"checkpoint")


def serializer(keys: Key | Sequence[Key]) -> Any:
    """A serializer for checkpointers that encrypts with the same keys."""
    from langgraph.checkpoint.serde.encrypted import EncryptedSerializer

    return EncryptedSerializer(Cipher(Keyring(keys)))


def _raw(key: Key) -> bytes:
    raw = key
    if isinstance(key, str):
        try:
            raw = base64.b64decode(
                key.strip().replace("+", "-").replace("/", "_").encode(), altchars=b"-_", validate=True
            )
        except (binascii.Error, UnicodeEncodeError):
            raw = b""
    if not isinstance(raw, bytes) or len(raw) not in _SIZES:
        raise ConfigurationError(
            "an encryption key is 16, 24 or 32 random bytes, or their base64: make one with graph_memory.new_key()"
        )
    return raw
