"""A draft with the Python client of openapi-generator: made, edited in one field, read again, checked, abandoned."""

import sys

from beian_openapi import ApiClient, AuthApi, Configuration, FilingsApi, WebsitesApi
from beian_openapi.models import CreateFiling, LoginRequest, UpdateFiling, WebsiteContentPatch

base_url, login = sys.argv[1:]
with ApiClient(Configuration(host=base_url)) as anonymous:
    body = LoginRequest(login=login, password="demo-password-2026")
    token = AuthApi(anonymous).login(body).access_token
with ApiClient(Configuration(host=base_url, access_token=token)) as client:
    filings = FilingsApi(client)
    website = WebsitesApi(client).get_overview().websites[0]
    draft = filings.create_filing(CreateFiling(kind="website_change", website_id=website.id))
    before = filings.get_filing_with_http_info(draft.id)
    change = UpdateFiling(website=WebsiteContentPatch(remark="由 Python 客户端修改"))
    after = filings.update_filing(draft.id, before.headers["etag"], change)
    assert after.website.remark == "由 Python 客户端修改", after.website
    # A client that also sent what was not set would have emptied the rest.
    assert after.website.name == before.data.website.name and after.website.name, after.website
    assert after.website.domains == before.data.website.domains, after.website
    check = filings.check_filing(draft.id)
    assert check.error_count == len([found for found in check.findings if found.severity == "error"])
    assert filings.abandon_filing(draft.id).status == "abandoned"
print(f"{draft.order_no}: made, edited, checked, abandoned")
