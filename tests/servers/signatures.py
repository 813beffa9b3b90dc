"""Recomputes AWS' signatures with botocore, which shares no line with the signer of forge.

Reads requests as JSON, one per line: method, url, headers, body (base64), id, secret, token. Answers one line for each:
`same`, or what differs.
"""

import base64
import json
import re
import sys

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

FORM = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})"
)


def verdict(sent):
    headers = dict(sent["headers"])
    found = FORM.fullmatch(headers.get("authorization", ""))
    if not found:
        return "no signature"
    access_key, day, region, service, names, signature = found.groups()
    if access_key != sent["id"] or not headers["x-amz-date"].startswith(day):
        return "another scope"
    if headers.get("x-amz-security-token") != sent["token"]:
        return "another session"
    names = names.split(";")
    # What names the action, the target and the session has to be under the signature.
    wanted = [name for name in headers if name in ("host", "content-type") or name.startswith("x-amz-")]
    if names != sorted(names) or not set(wanted) <= set(names):
        return "not all is signed"
    signed = {name: headers[name] for name in names}
    request = AWSRequest(sent["method"], sent["url"], headers=signed, data=base64.b64decode(sent["body"]))
    request.context["timestamp"] = headers["x-amz-date"]
    signer = SigV4Auth(Credentials(sent["id"], sent["secret"], sent["token"]), service, region)
    expected = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    return "same" if expected == signature else "another signature"


for line in sys.stdin:
    print(verdict(json.loads(line)))
