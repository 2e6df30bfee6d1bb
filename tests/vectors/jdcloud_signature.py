"""Makes the vectors of src/external/sms/jdcloud_vectors.json with JD Cloud's published Python SDK.

    pip download --no-deps jdcloud_sdk==1.6.9 && tar xzf jdcloud_sdk-1.6.9.tar.gz
    pip download --no-deps jdcloud_sdk==1.6.354 && tar xzf jdcloud_sdk-1.6.354.tar.gz
    ( PYTHONPATH=jdcloud_sdk-1.6.9 python3 jdcloud_signature.py
      PYTHONPATH=jdcloud_sdk-1.6.354 python3 jdcloud_signature.py ) | jq -s 'add'

1.6.9 signs with JDCLOUD2-HMAC-SHA256, later versions with JDCLOUD3-HMAC-SHA256. The SDK takes time and nonce from
the machine; here they are fixed. Everything else is the SDK's own code.
"""

import datetime
import json
import uuid

from jdcloud_sdk.core import signer as module
from jdcloud_sdk.core.credential import Credential
from jdcloud_sdk.core.logger import Logger
from jdcloud_sdk.core.parameterbuilder import WithBodyBuilder
from jdcloud_sdk.services.sms.apis.BatchSendRequest import BatchSendParameters, BatchSendRequest
from jdcloud_sdk.services.sms.apis.StatusReportRequest import StatusReportParameters, StatusReportRequest


def batch(region, template, sign, phones, params):
    parameters = BatchSendParameters(region, template, sign, phones)
    parameters.setParams(params)
    return BatchSendRequest(parameters)


def report(region, sequence, phones):
    parameters = StatusReportParameters(region, sequence)
    parameters.setPhoneList(phones)
    return StatusReportRequest(parameters)


CASES = [
    # name, request, body instead of the SDK's own, endpoint, access key, secret key, time, nonce
    ("one_message", batch("cn-north-1", "T0001", "S0001", ["13800138000"], ["BA-2026-000123"]), None,
     "sms.jdcloud-api.com", "ak", "sk", "2019-09-17T06:47:08", "ed558a3b-9808-4edb-8597-187bda63a4f2"),
    ("utf8_body", batch("cn-north-1", "T0002", "S0001", ["13800138000"], []),
     '{"params":["网站“山间书屋”","2026年3月11日 24:00（北京时间）"]}',
     "sms.jdcloud-api.com", "JDC_0123456789ABCDEF", "秘密-secret/+=", "2026-03-11T02:00:00",
     "00000000-0000-4000-8000-000000000001"),
    ("other_region_at_the_turn_of_a_year", batch("cn-south-1", "T3", "S3", ["13900139000", "13800138000"], ["a b", ""]),
     None, "sms.jdcloud-api.com", "ak", "sk", "2025-12-31T23:59:59", "ffffffff-ffff-4fff-bfff-ffffffffffff"),
    ("status_report", report("cn-north-1", "8f0d4a", ["13800138000"]), None,
     "sms.jdcloud-api.com", "ak", "sk", "2026-03-11T02:01:00", "00000000-0000-4000-8000-000000000002"),
    ("port_in_the_host", report("cn-north-1", "8f0d4a", None), None,
     "127.0.0.1:8000", "ak", "sk", "2026-03-11T02:01:00", "00000000-0000-4000-8000-000000000003"),
]


def vector(name, request, body, endpoint, access_key, secret_key, at, nonce):
    at = datetime.datetime.strptime(at, "%Y-%m-%dT%H:%M:%S")

    class Signer(module.Signer):
        pass

    Signer._Signer__now = lambda self: at
    uuid.uuid4 = lambda: nonce
    builder = WithBodyBuilder()
    url = builder.build_url(request, "https", endpoint)
    body = builder.build_body(request) if body is None else body
    # As jdcloudclient.py merges them; date and nonce as the SDK's own tests give them.
    headers = {"User-Agent": "x", "Content-Type": "application/json",
               "x-jdcloud-date": at.strftime("%Y%m%dT%H%M%SZ"), "x-jdcloud-nonce": nonce}
    Signer(Logger(0)).sign(method=request.method, service="sms", region=request.parameters.regionId, uri=url,
                           headers=headers, data=body, credential=Credential(access_key, secret_key),
                           security_token="")
    return {
        "name": name, "url": url, "region": request.parameters.regionId, "access_key": access_key,
        "secret_key": secret_key, "date": headers["x-jdcloud-date"], "nonce": nonce, "body": body,
        "content_sha256": headers["x-jdcloud-content-sha256"], "authorization": headers["Authorization"],
    }


print(json.dumps([vector(*case) for case in CASES], ensure_ascii=False))
