"""A Key Vault's secrets ("Azure Key Vault REST API reference", Secrets, api-version 7.4 and later)."""

import json
import re
import time
import uuid
from urllib.parse import quote

NAME = re.compile(r"[0-9A-Za-z-]{1,127}")
VERSIONS = ("7.4", "7.5", "7.6", "2025-07-01", "2026-04-01")
# "Azure Key Vault service limits" and "About Azure Key Vault secrets".
LONGEST_VALUE = 25 * 1024
LONGEST_TYPE = 255
MOST_TAGS = 15
LONGEST_TAG = 512
RECOVERY = 90 * 24 * 3600


class Refused(Exception):
    """An error of the service: status, code, words, and the inner code."""


def not_found(name):
    return Refused(404, "SecretNotFound", f"A secret with (name/id) {name} was not found in this key vault.")


class Vault:
    """The secrets of one vault: versions by name, and the deleted ones apart."""

    def __init__(self, origin, tenant):
        self.origin = origin
        self.secrets = {}
        self.deleted = {}
        self.challenge_resource = "https://vault.azure.net"
        self.challenge_authority = f"{origin}/{tenant}"
        # The resource that tokens have to be for.
        self.resource = "https://vault.azure.net"
        # What the caller's role allows, in the words of an access policy; none is everything.
        self.permissions = None
        # How many requests for a deleted secret are answered as the service does while it still deletes: by 409, or by 404
        # as for any secret that is not deleted.
        self.is_slow_to_delete = 0
        self.status_while_deleting = 409
        # What becomes of new secrets that are deleted ("DeletionRecoveryLevel").
        self.recovery_level = "Recoverable+Purgeable"
        # The most items of one page, where it is smaller than what was asked for.
        self.page = 25
        self.clock = 0

    def refuse_token(self, authorization, entra):
        """The answer to a request whose token is missing or not accepted; none where it is."""
        challenge = f'Bearer authorization="{self.challenge_authority}", resource="{self.challenge_resource}"'
        if authorization is None:
            words = "AKV10000: Request is missing a Bearer or PoP token."
        elif entra.claims(authorization.removeprefix("Bearer "), self.resource) is None:
            words = "AKV10032: Invalid issuer, audience or lifetime."
            challenge += ', error="invalid_token"'
        else:
            return None
        return 401, {"WWW-Authenticate": challenge}, {"error": {"code": "Unauthorized", "message": words}}

    def answer(self, method, path, query, body):
        """What an authenticated request gets."""
        try:
            if query.get("api-version") not in VERSIONS:
                raise Refused(400, "BadParameter", "api-version must be specified")
            return self.route(method, [part for part in path.split("/") if part], query, body)
        except Refused as refused:
            status, code, words, *inner = refused.args
            error = {"code": code, "message": words}
            if inner:
                error["innererror"] = {"code": inner[0]}
            return status, {}, {"error": error}

    def route(self, method, parts, query, body):
        # The words that are actions are known in any case.
        if method == "POST" and parts[-1:] and parts[-1].lower() in ("backup", "restore", "recover"):
            parts = [*parts[:-1], parts[-1].lower()]
        rooms = {"secrets": self.on_secrets, "deletedsecrets": self.on_deleted}
        if parts and parts[0] in rooms:
            return rooms[parts[0]](method, parts[1:], query, body)
        # The same token opens keys and certificates; what they hold is of no interest here.
        if parts and parts[0] in ("keys", "certificates") and method == "GET":
            return 200, {}, {"key": {"kid": f"{self.origin}/{'/'.join(parts)}", "kty": "RSA"}}
        raise Refused(404, "NotFound", "There is no such resource.")

    def allow(self, permission):
        if self.permissions is not None and permission not in self.permissions:
            raise Refused(403, "Forbidden", f"The user does not have secrets {permission} permission.", "AccessDenied")

    def on_secrets(self, method, parts, query, body):
        match method, parts:
            case "GET", []:
                self.allow("list")
                return self.page_of("secrets", query, sorted(self.secrets), self.item)
            case "POST", ["restore"]:
                self.allow("restore")
                return 200, {}, {"id": f"{self.origin}/secrets/restored"}
            case "PUT", [name]:
                self.allow("set")
                return self.set(name, self.object(body))
            case "DELETE", [name]:
                self.allow("delete")
                return self.delete(name)
            case "POST", [name, "backup"]:
                self.allow("backup")
                self.versions(name)
                return 200, {}, {"value": "YmFja3Vw"}
            case "GET", [name, "versions"]:
                self.allow("list")
                versions = self.secrets.get(name, {})
                bundle = lambda version: self.bundle(name, versions[version], False)
                # In no order of time: the service promises none.
                return self.page_of(f"secrets/{name}/versions", query, sorted(versions), bundle)
            case "GET", [name] | [name, _]:
                self.allow("get")
                version = self.version(name, parts[1] if len(parts) > 1 else None)
                if not version["attributes"]["enabled"]:
                    words = "Operation get is not allowed on a disabled secret."
                    raise Refused(403, "Forbidden", words, "SecretDisabled")
                return 200, {}, self.bundle(name, version, True)
            case "PATCH", [name] | [name, _]:
                self.allow("set")
                version = self.version(name, parts[1] if len(parts) > 1 else None)
                self.change(version, self.object(body))
                return 200, {}, self.bundle(name, version, False)
        raise Refused(405, "NotSupported", "The method is not supported here.")

    def on_deleted(self, method, parts, query, _):
        match method, parts:
            case "GET", []:
                self.allow("list")
                return self.page_of("deletedsecrets", query, sorted(self.deleted), self.deleted_item)
            case "GET", [name]:
                self.allow("get")
                self.still_there(name)
                return 200, {}, self.deleted_item(name)
            case "POST", [name, "recover"]:
                self.allow("recover")
                self.still_there(name)
                self.secrets[name] = self.deleted.pop(name)["versions"]
                return 200, {}, self.bundle(name, self.version(name, None), False)
            case "DELETE", [name]:
                self.allow("purge")
                self.still_there(name)
                if not self.recovery_level.endswith("Purgeable"):
                    raise Refused(403, "Forbidden", "Operation \"purge\" is not allowed because purge protection is enabled.")
                del self.deleted[name]
                return 204, {}, None
        raise Refused(405, "NotSupported", "The method is not supported here.")

    def still_there(self, name):
        if name not in self.deleted:
            raise not_found(name)
        if self.is_slow_to_delete > 0:
            self.is_slow_to_delete -= 1
            if self.status_while_deleting == 404:
                raise not_found(name)
            raise Refused(409, "Conflict", f"Secret {name} is currently being deleted.", "ObjectIsBeingDeleted")

    @staticmethod
    def object(body):
        try:
            found = json.loads(body)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise Refused(400, "BadParameter", "The request body is missing or no JSON object.")
        return found

    def versions(self, name):
        if name not in self.secrets:
            raise not_found(name)
        return self.secrets[name]

    def version(self, name, version):
        versions = self.versions(name)
        if version is None:
            return max(versions.values(), key=lambda one: one["order"])
        if version not in versions:
            raise not_found(f"{name}/{version}")
        return versions[version]

    def set(self, name, given):
        if not NAME.fullmatch(name):
            raise Refused(400, "BadParameter", f"The request URI contains an invalid name: {name}")
        value = given.get("value")
        if not isinstance(value, str):
            raise Refused(400, "BadParameter", "Property value is required.")
        if len(value.encode()) > LONGEST_VALUE:
            raise Refused(400, "BadParameter", f"The value is too large; it has at most {LONGEST_VALUE} bytes.")
        if name in self.deleted:
            words = f"Secret {name} is currently in a deleted but recoverable state, and its name cannot be reused."
            raise Refused(409, "Conflict", words, "ObjectIsDeletedButRecoverable")
        self.clock += 1
        now = int(time.time())
        version = {
            "version": uuid.uuid4().hex,
            "order": self.clock,
            "value": value,
            "tags": {},
            "contentType": None,
            "attributes": {"enabled": True, "created": now, "updated": now, "recoveryLevel": self.recovery_level, "recoverableDays": 90},
        }
        self.change(version, given)
        self.secrets.setdefault(name, {})[version["version"]] = version
        return 200, {}, self.bundle(name, version, True)

    @staticmethod
    def change(version, given):
        """What is given replaces what is there, as a whole for the tags; what is not given stays."""
        tags = given.get("tags")
        if tags is not None:
            long = any(len(text) > LONGEST_TAG for pair in tags.items() for text in pair)
            if len(tags) > MOST_TAGS or long:
                raise Refused(400, "BadParameter", "There are too many tags, or too long ones.")
            version["tags"] = tags
        kind = given.get("contentType")
        if kind is not None:
            if len(kind) > LONGEST_TYPE:
                raise Refused(400, "BadParameter", "The content type is too long.")
            version["contentType"] = kind
        known = {name: value for name, value in (given.get("attributes") or {}).items() if name in ("enabled", "nbf", "exp")}
        version["attributes"] |= known | {"updated": int(time.time())}

    def bundle(self, name, version, with_value):
        found = {
            "id": f"{self.origin}/secrets/{name}/{version['version']}",
            "attributes": version["attributes"],
            "tags": version["tags"],
        }
        if version["contentType"] is not None:
            found["contentType"] = version["contentType"]
        if with_value:
            found["value"] = version["value"]
        return found

    def item(self, name):
        return self.bundle(name, self.version(name, None), False) | {"id": f"{self.origin}/secrets/{name}"}

    def delete(self, name):
        versions = self.versions(name)
        now = int(time.time())
        self.deleted[name] = {"versions": versions, "deletedDate": now, "scheduledPurgeDate": now + RECOVERY}
        del self.secrets[name]
        return 200, {}, self.deleted_item(name)

    def deleted_item(self, name):
        deleted = self.deleted[name]
        newest = max(deleted["versions"].values(), key=lambda one: one["order"])
        return self.bundle(name, newest, False) | {
            "recoveryId": f"{self.origin}/deletedsecrets/{name}",
            "deletedDate": deleted["deletedDate"],
            "scheduledPurgeDate": deleted["scheduledPurgeDate"],
        }

    def fill(self, count):
        """Makes as many secrets, faster than one request for each would."""
        for number in range(count):
            self.set(f"many-{number:05}", {"value": "x"})

    def page_of(self, path, query, keys, item):
        asked = int(query.get("maxresults", "25"))
        if not 1 <= asked <= 25:
            raise Refused(400, "BadParameter", "maxresults has to be 1 to 25.")
        size = min(asked, self.page)
        token = query.get("$skiptoken", "")
        # The real ones are longer and as opaque, with letters that have to be escaped in a query.
        if token and not token.startswith("eyJOZXh0/+="):
            raise Refused(400, "BadParameter", "The skip token is invalid.")
        at = int(token.removeprefix("eyJOZXh0/+=") or 0)
        after = at + size
        link = None
        if after < len(keys):
            link = f"{self.origin}/{path}?api-version={query['api-version']}"
            link += f"&$skiptoken={quote('eyJOZXh0/+=' + str(after), safe='')}&maxresults={asked}"
        return 200, {}, {"value": [item(key) for key in keys[at:after]], "nextLink": link}
