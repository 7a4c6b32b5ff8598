"""How a caller is turned away. Nothing is told of what is there, or of how the caller might have got further."""

import grpc

from service_runtime.errors import ServiceError


class Unauthenticated(ServiceError):
    """It is not known who calls."""

    code = grpc.StatusCode.UNAUTHENTICATED


class CallerUnknown(Unauthenticated):
    """The call says not who makes it: send a token, as `authorization: Bearer ...`."""

    reason = "CALLER_UNKNOWN"


class TokenInvalid(Unauthenticated):
    """The token is none that is taken here."""

    reason = "TOKEN_INVALID"


class TokenExpired(Unauthenticated):
    """The token has expired: get a new one."""

    reason = "TOKEN_EXPIRED"


class CertificateUnknown(Unauthenticated):
    """The certificate is none of a service that may call here."""

    reason = "CERTIFICATE_UNKNOWN"


class NotPermitted(ServiceError):
    """The caller may not do this."""

    code = grpc.StatusCode.PERMISSION_DENIED
    reason = "NOT_PERMITTED"
