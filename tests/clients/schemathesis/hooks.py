"""What schemathesis cannot know by itself: who may call what, pictures as bodies, and what a refusal must say."""

import base64
import json
import os
import pathlib
import re
import urllib.parse
import urllib.request

import schemathesis

PASSWORD = "demo-password-2026"
BASE_URL = os.environ["BEIAN_URL"]
ANONYMOUS = bool(os.environ.get("BEIAN_ANONYMOUS"))
# Whoever changes a password is not somebody whom other operations need.
LOGINS = {"changePassword": "demo-applicant-30"}
PICTURE = (pathlib.Path(__file__).parents[3] / "examples" / "files" / "photo-too-small.jpg").read_bytes()


def login_of(operation):
    """The demo person for whom an operation's example is, else one with its first role; None: it is public."""
    own = LOGINS.get(operation.definition.raw.get("operationId"))
    description = operation.definition.raw.get("description", "")
    example = re.search(r"Example: log in as `([a-z0-9-]+)`", description)
    if own or example:
        return own or example[1]
    roles = re.search(r"Roles: `([a-z_]+)`", description)
    return roles and "demo-" + roles[1].replace("_", "-").replace("bureau-operator", "bureau")


def token_of(login):
    """A fresh token. The program of the demo partner has a secret, people have a password."""
    form, client = {"grant_type": "password", "username": login, "password": PASSWORD}, "swagger-ui:"
    if login == "demo-partner":
        form, client = {"grant_type": "client_credentials"}, "demo-partner:demo-partner-secret-2026"
    authorization = "Basic " + base64.b64encode(client.encode()).decode()
    return call("POST", "/oauth/token", authorization, urllib.parse.urlencode(form).encode())["access_token"]


def call(method, path, authorization, data=None, content_type="application/x-www-form-urlencoded"):
    request = urllib.request.Request(BASE_URL + path, data, method=method)
    request.add_header("Authorization", authorization)
    request.add_header("Content-Type", content_type)
    with urllib.request.urlopen(request) as reply:
        return json.load(reply)


@schemathesis.auth(refresh_interval=600, cache_by_key=lambda case, _: login_of(case.operation) or "")
class Tokens:
    """A token of the person who may call the operation. With BEIAN_ANONYMOUS nobody is signed in."""

    def get(self, case, _):
        login = login_of(case.operation)
        return None if login is None or ANONYMOUS else token_of(login)

    def set(self, case, token, _):
        if token:
            case.headers["Authorization"] = "Bearer " + token


class Victims:
    """What the admin may disable, pause and revoke here, in place of the people and programs that the run acts for."""

    # operationId -> the list that it belongs to
    OF = {
        "disableUser": "users",
        "updateUser": "users",
        "updateAccount": "accounts",
        "updatePartner": "partners",
        "pauseApiClient": "api-clients",
        "updateApiClient": "api-clients",
        "createApiClientSecret": "api-clients",
        "revokeApiClientSecret": "api-clients",
    }
    made = None

    @classmethod
    def make(cls):
        authorization = "Bearer " + token_of("demo-admin")

        def create(what, **body):
            data = json.dumps(body).encode()
            return call("POST", "/v1/" + what, authorization, data, "application/json")["id"]

        mark = os.urandom(4).hex()
        partner = create("partners", name="替身代理" + mark)
        client = {"partner_id": partner, "client_id": "victim-" + mark, "name": "替身程序", "scopes": ["filings:read"]}
        cls.made = {
            "users": create("users", login="victim-" + mark, display_name="替身", roles=["reviewer"],
                            email=f"victim-{mark}@example.com"),
            "accounts": create("accounts", name="替身客户" + mark),
            "partners": partner,
            "api-clients": create("api-clients", **client),
        }

    @classmethod
    def spare(cls, case):
        what = cls.OF.get(case.operation.definition.raw["operationId"])
        # Demo data and what the run itself makes have version 7; what is drawn has other versions, and is not there.
        if what and re.fullmatch(r"[0-9a-f-]{14}7[0-9a-f-]{21}", str(case.path_parameters.get("id"))):
            if cls.made is None:
                cls.make()
            case.path_parameters["id"] = cls.made[what]


@schemathesis.hook
def before_call(_, case, __):
    if not ANONYMOUS and case.path_parameters:
        Victims.spare(case)


@schemathesis.serializer("image/jpeg", "image/png")
def picture(_, value):
    """Any bytes are a picture to the schema; every other body is a real one."""
    data = value if isinstance(value, bytes) else str(value).encode()
    return PICTURE if len(data) % 2 else data


# Faults that are a schema's alone. A request that fits the document must not be refused for one of them; for what only the
# server knows (an id, a date in the past, a word that is not in a dictionary, a field that another one demands) it may.
SHAPE = {"unknown_field", "wrong_type"}
# A cursor is opaque, an event may not exist, a code of a list that admins edit is no enum: the document cannot say which.
UNKNOWABLE = {"invalid_cursor", "not_found", "not_in_list", "region_unknown", "invalid_token"}
# OAuth answers 400 for what is wrong with credentials.
UNKNOWABLE |= {"invalid_grant", "invalid_scope", "unsupported_grant_type"}


@schemathesis.check
def a_fitting_request_is_understood(_, response, case):
    """As positive_data_acceptance, but by the problem's code and not by its status alone."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code < 400:
        return
    if case.method.upper() != case.operation.method.upper():  # an undeclared method: unsupported_method judges it
        return
    assert response.status_code not in (405, 406, 411, 414, 415, 428, 431), f"refused with {response.status_code}"
    # No text may hold U+0000, which PostgreSQL cannot store; a schema would have to say so of each.
    if response.status_code in (400, 422) and "U+0000" not in response.text:
        problem = response.json()
        codes = {error["code"] for error in problem["errors"]} or {problem["code"]}
        allowed = codes <= UNKNOWABLE if response.status_code == 400 else not codes & SHAPE
        assert allowed, f"a request that fits the document is refused: {response.text}"


@schemathesis.check
def a_refusal_is_a_problem(_, response, case):
    """Every error is problem+json with its code, and names the field, parameter or header that is wrong."""
    # The readiness probe answers 503 in a form of its own.
    if response.status_code < 400 or case.path == "/readyz":
        return
    kind = response.headers["content-type"][0]
    assert kind.startswith("application/problem+json"), f"{response.status_code} is {kind}"
    problem = response.json()
    assert problem["status"] == response.status_code and problem["code"], response.text
    assert problem["request_id"] == response.headers["x-request-id"][0], response.text
    if problem["code"] in ("validation_failed", "invalid_parameter", "invalid_header"):
        # The empty pointer is the body itself.
        places = [[error["pointer"], error["parameter"], error["header"]] for error in problem["errors"]]
        assert places and all(any(one is not None for one in place) for place in places), response.text


@schemathesis.check
def nobody_gets_in(_, response, case):
    """Without a token every operation but the public ones answers 401, whatever else is wrong with the request."""
    is_declared = case.method.upper() == case.operation.method.upper()
    if ANONYMOUS and is_declared and login_of(case.operation) is not None:
        # 404: a drawn value in the path led elsewhere.
        assert response.status_code in (401, 404), f"nobody is answered {response.status_code}: {response.text}"
