"""The whole job with a generated client: change a filed website, from log-in to the bureau's approval.

Usage: python change_website.py [BASE_URL] [LOGIN], against a server with demo data (./dev run).
"""

import hashlib
import pathlib
import sys
import time
import uuid
from typing import Any

import httpx

from beian_client import AuthenticatedClient, Client
from beian_client.api.attachments import complete_attachment, create_attachment
from beian_client.api.auth import login as log_in
from beian_client.api.backdrop_shipments import (
    create_backdrop_shipment,
    mark_shipment_delivered,
    pack_backdrop_shipment,
    ship_backdrop_shipment,
)
from beian_client.api.catalogue import get_current_terms
from beian_client.api.filings import (
    check_filing,
    create_filing,
    get_filing,
    list_filing_requirements,
    submit_filing,
    update_filing,
)
from beian_client.api.oversight import put_photo_precheck_setting
from beian_client.api.photo_verifications import create_photo_verification, submit_photo_verification
from beian_client.api.reviews import approve_review, claim_review, get_review, list_reviews, reject_review
from beian_client.api.websites import get_overview, get_website
from beian_client.models import (
    ApproveReview,
    BackdropOrder,
    CreateFiling,
    FilingBody,
    FileType,
    Handover,
    LoginRequest,
    NewAttachment,
    NewPhotoVerification,
    PhotoPrecheckSettingInput,
    PhotoType,
    PrecheckMode,
    Problem,
    RejectItem,
    RejectionReply,
    RejectReview,
    ResponsiblePersonPatch,
    Review,
    Status,
    SubmitFiling,
    TargetKind,
    UpdateFiling,
    Upload,
    WebsiteContentPatch,
)

BASE_URL = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8080"
LOGIN = sys.argv[2] if len(sys.argv) > 2 else "demo-applicant-29"
FILES = pathlib.Path(__file__).parent.parent / "files"
RUN = time.time_ns() // 1_000_000


def ok(reply: Any) -> Any:
    """The body of a reply, or an error that says what the problem says."""
    if isinstance(reply.parsed, Problem):
        problem = reply.parsed
        raise SystemExit(f"{problem.code}: {problem.detail} {[error.to_dict() for error in problem.errors]}")
    return reply.parsed


def sign_in(login: str) -> AuthenticatedClient:
    """A client that acts for one person."""
    body = LoginRequest(login=login, password="demo-password-2026")
    tokens = ok(log_in.sync_detailed(client=Client(base_url=BASE_URL), body=body))
    return AuthenticatedClient(base_url=BASE_URL, token=tokens.access_token, raise_on_unexpected_status=True)


def declare(data: bytes) -> dict[str, Any]:
    """What is declared of a file before its upload."""
    return {"size_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def put(upload: Upload, data: bytes) -> None:
    """Files go straight to the store, with exactly the headers that were signed."""
    httpx.request(upload.method, upload.url, headers=upload.headers.to_dict(), content=data).raise_for_status()


def read() -> tuple[FilingBody, str]:
    """The filing as it is now, with the ETag that changes must present."""
    reply = get_filing.sync_detailed(filing_id, client=applicant)
    return ok(reply), reply.headers["etag"]


def edit(body: UpdateFiling) -> None:
    ok(update_filing.sync_detailed(filing_id, client=applicant, body=body, if_match=read()[1]))


def expect(status: Status) -> FilingBody:
    for _ in range(240):
        filing, _ = read()
        if filing.status == status:
            print(f"{filing.order_no} {filing.status_label}: {filing.prompt.title}")
            return filing
        time.sleep(0.25)
    raise SystemExit(f"the filing did not become {status}")


def claim(stage: str) -> Review:
    """The reviewer takes this filing's task."""
    page = ok(list_reviews.sync_detailed(client=reviewer, stage=stage, q=read()[0].order_no))
    task = page.items[0].id
    ok(claim_review.sync_detailed(task, client=reviewer))
    return ok(get_review.sync_detailed(task, client=reviewer))


def approve(review: Review) -> None:
    body = ApproveReview(checklist=[check.code for check in review.checklist])
    ok(approve_review.sync_detailed(review.id, client=reviewer, body=body))


def submit() -> None:
    terms = ok(get_current_terms.sync_detailed(client=applicant))
    body = SubmitFiling(
        terms_version=terms.service_terms.version,
        personal_information_consent_version=terms.personal_information_consent.version,
        accepted_by_name="赵明",
    )
    ok(submit_filing.sync_detailed(filing_id, client=applicant, body=body, if_match=read()[1]))


applicant, reviewer, logistics = sign_in(LOGIN), sign_in("demo-reviewer"), sign_in("demo-logistics")

# Choose a website and start a change.
overview = ok(get_overview.sync_detailed(client=applicant))
website = next((website for website in overview.websites if website.live_filing_id is None), None)
if website is None:
    raise SystemExit(f"the website of {LOGIN} has a live filing; take another demo customer")
new = CreateFiling(kind="website_change", website_id=website.id)
# With a key of your own a repetition creates nothing twice.
filing_id = ok(create_filing.sync_detailed(client=applicant, body=new, idempotency_key=str(uuid.uuid4()))).id

# Edit, and let the server check. The website gets another responsible person.
person = ResponsiblePersonPatch(
    name="赵明",
    certificate_type="resident_identity_card",
    certificate_number="11010519491231002X",
    certificate_valid_from="2016-05-01",
    certificate_valid_to="2046-05-01",
    certificate_long_term=False,
    mobile=f"139{RUN % 100_000_000:08}",  # a mobile and an address serve one subject: each run has its own
    emergency_phone="13800005678",
    email=f"zhaoming-{RUN}@example.com",
)
content = WebsiteContentPatch(
    name="123", remark="更换负责人", same_as_subject_responsible_person=False, responsible_person=person
)
edit(UpdateFiling(website=content))
for finding in ok(check_filing.sync_detailed(filing_id, client=applicant)).findings:
    print(f"  {finding.severity} {finding.pointer}: {finding.message}")
edit(UpdateFiling(website=WebsiteContentPatch(name="光影读书笔记")))

# Upload what this change needs.
MATERIALS = {"identity_card_front": "identity-card-front.jpg", "identity_card_back": "identity-card-back.jpg"}
for needed in ok(list_filing_requirements.sync_detailed(filing_id, client=applicant)).items:
    if not needed.required or needed.is_satisfied:
        continue
    name = MATERIALS.get(needed.code, "authorisation-letter.pdf")
    data = (FILES / name).read_bytes()
    kind = FileType.APPLICATIONPDF if name.endswith(".pdf") else FileType.IMAGEJPEG
    attachment = ok(
        create_attachment.sync_detailed(
            filing_id,
            client=applicant,
            body=NewAttachment(purpose=needed.code, file_name=name, content_type=kind, **declare(data)),
        )
    )
    put(attachment.upload, data)
    done = ok(complete_attachment.sync_detailed(attachment.id, client=applicant))
    print(f"  {done.purpose_label}: {done.state_label}")

# Submit; the reviewer rejects one field with a reason; answer, submit again; the reviewer approves.
submit()
expect(Status.INITIAL_REVIEW)
item = RejectItem(
    target_kind=TargetKind.FIELD, pointer="/website/name", code="SITE_NAME_UNRELATED", reason="名称与网站内容无关"
)
review = claim("initial_review")
ok(reject_review.sync_detailed(review.id, client=reviewer, body=RejectReview(items=[item])))
rejected = expect(Status.INITIAL_REJECTED)
edit(
    UpdateFiling(
        website=WebsiteContentPatch(name="李娜的书房"),
        rejection_replies=[RejectionReply(item_id=item.id, reply="已修改") for item in rejected.rejection.items],
    )
)
submit()
expect(Status.INITIAL_REVIEW)
approve(claim("initial_review"))
expect(Status.PHOTO_REQUIRED)

# The backdrop for the photo goes by courier.
order = BackdropOrder(
    recipient_name="赵明",
    phone="13900001234",
    province_code="110000",
    city_code="110100",
    district_code="110105",
    street_address="示例大街2号院3号楼402室",
)
shipment = ok(create_backdrop_shipment.sync_detailed(filing_id, client=applicant, body=order))
ok(pack_backdrop_shipment.sync_detailed(shipment.id, client=logistics))
parcel = Handover(carrier_code="shunfeng", tracking_number=f"SF{RUN}")
ok(ship_backdrop_shipment.sync_detailed(shipment.id, client=logistics, body=parcel))
shipped = ok(mark_shipment_delivered.sync_detailed(shipment.id, client=logistics))
print(f"  {shipped.state_label}: {shipped.carrier_name} {shipped.tracking_number}")


def reuse(mode: PrecheckMode) -> None:
    """A picture counts once, and all runs share one: the admin lets that finding only warn."""
    body = PhotoPrecheckSettingInput(mode=mode)
    ok(put_photo_precheck_setting.sync_detailed("PHOTO_REUSED", client=sign_in("demo-admin"), body=body))


reuse(PrecheckMode.WARN)
picture = (FILES / "photo.jpg").read_bytes() + str(RUN).encode()
photo = ok(
    create_photo_verification.sync_detailed(
        filing_id,
        client=applicant,
        body=NewPhotoVerification(
            file_name="photo.jpg", content_type=PhotoType.IMAGEJPEG, **declare(picture)
        ),
    )
)
put(photo.upload, picture)
ok(submit_photo_verification.sync_detailed(photo.id, client=applicant))
expect(Status.PHOTO_REVIEW)
reuse(PrecheckMode.BLOCK)
approve(claim("photo_review"))

# The bureau decides; the filed website has its new data.
expect(Status.APPROVED)
filed = ok(get_website.sync_detailed(website.id, client=applicant))
if filed.content.name != "李娜的书房":
    raise SystemExit(f"the filed name is {filed.content.name}")
print(f"Done: version {filed.filed_version} of the filed website is {filed.content.name}.")
