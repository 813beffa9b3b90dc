"""Google Cloud on this machine: drongo behind a front that checks tokens, which Authlib's RFC 7523 grant issues.

The front does what drongo leaves out (it checks no token, ignores page sizes and knows no checksum), by Google's own
documents: "Secret Manager API, REST" and "Using OAuth 2.0 for Server to Server Applications".
"""

import base64
import json
import os
import sys
import threading
import time

import authlib.oauth2.rfc7523
from authlib.integrations.flask_oauth2 import AuthorizationServer
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from drongo.core import registry
from drongo.core.responses import BaseResponse
from drongo.server import _RequestShim
from flask import Flask, Response, jsonify, request

import drongo.services.secretmanager  # noqa: F401 (it registers itself)

DIRECTORY, PORT = sys.argv[1], int(sys.argv[2])
ORIGIN = f"http://127.0.0.1:{PORT}"
EMAIL = "forge@my-project.iam.gserviceaccount.com"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"

key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PRIVATE = key.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
PUBLIC = key.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
).decode()

app = Flask("google")
lock = threading.Lock()
tokens = {}
annotations = {}
etags = {}
# What the tests ask of the front: `forget_after` so many requests all tokens, `life` is how long new ones live, `tamper`
# with what is read or written, `fill` puts so many secrets of one version there, `throttle` so many requests without looking
# at them, `race` lets somebody else make each secret, without tags, just before it is made, `denied` is how the requests
# begin and end that no role allows.
state = {"life": 3599, "issued": 0, "requests": [], "tamper": "", "audience": "", "forget_after": 0, "throttle": 0, "race": False, "denied": None}


class Client:
    client_id = EMAIL

    def check_grant_type(self, grant_type):
        return True

    def get_allowed_scope(self, scope):
        return scope if scope == SCOPE else ""


class Grant(authlib.oauth2.rfc7523.JWTBearerGrant):
    def resolve_issuer_client(self, issuer):
        return Client() if issuer == EMAIL else None

    def resolve_client_public_key(self, client, headers=None, payload=None):
        from joserfc.jwk import RSAKey

        return RSAKey.import_key(PUBLIC)

    def get_audiences(self):
        # Google's own client signs for Google's endpoint, wherever it sends the assertion.
        return [f"{ORIGIN}/token", "https://oauth2.googleapis.com/token"]

    def verify_claims(self, claims):
        super().verify_claims(claims)
        state["audience"] = claims["aud"]

    def authenticate_user(self, subject):
        return None

    def has_granted_permission(self, client, user):
        return True


def save(token, _):
    tokens[token["access_token"]] = time.time() + state["life"]
    state["issued"] += 1


server = AuthorizationServer(app, query_client=lambda _: Client(), save_token=save)
server.register_grant(Grant)
server.register_token_generator(
    "default",
    lambda **_: {
        "access_token": "ya29." + base64.urlsafe_b64encode(os.urandom(48)).decode(),
        "token_type": "Bearer",
        "expires_in": state["life"],
    },
)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def refuse(code, status):
    return jsonify(error={"code": code, "message": "canary of the server's words", "status": status}), code


def drongo_says(method, path, query="", body=b""):
    shim = _RequestShim(method, path + (f"?{query}" if query else ""), {"Content-Type": "application/json"}, body)
    for service in registry.iter_services():
        if service.response is not None:
            answer = service.response.handle(BaseResponse.decode(shim))
            if answer is not None:
                status, _, text = answer
                return status, json.loads(text or "{}")
    return 404, {"error": {"code": 404, "status": "NOT_FOUND"}}


@app.post("/token")
def token():
    return server.create_token_response()


@app.post("/front")
def front():
    """What a test changes, and how things are."""
    change = request.get_json(force=True)
    if change.pop("forget", False):
        tokens.clear()
    for number in range(change.pop("fill", 0)):
        body = json.dumps({"replication": {"automatic": {}}}).encode()
        drongo_says("POST", "/v1/projects/my-project/secrets", f"secretId=many-{number:05}", body)
        body = json.dumps({"payload": {"data": base64.b64encode(b"value %d" % number).decode()}}).encode()
        drongo_says("POST", f"/v1/projects/my-project/secrets/many-{number:05}:addVersion", body=body)
    state.update(change)
    told = dict(state, tokens=len(tokens))
    state["requests"] = []
    return jsonify(told)


def paged(field, found):
    """Page by page, as the service does it, with a token that is none of a client's business."""
    size = int(request.args.get("pageSize") or 25000)
    try:
        start = int(base64.b64decode(request.args.get("pageToken") or "MA==", validate=True))
    except ValueError:
        return refuse(400, "INVALID_ARGUMENT")
    answer = {field: found[start : start + size], "totalSize": len(found)}
    if start + size < len(found):
        answer["nextPageToken"] = base64.b64encode(str(start + size).encode()).decode()
    return jsonify(answer)


@app.route("/v1/<path:path>", methods=["GET", "POST", "PATCH", "DELETE"])
def v1(path):
    sent = request.headers.get("authorization", "").removeprefix("Bearer ")
    state["requests"].append(f"{request.method} /v1/{path}")
    if tokens.get(sent, 0) < time.time():
        return refuse(401, "UNAUTHENTICATED")
    if state["throttle"] > 0:
        state["throttle"] -= 1
        return refuse(429, "RESOURCE_EXHAUSTED")
    state["forget_after"] -= 1
    if state["forget_after"] == 0:
        tokens.clear()
    parts = path.split("/")
    denied, asked = state["denied"], f"{request.method} {path}"
    if denied is not None and asked.startswith(denied[0]) and asked.endswith(denied[1]):
        return refuse(403, "PERMISSION_DENIED")
    if parts[:2] != ["projects", "my-project"]:
        return refuse(403, "PERMISSION_DENIED")
    # drongo knows no locations: the secrets of one are those of a project of their own there.
    project, location = "my-project", None
    if parts[2:3] == ["locations"]:
        project, location = f"my-project.{parts[3]}", parts[3]
        parts = parts[:2] + parts[4:]
    inner = "/v1/projects/" + "/".join([project] + parts[2:])
    with lock:
        status, answer = respond(inner, parts, location)
    if isinstance(answer, Response):
        return answer
    if status != 200:
        return refuse(status, answer.get("error", {}).get("status", "NOT_FOUND"))
    text = json.dumps(answer)
    below = f"projects/4711/locations/{location}" if location else "projects/4711"
    return Response(text.replace(f"projects/{project}/", below + "/"), content_type="application/json")


def respond(inner, parts, location):
    name = parts[3].split(":")[0] if len(parts) > 3 else None
    body = request.get_data()
    if request.method == "GET" and len(parts) == 3:
        status, answer = drongo_says("GET", inner)
        return status, paged("secrets", [whole(secret) for secret in answer.get("secrets", [])])
    if request.method == "GET" and len(parts) == 5:
        status, answer = drongo_says("GET", inner)
        if status != 200:
            return status, answer
        # The newest first.
        return status, paged("versions", answer.get("versions", [])[::-1])
    if len(parts) == 6 and parts[5].split(":")[0] == "latest":
        # The newest, whatever its state; drongo's is the newest that is enabled.
        status, answer = drongo_says("GET", inner.rsplit("/", 1)[0])
        if status != 200 or not answer.get("versions"):
            return 404, {}
        newest = answer["versions"][-1]["name"].rsplit("/", 1)[1]
        inner = inner.replace("/versions/latest", f"/versions/{newest}")
    if request.method == "POST" and len(parts) == 3:
        fields = json.loads(body)
        if bool(location) == ("replication" in fields) or "kmsKeyName" in body.decode():
            return 400, {"error": {"status": "INVALID_ARGUMENT"}}
        if state["race"]:
            bare = {"replication": fields["replication"]} if "replication" in fields else {}
            drongo_says("POST", inner, request.query_string.decode(), json.dumps(bare).encode())
        status, answer = drongo_says("POST", inner, request.query_string.decode(), body)
        if status == 200:
            annotations[answer["name"]] = fields.get("annotations", {})
        return status, whole(answer) if status == 200 else answer
    if inner.endswith(":addVersion"):
        payload = json.loads(body)["payload"]
        data = base64.b64decode(payload["data"])
        if not data or len(data) > 65536:
            return 400, {"error": {"status": "INVALID_ARGUMENT"}}
        if "dataCrc32c" in payload and int(payload["dataCrc32c"]) != crc32c(data):
            return 400, {"error": {"status": "INVALID_ARGUMENT"}}
        status, answer = drongo_says("POST", inner, body=body)
        if status == 200 and "dataCrc32c" in payload and state["tamper"] != "write":
            answer["clientSpecifiedPayloadChecksum"] = True
        return status, answer
    if inner.endswith(":access"):
        status, answer = drongo_says("GET", inner)
        if status == 200:
            data = base64.b64decode(answer["payload"]["data"])
            answer["payload"]["dataCrc32c"] = str(crc32c(data))
            if state["tamper"] == "read":
                answer["payload"]["data"] = base64.b64encode(b"x" + data[1:]).decode()
        return status, answer
    if request.method == "PATCH":
        fields, mask = json.loads(body), request.args.get("updateMask")
        status, known = drongo_says("GET", inner)
        if status != 200:
            return status, known
        if fields.get("etag", whole(known)["etag"]) != whole(known)["etag"]:
            return 409, {"error": {"status": "ABORTED"}}
        if mask == "annotations":
            annotations[known["name"]] = fields.get("annotations", {})
        else:
            drongo_says("PATCH", inner, body=json.dumps({"labels": fields.get("labels", {})}).encode())
        etags[known["name"]] = etags.get(known["name"], 0) + 1
        return 200, whole(drongo_says("GET", inner)[1])
    status, answer = drongo_says(request.method, inner, body=body)
    is_secret = status == 200 and len(parts) == 4 and request.method == "GET"
    if request.method == "DELETE":
        annotations.pop(f"projects/{inner.split('/')[3]}/secrets/{name}", None)
    return status, whole(answer) if is_secret else answer


def whole(secret):
    """A secret with what drongo does not keep."""
    more = annotations.get(secret["name"])
    secret = dict(secret, etag=f'"{etags.get(secret["name"], 0)}"')
    return dict(secret, annotations=more) if more else secret


with open(os.path.join(DIRECTORY, "key.json"), "w") as file:
    content = {
        "type": "service_account",
        "project_id": "my-project",
        "private_key_id": "0123456789abcdef",
        "private_key": PRIVATE,
        "client_email": EMAIL,
        "client_id": "1",
        "token_uri": "https://oauth2.googleapis.com/token",
        "universe_domain": "googleapis.com",
    }
    json.dump(content, file)

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
app.run(host="127.0.0.1", port=PORT, threaded=True)
