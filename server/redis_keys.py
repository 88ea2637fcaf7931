"""The keys that encrypt what goes through Redis."""

from django.utils.crypto import salted_hmac


def channel_layer_keys(*secrets: str) -> list[str]:
    """Return channels_redis' `symmetric_encryption_keys`, in the order of Django's `secrets`.

    They are the layer's own: one that leaks opens nothing else. The first one encrypts, the others
    open what was encrypted before a change of SECRET_KEY.
    """
    salt = "server.redis_keys"
    return [salted_hmac(salt, "", secret, algorithm="sha256").hexdigest() for secret in secrets]
