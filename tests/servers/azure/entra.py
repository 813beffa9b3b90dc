"""The endpoint of Entra ID that gives tokens to applications (RFC 6749, section 4.4), checked by PyJWT and cryptography.

Assertions: RFC 7523, "Microsoft identity platform application authentication certificate credentials", and "Workload
identity federation". Errors: "Microsoft Entra authentication and authorization error codes".
"""

import time
import uuid
from base64 import urlsafe_b64encode
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
EXCHANGE = "api://AzureADTokenExchange"
# The resources that tokens are given for, in each cloud.
RESOURCES = ("https://vault.azure.net", "https://vault.azure.cn", "https://vault.usgovcloudapi.net")


class Refused(Exception):
    """An error of the endpoint: status, OAuth's name for it, Entra's number, words."""


class Entra:
    """One tenant and its applications."""

    def __init__(self, origin, configuration):
        self.origin = origin
        self.tenant = configuration["tenant"]
        self.applications = {application["id"]: application for application in configuration["applications"]}
        self.signer = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        # For how many seconds a token counts.
        self.life = 3599
        # The tokens that count, and the assertions that were used.
        self.known = set()
        self.used = set()
        # What the endpoint answers in place of everything, as `[status, body]`.
        self.answer_instead = None

    def answer(self, method, path, query, headers, body):
        """What a path of the login's answers, or none for any other path."""
        parts = path.strip("/").split("/")
        if method == "GET" and parts[1:] == ["v2.0", ".well-known", "openid-configuration"]:
            base = f"{self.origin}/{parts[0]}"
            return 200, {}, {
                "issuer": f"{base}/v2.0",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "jwks_uri": f"{base}/discovery/v2.0/keys",
                "response_types_supported": ["code"],
            }
        if method == "GET" and parts == ["metadata", "identity", "oauth2", "token"]:
            return self.identity(query, headers)
        if method != "POST" or parts[1:] != ["oauth2", "v2.0", "token"]:
            return None
        if self.answer_instead is not None:
            return self.answer_instead[0], {}, self.answer_instead[1]
        try:
            return 200, {}, self.token(parts[0], self.form(headers, body))
        except Refused as refused:
            status, name, code, words = refused.args
            return status, {}, {
                "error": name,
                "error_description": f"AADSTS{code}: {words} Trace ID: {uuid.uuid4()}",
                "error_codes": [code],
                "timestamp": time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime()),
                "trace_id": str(uuid.uuid4()),
                "correlation_id": str(uuid.uuid4()),
                "error_uri": f"{self.origin}/error?code={code}",
            }

    def identity(self, query, headers):
        """The identity of a virtual machine ("How to use managed identities on an Azure VM to acquire an access token")."""
        if headers.get("metadata") != "true":
            return 400, {}, {"error": "bad_request_102", "error_description": "Required metadata header not specified"}
        application = next(iter(self.applications.values()))
        if query.get("client_id", application["id"]) != application["id"] or query.get("resource") not in RESOURCES:
            return 400, {}, {"error": "invalid_request", "error_description": "Identity not found"}
        token = self.issue(application, query["resource"])
        # All of it as texts, as the real one writes it.
        return 200, {}, {
            "access_token": token["access_token"],
            "expires_in": str(self.life),
            "expires_on": str(int(time.time()) + self.life),
            "resource": query["resource"],
            "token_type": "Bearer",
        }

    @staticmethod
    def form(headers, body):
        if headers.get("content-type", "").split(";")[0] != "application/x-www-form-urlencoded":
            raise Refused(400, "invalid_request", 900144, "The request body must be a form.")
        fields = parse_qs(body.decode(), keep_blank_values=True)
        if any(len(values) > 1 for values in fields.values()):
            raise Refused(400, "invalid_request", 9000411, "A parameter is duplicated.")
        return {name: values[0] for name, values in fields.items()}

    def token(self, tenant, form):
        if tenant != self.tenant:
            raise Refused(400, "invalid_request", 90002, f"Tenant '{tenant}' not found.")
        if form.get("grant_type") != "client_credentials":
            raise Refused(400, "unsupported_grant_type", 70003, "The grant type is not supported.")
        application = self.applications.get(form.get("client_id"))
        if application is None:
            raise Refused(400, "unauthorized_client", 700016, "Application was not found in the directory.")
        resource = form.get("scope", "").removesuffix("/.default")
        if not form.get("scope", "").endswith("/.default"):
            raise Refused(400, "invalid_scope", 1002012, "The provided value for scope is not valid.")
        if resource not in RESOURCES:
            raise Refused(400, "invalid_resource", 500011, "The resource principal was not found in the tenant.")
        self.check(application, form)
        return self.issue(application, resource)

    def check(self, application, form):
        if "client_assertion" in form:
            if form.get("client_assertion_type") != ASSERTION:
                raise Refused(400, "invalid_request", 900144, "The client assertion type is not supported.")
            self.check_assertion(application, form["client_assertion"])
        elif "client_secret" not in form:
            raise Refused(401, "invalid_client", 7000218, "The body must contain 'client_assertion' or 'client_secret'.")
        elif form["client_secret"] == application.get("expired_secret"):
            raise Refused(401, "invalid_client", 7000222, "The provided client secret keys are expired.")
        elif form["client_secret"] != application.get("secret"):
            raise Refused(401, "invalid_client", 7000215, "Invalid client secret provided.")

    def check_assertion(self, application, assertion):
        try:
            header = jwt.get_unverified_header(assertion)
        except jwt.InvalidTokenError:
            raise Refused(400, "invalid_request", 50027, "JWT token is invalid or malformed.") from None
        federated = application.get("federated")
        by_print = self.certificates(application)
        thumbprint = header.get("x5t#S256") or header.get("x5t")
        if thumbprint is not None:
            # MSAL for Python writes the padding, which base64url of JWTs doesn't have.
            thumbprint = thumbprint.rstrip("=")
            if thumbprint not in by_print:
                raise Refused(401, "invalid_client", 700027, "The certificate with this thumbprint is not registered.")
            key, algorithms = by_print[thumbprint], ["RS256", "PS256"]
            # The token endpoint itself is the audience, and issuer and subject are the application.
            audience, issuer, subject = f"{self.origin}/{self.tenant}/oauth2/v2.0/token", application["id"], application["id"]
            required = ["exp", "iat", "iss", "sub", "aud", "jti"]
        elif federated is not None:
            key, algorithms = load_pem_public_key(federated["key"].encode()), ["RS256", "ES256", "EdDSA"]
            audience, issuer, subject = EXCHANGE, federated["issuer"], federated["subject"]
            required = ["exp", "iss", "sub", "aud"]
        else:
            raise Refused(400, "invalid_request", 70025, "The client has no configured federated identity credentials.")
        try:
            claims = jwt.decode(
                assertion, key, algorithms=algorithms, audience=audience, issuer=issuer, options={"require": required}
            )
        except (jwt.ExpiredSignatureError, jwt.ImmatureSignatureError):
            raise Refused(401, "invalid_client", 700024, "Client assertion is not within its valid time range.") from None
        except jwt.InvalidAudienceError:
            raise Refused(401, "invalid_client", 700023, "Client assertion audience claim does not match.") from None
        except jwt.InvalidTokenError:
            raise Refused(401, "invalid_client", 700027, "Client assertion failed signature validation.") from None
        if claims["sub"] != subject:
            raise Refused(401, "invalid_client", 700213, "No matching federated identity record found for the subject.")
        if thumbprint is not None:
            if claims["exp"] - claims.get("nbf", claims["iat"]) > 600 or claims["jti"] in self.used:
                raise Refused(401, "invalid_client", 700024, "The assertion lives too long, or was used before.")
            self.used.add(claims["jti"])

    @staticmethod
    def certificates(application):
        """Public keys of the application's certificates by their thumbprints, SHA-1 and SHA-256."""
        found = {}
        for pem in application.get("certificates", []):
            certificate = load_pem_x509_certificate(pem.encode())
            for algorithm in (hashes.SHA1(), hashes.SHA256()):
                print_of = urlsafe_b64encode(certificate.fingerprint(algorithm)).decode().rstrip("=")
                found[print_of] = certificate.public_key()
        return found

    def issue(self, application, resource):
        now = int(time.time())
        claims = {
            "aud": resource,
            "iss": f"https://sts.windows.net/{self.tenant}/",
            "iat": now,
            "nbf": now,
            "exp": now + self.life,
            "appid": application["id"],
            "oid": application["object_id"],
            "sub": application["object_id"],
            "tid": self.tenant,
            "uti": str(uuid.uuid4()),
            "ver": "1.0",
        }
        text = jwt.encode(claims, self.signer, algorithm="RS256", headers={"kid": "tests"})
        self.known.add(text)
        return {"token_type": "Bearer", "expires_in": self.life, "ext_expires_in": self.life, "access_token": text}

    def claims(self, token, resource):
        """What a token says, where it is one of this tenant's for the resource, and not over; else none."""
        try:
            claims = jwt.decode(token, self.signer.public_key(), algorithms=["RS256"], audience=resource)
        except jwt.InvalidTokenError:
            return None
        return claims if token in self.known and claims["tid"] == self.tenant else None
